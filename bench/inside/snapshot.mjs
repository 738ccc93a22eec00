// Snapshots and clones of a container with many changed files and much data, and of an empty one. snapshot.mjs STORE FORM FILES GIB [DEEPEST]
//
// The store is closed and opened in between, so that what is measured is what a command does without its start; and once more while the
// container is open.
import { performance } from 'node:perf_hooks'
import { openStore } from '../../dist/index.js'
import { fewFiles } from './few-files.mjs'

const [root, upperForm, files, gibibytes, deepest = '100'] = process.argv.slice(2)
const image = 'few'
const rounds = 9
const store = await openStore(root, { upperForm })
const { containers } = store
await fewFiles(store, image, 10)
const spent = async (work) => {
  const from = performance.now()
  await work()
  return performance.now() - from
}
const median = (times) => times.toSorted((a, b) => a - b)[times.length >> 1]

for (const [name, count, size] of [
  ['empty', 0, 0],
  ['full', Number(files), Number(gibibytes)],
]) {
  const container = await containers.create(name, image)
  const { fs } = container
  for (let i = 0; i < count; i++) {
    if (i % 1000 === 0) fs.mkdirSync(`/changed-${i / 1000}`)
    fs.writeFileSync(`/changed-${Math.floor(i / 1000)}/file-${i % 1000}`, `content of ${i}\n`)
  }
  for (let i = 0; i < size; i++) {
    const writer = container.tree.writer(
      container.tree.create(container.tree.root, `data-${i}`, { kind: 'file', mode: 0o644, uid: 0, gid: 0, mtime: 0n }),
    )
    // Half of it takes room on the disk, the other half is holes.
    if (i % 2 === 0) writer.allocate('extend', 0, 2 ** 30)
    else writer.truncate(2 ** 30)
    writer.close()
  }
  await container.close()
}

const measured = {}
// In turns, so that both meet the same machine.
const names = ['empty', 'full']
const times = Object.fromEntries(names.map((name) => [name, { snapshot: [], clone: [], open: [] }]))
for (let round = 0; round < rounds; round++) {
  for (const name of names) {
    times[name].snapshot.push(await spent(() => containers.snapshot(name, `s-${round}`)))
    times[name].clone.push(await spent(() => containers.clone(name, `${name}-${round}`)))
    await containers.rollback(name, 's-0')
    await containers.remove(`${name}-${round}`)
  }
}
for (const name of names) {
  for (let round = 0; round < rounds; round++) {
    const container = await containers.open(name)
    container.fs.writeFileSync('/one', String(round))
    container.tree.sync()
    times[name].open.push(await spent(() => container.snapshot(`o-${round}`)))
    await container.close()
    await containers.rollback(name, 's-0')
  }
}
for (const name of names)
  measured[name] = Object.fromEntries(Object.entries(times[name]).map(([what, all]) => [what, median(all)]))

// How much a chain costs: opening, and the first and the next lookup of a name that only the image has.
const depths = {}
let depth = 0
await containers.clone('empty@s-0', 'deep')
for (const wanted of [1, 10, 100].filter((one) => one <= Number(deepest))) {
  for (; depth < wanted; depth++) {
    const container = await containers.open('deep')
    container.fs.writeFileSync(`/at-${depth}`, 'x')
    await container.snapshot()
    await container.close()
  }
  let container
  const open = await spent(async () => {
    container = await containers.open('deep', { readOnly: true })
  })
  const { fs, tree } = container
  const first = await spent(() => fs.readdirSync('/'))
  const lookups = 20_000
  const [entry] = tree.list(tree.root)
  const lookup = await spent(() => {
    for (let i = 0; i < lookups; i++) tree.lookup(tree.root, entry.name)
  })
  depths[wanted] = { open, first, lookup: (lookup * 1000) / lookups }
  await container.close()
}
for (const name of [...names, 'deep']) await containers.remove(name)
await store.collect()
console.log(JSON.stringify({ ...measured, depths }))
