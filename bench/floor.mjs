// What a Node process alone needs to move the bytes of layers: the floors that the benchmarks compare with.
//
//   floor.mjs sha256 FILE...          SHA-256 of each file
//   floor.mjs gunzip-sha256 FILE...   gunzip, SHA-256 of both sides
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { createGunzip } from 'node:zlib'

const [mode, ...files] = process.argv.slice(2)
const chunk = 1 << 20

async function drain(stream, hash) {
  for await (const piece of stream) hash.update(piece)
  return hash.digest('hex')
}

for (const file of files) {
  const source = createReadStream(file, { highWaterMark: chunk })
  if (mode === 'sha256') console.log(await drain(source, createHash('sha256')))
  else if (mode === 'gunzip-sha256') {
    const blob = createHash('sha256')
    source.on('data', (piece) => blob.update(piece))
    console.log(await drain(source.pipe(createGunzip({ chunkSize: chunk })), createHash('sha256')), blob.digest('hex'))
  } else throw new Error(`no floor ${mode}`)
}
