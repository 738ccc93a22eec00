// An image of a few files, put into a store.
import { append, layerFrom, scratch } from '../../dist/index.js'

export async function fewFiles(store, name, count) {
  const files = Object.fromEntries(Array.from({ length: count }, (_, i) => [`/file-${i}`, `content of ${i}\n`]))
  await store.write(append(scratch, layerFrom(files), { created: '2024-01-01T00:00:00Z' }), name)
}
