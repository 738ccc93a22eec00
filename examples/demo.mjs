#!/usr/bin/env node
// The main job, end to end, on a real image: take it in, stack its layers, write into the union, see what changed, commit
// it, hand it out, and check the result against what GNU tar makes of the same layers and the same changes.
//
//   node examples/demo.mjs          an image made from what this machine has (Node, its libraries, node_modules)
//   node examples/demo.mjs FILE     any image archive (docker-archive or oci-archive)
import { createHash } from 'node:crypto'
import {
  createWriteStream,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { copy, exportTree, openSink, openSource, openStore } from '../dist/index.js'
import { applyLayers, demoImage, layersOf, untar } from './demo-image.mjs'

const root = process.getuid?.() === 0
const work = mkdtempSync(join(tmpdir(), 'ply-demo-'))
process.on('exit', () => rmSync(work, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130))

let clock = performance.now()
const step = (text) => {
  const seconds = ((performance.now() - clock) / 1000).toFixed(2)
  console.log(`${seconds.padStart(7)} s  ${text}`)
  clock = performance.now()
}
const check = (claim, holds) => {
  if (!holds) throw new Error(`the check failed: ${claim}`)
  console.log(`           ✓ ${claim}`)
}
const mib = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`

const given = process.argv[2]
const archive = given ?? (await demoImage(work))
step(
  given
    ? `given: ${basename(archive)}, ${mib(statSync(archive).size)}`
    : `made a docker-archive from this machine: ${mib(statSync(archive).size)}`,
)

// ── in
const kind = layersOf(archive, join(work, 'source')).kind
const sourceName = `${kind}:${archive}`
const store = await openStore(join(work, 'store'))
await copy(await openSource(sourceName), store, { as: 'demo:base' })
const base = await store.image('demo:base')
step(`loaded ${base.layers.length} layers, every digest verified: ${base.digest}`)

const tree = await store.tree('demo:base')
const files = []
const directories = []
const walk = (directory, path) => {
  for (const { name, ino, kind: type } of tree.list(directory)) {
    const at = path === '' ? name : `${path}/${name}`
    if (type === 'file' && tree.stat(ino).links === 1) files.push(at)
    if (type === 'directory') {
      directories.push(at)
      walk(ino, at)
    }
  }
}
walk(tree.root, '')
tree.close()
step(`stacked them: ${files.length + directories.length} files and directories`)
if (given === undefined)
  check('the image has at least 2 layers and 5,000 files', base.layers.length >= 2 && files.length >= 5000)

// ── write
const text = (path) => Buffer.from(path, 'latin1').toString('utf8')
const plain = files.filter((path) => /^[\x20-\x7e]+$/.test(path))
const every = Math.max(1, Math.floor(plain.length / 21))
const changed = plain.filter((_, i) => i % (2 * every) === 0).slice(0, 10)
const removed = plain.filter((_, i) => i % (2 * every) === every).slice(0, 10)
const busy = new Set(
  [...changed, ...removed].flatMap((path) => path.split('/').map((_, i, parts) => parts.slice(0, i).join('/'))),
)
const replaced = directories.find(
  (path) =>
    /^[\x20-\x7e]+$/.test(path) &&
    path.includes('/') &&
    !busy.has(path) &&
    plain.some((file) => file.startsWith(`${path}/`)),
)
const when = new Date('2024-02-29T12:00:00Z')
const edit = (fs, top) => {
  for (const path of changed) {
    fs.writeFileSync(`${top}/${path}`, Buffer.concat([fs.readFileSync(`${top}/${path}`), Buffer.from('\nchanged\n')]))
    fs.utimesSync(`${top}/${path}`, when, when)
  }
  for (const path of removed) fs.rmSync(`${top}/${path}`)
  if (replaced !== undefined) {
    fs.rmSync(`${top}/${replaced}`, { recursive: true })
    fs.mkdirSync(`${top}/${replaced}`, { mode: 0o755 })
    fs.writeFileSync(`${top}/${replaced}/new`, 'a directory of the same name, with nothing of the old one\n', {
      mode: 0o644,
    })
    fs.utimesSync(`${top}/${replaced}/new`, when, when)
  }
}
const container = await store.containers.create('work', 'demo:base')
edit(container.fs, '')
step(
  `wrote into a container: ${changed.length} files changed, ${removed.length} deleted, 1 directory replaced (${text(replaced ?? 'none')})`,
)

// ── see, commit
const counts = { add: 0, modify: 0, delete: 0 }
for await (const change of container.changes()) counts[change.kind]++
step(`changes: ${counts.add} added, ${counts.modify} modified, ${counts.delete} deleted`)
const image = await store.commit(container, 'demo:changed', { message: 'the demonstration' })
const top = image.layers.at(-1)
step(`committed a layer of ${mib(top.descriptor.size)}: ${image.digest}`)
await container.close()

// ── out
for (const target of ['docker-archive', 'oci-archive']) {
  const file = join(work, `${target}.tar`)
  const sink = await openSink(`${target}:${file}`)
  await sink.write(image, 'demo:changed')
  await sink[Symbol.asyncDispose]()
  step(`saved as ${target}: ${mib(statSync(file).size)}`)
}
const exported = join(work, 'exported.tar')
const merged = await store.tree('demo:changed')
await pipeline(exportTree(merged), createWriteStream(exported))
merged.close()
step(`exported the tree as one tar: ${mib(statSync(exported).size)}`)

// ── check
for (const target of ['docker-archive', 'oci-archive']) {
  const again = await openStore(join(work, `again-${target}`))
  await copy(await openSource(`${target}:${join(work, `${target}.tar`)}`), again, { as: 'demo:again' })
  const back = await again.image('demo:again')
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b)
  check(
    `${target}: config and every layer digest come back as they were`,
    same(back.config.rootfs, image.config.rootfs) && same(back.manifest.config.digest, image.manifest.config.digest),
  )
  if (target === 'oci-archive') check('oci-archive: so does the manifest digest', back.digest === image.digest)
}
const expected = join(work, 'expected')
const actual = join(work, 'actual')
mkdirSync(expected)
mkdirSync(actual)
applyLayers(layersOf(archive, join(work, 'source')).layers, expected)
edit({ ...(await import('node:fs')) }, expected)
untar(exported, actual)
const left = entriesOf(expected)
const right = entriesOf(actual)
const differences = [...new Set([...left.keys(), ...right.keys()])].filter((path) => left.get(path) !== right.get(path))
for (const path of differences.slice(0, 10))
  console.log(`           ${path}\n             GNU tar: ${left.get(path)}\n             plyfs:   ${right.get(path)}`)
check(
  `the exported tree equals what GNU tar makes of the same layers and changes, entry by entry: ${left.size} entries, ${differences.length} differences`,
  differences.length === 0,
)
step('checked')
await store[Symbol.asyncDispose]()

/** Everything that tar can carry about every path below a directory: one line an entry. Names are bytes, as latin1. */
function entriesOf(directory) {
  const found = new Map()
  const inodes = new Map()
  const visit = (path) => {
    const at = Buffer.from(path === '' ? directory : `${directory}/${path}`, 'latin1')
    const stat = lstatSync(at, { bigint: true })
    const owner = root ? `${stat.uid}:${stat.gid}` : ''
    // A directory's time depends on the order in which its content was written; symlinks cannot be given one everywhere.
    const time = stat.isFile() ? floorSeconds(stat.mtimeNs) : ''
    const content = stat.isFile()
      ? createHash('sha256').update(readFileSync(at)).digest('hex')
      : stat.isSymbolicLink()
        ? readlinkSync(at, 'latin1')
        : ''
    const linked = stat.nlink > 1n && !stat.isDirectory()
    if (linked && !inodes.has(stat.ino)) inodes.set(stat.ino, path)
    const size = stat.isFile() ? stat.size : ''
    const line = [stat.mode.toString(8), owner, size, time, stat.rdev, content, linked ? inodes.get(stat.ino) : '']
    if (path !== '') found.set(path, line.join(' '))
    if (stat.isDirectory())
      for (const name of readdirSync(at, 'latin1').sort()) visit(path === '' ? name : `${path}/${name}`)
  }
  visit('')
  return found
}

function floorSeconds(nanoseconds) {
  return (nanoseconds - (((nanoseconds % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n)) / 1_000_000_000n
}
