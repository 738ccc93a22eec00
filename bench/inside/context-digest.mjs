// What a COPY of a whole context asks of it, by what the store remembers of files: context-digest.mjs STORE DIRECTORY
import { copyInto } from '../../.modules/build/copy/copy.js'
import { Draft } from '../../.modules/build/copy/draft.js'
import { draftDigest } from '../../.modules/build/copy/draft-digest.js'
import { contextTree, memoryUpper, openStore, union } from '../../dist/index.js'

const [root, directory] = process.argv.slice(2)
const begun = performance.now()
const store = await openStore(root)
const tree = contextTree(directory, { digests: store.fileDigests })
const draft = new Draft(union([], memoryUpper()))
const everything = [{ path: '', ino: tree.root }]
await copyInto(draft, tree, everything, { path: '/', isDirectory: true }, { time: { at: 0n, always: true } })
const digest = await draftDigest(draft)
tree.close()
await store[Symbol.asyncDispose]()
console.log(JSON.stringify({ digest, ms: performance.now() - begun }))
