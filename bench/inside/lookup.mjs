// A stack of N layers, folded: opening, random lookups, a walk. lookup.mjs LAYERS DIRECTORY
import { performance } from 'node:perf_hooks'
import { append, configure, layerFrom, openStore, scratch } from '../../dist/index.js'

const [layers, directory] = process.argv.slice(2)
const files = 40_000
const root = `${directory}/lookup-${layers}`
const store = await openStore(root)
const name = 'stack:latest'
if (!(await store.images()).some((image) => image.name === name)) {
  // The same tree whatever the number of layers: its files come in as many layers as there are.
  let image = scratch
  const each = Math.ceil(files / layers)
  for (let layer = 0; layer < layers; layer++) {
    const spec = {}
    for (let i = layer * each; i < Math.min(files, (layer + 1) * each); i++) spec[pathOf(i)] = `content ${i}`
    image = append(image, layerFrom(spec))
  }
  await store.write(configure(image, {}), name)
  // A container stands on the folded tree: from here on it is there.
  const container = await store.containers.create('stand', name)
  await container[Symbol.asyncDispose]()
}

function pathOf(i) {
  return `/usr/share/d${i % 97}/e${i % 389}/file-number-${i}`
}

const opening = []
for (let i = 0; i < 5; i++) {
  const from = performance.now()
  const opened = await store.tree(name)
  opened.lookup(opened.root, 'usr')
  opening.push(performance.now() - from)
  opened.close()
}
const tree = await store.tree(name)
const paths = Array.from({ length: 20_000 }, (_, i) =>
  pathOf((i * 7919) % files)
    .slice(1)
    .split('/'),
)
const find = (names) => {
  let at = tree.root
  for (const part of names) at = tree.lookup(at, part)
  return at
}
for (const names of paths) if (find(names) === undefined) throw new Error(names.join('/'))
let from = performance.now()
for (let round = 0; round < 5; round++) for (const names of paths) find(names)
const lookup = ((performance.now() - from) * 1000) / (5 * paths.length)

let entries = 0
const walk = () => {
  entries = 0
  const todo = [tree.root]
  for (let at = todo.pop(); at !== undefined; at = todo.pop()) {
    for (const { ino, kind } of tree.list(at)) {
      entries++
      if (kind === 'directory') todo.push(ino)
    }
  }
}
walk()
from = performance.now()
for (let round = 0; round < 5; round++) walk()
const walked = ((performance.now() - from) * 1000) / (5 * entries)
console.log(
  JSON.stringify({ layers: Number(layers), lookup, walked, entries, opening: opening.sort((a, b) => a - b)[2] }),
)
