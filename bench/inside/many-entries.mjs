// A layer of many entries: read, indexed, folded. many-entries.mjs COUNT DIRECTORY [NAMES-IN-ONE-DIRECTORY]
import { closeSync, openSync, readSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { cpuSeconds } from './cpu.mjs'

const { rebuildIndex, layerView } = await import('../../.modules/layer/index.js')
const { Index } = await import('../../.modules/erofs/index.js')
const { writeTree, foldedTree } = await import('../../.modules/stack/index.js')
const [count, directory, flat = '500'] = process.argv.slice(2)
const perDirectory = Number(flat)

const block = Buffer.alloc(512)
block.write('0000644\x000000000\x000000000\x00', 100, 'latin1')
block.write('00000000000\x0014371000000\x00', 124, 'latin1')
block.write('ustar\x0000', 257, 'latin1')

function header(into, at, name, type) {
  block.copy(into, at)
  into.write(name, at, 'latin1')
  into.write(type, at + 156, 'latin1')
  into.fill(0x20, at + 148, at + 156)
  let sum = 0
  for (let i = at; i < at + 512; i++) sum += into[i]
  into.write(`${sum.toString(8).padStart(6, '0')}\0 `, at + 148, 'latin1')
}

async function* tar() {
  const chunk = 1 << 20
  let buffer = Buffer.alloc(chunk)
  let used = 0
  for (let i = 0; i < count; i++) {
    const parent = `d${Math.floor(i / perDirectory)}`
    if (i % perDirectory === 0) {
      header(buffer, used, `${parent}/`, '5')
      used += 512
    }
    if (used === chunk) {
      yield buffer
      buffer = Buffer.alloc(chunk)
      used = 0
    }
    header(buffer, used, `${parent}/a-file-with-a-name-${i}`, '0')
    used += 512
    if (used === chunk) {
      yield buffer
      buffer = Buffer.alloc(chunk)
      used = 0
    }
  }
  yield buffer.subarray(0, used)
  yield Buffer.alloc(1024)
}

function sink(path) {
  const fd = openSync(path, 'w')
  return { write: (bytes) => void writeSync(fd, bytes), close: () => closeSync(fd) }
}

function bytesOf(path) {
  const fd = openSync(path, 'r')
  return {
    size: statSync(path).size,
    read: (into, position) => readSync(fd, into, 0, into.length, position),
    close: () => closeSync(fd),
  }
}

// What making the tar costs is taken off again.
let from = cpuSeconds()
for await (const _ of tar());
const making = cpuSeconds() - from

const layer = join(directory, 'layer.erofs')
const tree = join(directory, 'tree.erofs')
from = cpuSeconds()
const start = performance.now()
const out = sink(layer)
const indexed = await rebuildIndex(tar())
await indexed.writeIndex(out)
out.close()
const importCpu = cpuSeconds() - from - making
const wall = (performance.now() - start) / 1000
from = cpuSeconds()
const view = layerView(Index.open(bytesOf(layer)), () => {
  throw new Error('no content')
})
const into = sink(tree)
await writeTree(into, { chainId: indexed.diffId, views: [view] })
into.close()
const foldCpu = cpuSeconds() - from
const index = Index.open(bytesOf(tree))
const folded = foldedTree(index, () => {
  throw new Error('no content')
})
let seen = 0
const todo = [folded.root]
for (let at = todo.pop(); at !== undefined; at = todo.pop()) {
  for (const { ino, kind } of folded.list(at)) {
    seen++
    if (kind === 'directory') todo.push(ino)
  }
}
const blocks = Number(bytesOf(layer).size)
console.log(
  JSON.stringify({
    seen,
    importCpu,
    foldCpu,
    cpu: importCpu + foldCpu,
    wall,
    rss: (process.resourceUsage().maxRSS * 1024) / 1e6,
    bytesPerInode: imageBytes(layer) / index.inodes,
    fileBytesPerInode: blocks / index.inodes,
  }),
)

/** Bytes of the image before its trailer: blocks of 512 in the superblock. */
function imageBytes(path) {
  const bytes = Buffer.alloc(1024 + 128)
  bytesOf(path).read(bytes, 0)
  return bytes.readUInt32LE(1024 + 36) * 512
}
