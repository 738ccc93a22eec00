// Makes a container of an image, changes ten of its files and removes ten. change.mjs STORE IMAGE CONTAINER
import { openStore } from '../../dist/index.js'
import { lowerFiles } from './lower-files.mjs'

const [root, image, name] = process.argv.slice(2)
const store = await openStore(root)
const container = await store.containers.create(name, image)
const files = lowerFiles(container.fs, 20)
for (const path of files.splice(10)) await container.fs.promises.unlink(path)
for (const path of files) await container.fs.promises.appendFile(path, 'changed\n')
await container.close()
