// Entries packed per second of CPU: small files of 1.2 KB. tar-pack.mjs plyfs|tar-stream COUNT
import { cpuSeconds } from './cpu.mjs'

const [engine, count] = process.argv.slice(2)
const content = Buffer.alloc(1200, 'x')
const path = (i) => `directory-${Math.floor(i / 1000)}/file-${i}`
let bytes = 0

async function plyfs() {
  const { packLayer } = await import('../../.modules/layer/index.js')
  const { memoryBytes } = await import('../../.modules/stream/bytes.js')
  const stat = {
    kind: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtime: 10n ** 18n,
    size: content.length,
    ino: 1,
    links: 1,
    major: 0,
    minor: 0,
  }
  const xattrs = new Map()
  function* items() {
    const width = String(count).length
    for (let i = 0; i < count; i++) {
      if (i % 1000 === 0) {
        const name = `directory-${String(i / 1000).padStart(width, '0')}`
        yield { says: 'entry', path: name, stat: { ...stat, kind: 'directory', mode: 0o755, size: 0 }, xattrs }
      }
      const name = `directory-${String(Math.floor(i / 1000)).padStart(width, '0')}/file-${String(i).padStart(width, '0')}`
      yield { says: 'entry', path: name, stat, xattrs, open: () => memoryBytes(content) }
    }
  }
  for await (const chunk of packLayer(items())) bytes += chunk.length
}

async function tarStream() {
  const { pack } = await import('tar-stream')
  const archive = pack()
  const done = (async () => {
    for await (const chunk of archive) bytes += chunk.length
  })()
  for (let i = 0; i < count; i++) {
    if (i % 1000 === 0)
      archive.entry({ name: `directory-${i / 1000}`, type: 'directory', mode: 0o755, mtime: new Date(1e12) })
    const entry = archive.entry({ name: path(i), mode: 0o644, mtime: new Date(1e12), size: content.length })
    entry.end(content)
    if (i % 64 === 0) await new Promise(setImmediate)
  }
  archive.finalize()
  await done
}

const run = engine === 'plyfs' ? plyfs : tarStream
await run()
bytes = 0
const from = cpuSeconds()
await run()
const seconds = cpuSeconds() - from
console.log(JSON.stringify({ bytes, seconds, rate: count / seconds }))
