// Reading calls of the `fs` of a container beside those of node:fs on the kernel's overlayfs over the same layers, extracted, with an upper
// directory like the container's.
//
//   reading.mjs IMAGE SCRATCH ROUNDS FILES     IMAGE: a source (oci:…), or a number of layers to put one tree of so many files into
//
// Prints { files, directories, calls: [{ call, ours: { cpu, wall }, peer: { cpu, wall } }] }: microseconds a call, the least of the rounds.
// Every path in a new order each round, both in turns, everything warm.
import { execFileSync } from 'node:child_process'
import * as nodeFs from 'node:fs'
import { join } from 'node:path'
import { append, configure, copy, extractLayers, layerFrom, openSource, openStore, scratch } from '../../dist/index.js'
import { cpuSeconds } from './cpu.mjs'

const [image, directory, rounds, size] = process.argv.slice(2)
const at = join(directory, 'reading')
const [root, layers, target, above] = ['store', 'layers', 'mnt', 'above'].map((name) => join(at, name))
nodeFs.rmSync(at, { recursive: true, force: true })
for (const made of [target, join(above, 'upper'), join(above, 'work')]) nodeFs.mkdirSync(made, { recursive: true })

const store = await openStore(root)
if (/^\d+$/.test(image)) await generate(Number(image))
else {
  const source = await openSource(image)
  await copy(source, store, { as: 'bench' })
  await source[Symbol.asyncDispose]?.()
}
const { layers: stack, close } = await store.layers('bench')
const views = stack.map(({ view }) => view)
await extractLayers(views, layers)
close()
// From inside, for an option of mount may not be longer than a page.
const lower = nodeFs.readdirSync(layers).sort((a, b) => b - a)
const options = `lowerdir=${lower.join(':')},upperdir=${above}/upper,workdir=${above}/work`
execFileSync('mount', ['-t', 'overlay', '-o', options, 'overlay', target], { cwd: layers })

const container = await store.containers.create('bench', 'bench')
const faces = { ours: { fs: container.fs, base: '' }, peer: { fs: nodeFs, base: target } }
const found = walk(container.fs)
const buffer = Buffer.alloc(1 << 16)
const small = found.files.filter(({ size }) => size > 0 && size <= 1 << 14)
const missing = found.all.map((path) => `${path}.missing`)
const shallow = { throwIfNoEntry: false }
const typed = { withFileTypes: true }
const paths = {
  stat: found.all,
  missing,
  readdir: found.directories,
  read: small.map(({ path }) => path),
}
const read = (fs, path) => {
  const fd = fs.openSync(path, 'r')
  const count = fs.readSync(fd, buffer, 0, buffer.length, 0)
  fs.closeSync(fd)
  return count
}
const calls = {
  stat: { over: paths.stat, act: (fs, path) => fs.lstatSync(path) },
  'stat of what is not there': { over: missing, act: (fs, path) => fs.statSync(path, shallow) },
  readdir: { over: paths.readdir, act: (fs, path) => fs.readdirSync(path) },
  'readdir with types': { over: paths.readdir, act: (fs, path) => fs.readdirSync(path, typed) },
  'open, read, close': { over: paths.read, act: read },
  readFile: { over: paths.read, act: (fs, path) => fs.readFileSync(path) },
  'promises.stat': { over: paths.stat, later: (fs, path) => fs.promises.lstat(path) },
  'promises.readdir': { over: paths.readdir, later: (fs, path) => fs.promises.readdir(path) },
  'promises.readFile': { over: paths.read, later: (fs, path) => fs.promises.readFile(path) },
}
const results = []
for (const [call, { over, act, later }] of Object.entries(calls)) {
  const best = { ours: { cpu: Infinity, wall: Infinity }, peer: { cpu: Infinity, wall: Infinity } }
  // A few directories are read several times, so that there is something to measure.
  const times = Math.max(1, Math.ceil(10_000 / over.length))
  for (let round = 0; round <= Number(rounds); round++) {
    const order = Array.from({ length: times }, () => shuffled(over, round)).flat()
    for (const [who, { fs, base }] of Object.entries(faces)) {
      const named = order.map((path) => base + path)
      const from = performance.now()
      const cpu = cpuSeconds()
      if (act) for (const path of named) act(fs, path)
      else for (const path of named) await later(fs, path)
      // The first round warms up.
      if (round === 0) continue
      best[who].cpu = Math.min(best[who].cpu, ((cpuSeconds() - cpu) * 1e6) / named.length)
      best[who].wall = Math.min(best[who].wall, ((performance.now() - from) * 1000) / named.length)
    }
  }
  results.push({ call, ...best })
}
console.log(
  JSON.stringify({
    layers: lower.length,
    files: found.all.length,
    directories: found.directories.length,
    calls: results,
  }),
)
await container[Symbol.asyncDispose]()
await store[Symbol.asyncDispose]()
execFileSync('umount', [target])
nodeFs.rmSync(at, { recursive: true, force: true })

/** The same tree whatever the number of layers: its files come in as many layers as there are. */
async function generate(count) {
  const files = Number(size)
  const each = Math.ceil(files / count)
  let made = scratch
  for (let layer = 0; layer < count; layer++) {
    const spec = {}
    for (let i = layer * each; i < Math.min(files, (layer + 1) * each); i++)
      spec[`/usr/share/d${i % 97}/e${i % 389}/file-number-${i}`] = `content ${i}\n`.repeat(1 + (i % 100))
    made = append(made, layerFrom(spec))
  }
  await store.write(configure(made, {}), 'bench')
}

function walk(fs) {
  const all = []
  const directories = ['/']
  const files = []
  for (const parent of directories) {
    for (const entry of fs.readdirSync(parent, { withFileTypes: true })) {
      const path = join(parent, entry.name)
      all.push(path)
      if (entry.isDirectory()) directories.push(path)
      else if (entry.isFile()) files.push({ path, size: fs.statSync(path).size })
    }
  }
  return { all, directories, files }
}

/** Another order for each seed, the same in every run. */
function shuffled(items, seed) {
  const order = [...items]
  let state = (seed + 1) * 2654435761
  for (let i = order.length - 1; i > 0; i--) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    const j = state % (i + 1)
    ;[order[i], order[j]] = [order[j], order[i]]
  }
  return order
}
