// Whether an image in a store is whole: lists every path and reads some files. check-tree.mjs STORE IMAGE SAMPLE
//
// SAMPLE is JSON: { entries, files: [[path, sha256], …] }, made by another program from the same image.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { openStore } from '../../dist/index.js'

const [root, image, sample] = process.argv.slice(2)
const { entries, files } = JSON.parse(readFileSync(sample, 'utf8'))
const store = await openStore(root, { readOnly: true })
const tree = await store.tree(image)
let seen = 0
const todo = [tree.root]
for (let at = todo.pop(); at !== undefined; at = todo.pop()) {
  for (const { ino, kind } of tree.list(at)) {
    seen++
    if (kind === 'directory') todo.push(ino)
  }
}
if (seen !== entries) throw new Error(`${seen} entries, not ${entries}`)
for (const [path, digest] of files) {
  let ino = tree.root
  for (const name of path.split('/')) ino = tree.lookup(ino, name)
  const content = tree.open(ino)
  const buffer = Buffer.alloc(content.size)
  content.read(buffer, 0)
  content.close()
  if (createHash('sha256').update(buffer).digest('hex') !== digest) throw new Error(`${path} is not what it was`)
}
console.log(`${seen} entries, ${files.length} files right`)
