// A change of 20 files, committed through the library: 10 new and 10 changed ones, or 10 changed and 10 removed ones.
// commit.mjs STORE IMAGE [removing]; the image `few` is made here, of twenty files.
import { performance } from 'node:perf_hooks'
import { openStore } from '../../dist/index.js'
import { fewFiles } from './few-files.mjs'
import { lowerFiles } from './lower-files.mjs'

const [root, image, removing] = process.argv.slice(2)
const store = await openStore(root)
if (image === 'few') await fewFiles(store, image, 20)
const times = []
for (let round = 0; round < 7; round++) {
  const container = await store.containers.create(`bench-${round}`, image)
  const lower = lowerFiles(container.fs, removing ? 20 : 10)
  if (removing) for (const path of lower.splice(10)) await container.fs.promises.unlink(path)
  else
    for (let i = 0; i < 10; i++) await container.fs.promises.writeFile(`/new-file-${i}`, `round ${round}, file ${i}\n`)
  for (const path of lower) await container.fs.promises.appendFile(path, `changed ${round}\n`)
  const from = performance.now()
  await store.commit(container, `bench-commit:${round}`)
  times.push(performance.now() - from)
  await container[Symbol.asyncDispose]()
  await store.containers.remove(`bench-${round}`)
}
times.sort((a, b) => a - b)
console.log(JSON.stringify({ milliseconds: times[3] }))
