// Questions to images of a store that is open, in one process: looking.mjs STORE ls|du|blame|diff IMAGE [IMAGE2]
//
// What earlier comparisons have left in the store is removed first. Each time the trees are opened, asked and closed, and the answer is made into the lines that the command prints, which are kept. Prints
// what the first two answers took, and the medians of those after the first, in milliseconds.
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { blameBelow, diff, openLayers, openStore, openTree, treeUsage, walkTree } from '../../dist/index.js'
import { measured } from './cpu.mjs'

const [root, question, ...images] = process.argv.slice(2)
const layers = join(root, 'cache/layers')
for (const file of readdirSync(layers)) if (file.endsWith('.sums')) rmSync(join(layers, file))
const store = await openStore(root)

const questions = {
  async ls([image]) {
    const tree = await openTree(image, { store })
    let text = ''
    for (const { path, ino } of walkTree(tree)) {
      const { mode, kind, links, uid, gid, size, mtime } = tree.stat(ino)
      const target = kind === 'symlink' ? tree.readlink(ino) : ''
      text += `${mode} ${kind} ${links} ${uid} ${gid} ${size} ${mtime} /${path} ${target}\n`
    }
    tree.close()
    return text
  },
  async du([image]) {
    const tree = await openTree(image, { store })
    let text = ''
    for (const { path, stored } of treeUsage(tree)) text += `${stored / 1024}\t/${path}\n`
    tree.close()
    return text
  },
  async blame([image]) {
    const stack = await openLayers(image, { store })
    let text = ''
    for await (const { bytes, steps } of blameBelow(stack, '')) text += `${steps.at(-1).layer} /${bytes}\n`
    stack.close()
    return text
  },
  async diff([one, other]) {
    const [before, after] = [await openTree(one, { store }), await openTree(other, { store })]
    let text = ''
    for await (const { kind, bytes } of diff(before, after)) text += `${kind} /${bytes}\n`
    before.close()
    after.close()
    return text
  },
}

const result = await measured(() => questions[question](images), 15)
await store[Symbol.asyncDispose]()
console.log(JSON.stringify(result))
