// A change of 20 files, committed through the library. commit.mjs STORE IMAGE
import { performance } from 'node:perf_hooks'
import { openStore } from '../../dist/index.js'

const [root, image] = process.argv.slice(2)
const store = await openStore(root)
const times = []
for (let round = 0; round < 7; round++) {
  const container = await store.containers.create(`bench-${round}`, image)
  for (let i = 0; i < 10; i++) await container.fs.promises.writeFile(`/new-file-${i}`, `round ${round}, file ${i}\n`)
  const files = (await container.fs.promises.readdir('/etc')).filter((name) =>
    container.fs.lstatSync(`/etc/${name}`).isFile(),
  )
  for (const name of files.slice(0, 10)) await container.fs.promises.appendFile(`/etc/${name}`, `changed ${round}\n`)
  const from = performance.now()
  await store.commit(container, `bench-commit:${round}`)
  times.push(performance.now() - from)
  await container[Symbol.asyncDispose]()
  await store.containers.remove(`bench-${round}`)
}
times.sort((a, b) => a - b)
console.log(JSON.stringify({ milliseconds: times[3] }))
