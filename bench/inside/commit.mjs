// A change of 20 files, committed through the library. commit.mjs STORE IMAGE
import { performance } from 'node:perf_hooks'
import { openStore } from '../../dist/index.js'

const [root, image] = process.argv.slice(2)
const store = await openStore(root)
const times = []
for (let round = 0; round < 7; round++) {
  const container = await store.containers.create(`bench-${round}`, image)
  for (let i = 0; i < 10; i++) await container.fs.promises.writeFile(`/new-file-${i}`, `round ${round}, file ${i}\n`)
  for (const path of lowerFiles(container.fs, 10)) await container.fs.promises.appendFile(path, `changed ${round}\n`)
  const from = performance.now()
  await store.commit(container, `bench-commit:${round}`)
  times.push(performance.now() - from)
  await container[Symbol.asyncDispose]()
  await store.containers.remove(`bench-${round}`)
}
times.sort((a, b) => a - b)
console.log(JSON.stringify({ milliseconds: times[3] }))

/** The first files of the image, breadth first. */
function lowerFiles(fs, count) {
  const files = []
  const directories = ['/']
  for (
    let directory = directories.shift();
    directory !== undefined && files.length < count;
    directory = directories.shift()
  ) {
    for (const entry of fs.readdirSync(directory, { withFileTypes: true })) {
      const path = `${directory === '/' ? '' : directory}/${entry.name}`
      if (entry.isDirectory()) directories.push(path)
      else if (entry.isFile() && entry.name.startsWith('new-file') === false && files.length < count) files.push(path)
    }
  }
  return files
}
