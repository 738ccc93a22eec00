// Entries packed per second of CPU: small files of 1.2 KB. tar-pack.mjs plyfs|tar-stream COUNT
//
// Both engines are given the same list: names, kinds and times, a time of its own for each file, and one buffer that is the
// content of every file. The entries in the words of the engine are made while the clock runs, and all output is read. Both
// archives are read again before anything is measured, and must hold the list. tar-stream is used in the fastest of the ways
// that were tried (docs/decisions/tar-speed.md).
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { cpuSeconds } from './cpu.mjs'

const [engine, count] = process.argv.slice(2)
const content = Buffer.alloc(1200, 'x')
const digits = String(count).length
const number = (i) => String(i).padStart(digits, '0')
const list = []
for (let i = 0; i < count; i++) {
  const directory = `directory-${number(Math.floor(i / 1000))}`
  const time = 1_500_000_000 + i
  if (i % 1000 === 0) list.push({ name: directory, kind: 'directory', mode: 0o755, time, size: 0 })
  list.push({ name: `${directory}/file-${number(i)}`, kind: 'file', mode: 0o644, time, size: content.length })
}

async function plyfs(read) {
  const { packLayer } = await import('../../.modules/layer/index.js')
  const { memoryBytes } = await import('../../.modules/stream/bytes.js')
  const xattrs = new Map()
  function* items() {
    for (const { name, kind, mode, time, size } of list) {
      const mtime = BigInt(time) * 1_000_000_000n
      const stat = { ino: 1, kind, size, links: 1, mode, uid: 0, gid: 0, mtime, major: 0, minor: 0 }
      yield { says: 'entry', path: name, stat, xattrs, open: () => memoryBytes(content) }
    }
  }
  for await (const chunk of packLayer(items())) read(chunk)
}

async function tarStream(read) {
  const { pack } = await import('tar-stream')
  const archive = pack()
  archive.on('data', read)
  const end = once(archive, 'end')
  let given = 0
  for (const { name, kind, mode, time, size } of list) {
    const mtime = new Date(time * 1000)
    if (kind === 'directory') archive.entry({ name: `${name}/`, type: kind, mode, mtime })
    else archive.entry({ name, type: kind, mode, mtime, size }, content)
    // It takes entries from the front of a list: with all of them in it at once it needs six times as long.
    if (++given % 512 === 0) await new Promise(setImmediate)
  }
  archive.finalize()
  await end
}

/** Whether an archive holds the list. */
async function check(archive) {
  const { extract } = await import('tar-stream')
  const reader = extract()
  reader.end(archive)
  let i = 0
  for await (const entry of reader) {
    const { name, type, mode, mtime, size } = entry.header
    const found = { name: name.replace(/\/$/, ''), kind: type, mode, time: mtime.getTime() / 1000, size }
    assert.deepEqual(found, list[i++])
    for await (const chunk of entry) assert(content.includes(chunk))
  }
  assert.equal(i, list.length)
}

const run = engine === 'plyfs' ? plyfs : tarStream
const chunks = []
await run((chunk) => chunks.push(Buffer.from(chunk)))
await check(Buffer.concat(chunks.splice(0)))
let seconds = Number.POSITIVE_INFINITY
let bytes = 0
for (let round = 0; round < 5; round++) {
  bytes = 0
  const from = cpuSeconds()
  await run((chunk) => {
    bytes += chunk.length
  })
  seconds = Math.min(seconds, cpuSeconds() - from)
}
console.log(JSON.stringify({ bytes, seconds, rate: list.length / seconds }))
