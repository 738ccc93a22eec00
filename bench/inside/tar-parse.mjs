// Entries of a tar read per second of CPU. tar-parse.mjs plyfs|tar-stream FILE
import { createReadStream } from 'node:fs'
import { cpuSeconds } from './cpu.mjs'

const [engine, file] = process.argv.slice(2)
const source = () => createReadStream(file, { highWaterMark: 1 << 20 })
let entries = 0

async function plyfs() {
  const { TarReader } = await import('../../.modules/tar/index.js')
  const reader = new TarReader({ member: () => void entries++ })
  for await (const chunk of source()) reader.push(chunk)
  reader.end()
}

async function tarStream() {
  const { extract } = await import('tar-stream')
  const reader = extract()
  source().pipe(reader)
  for await (const entry of reader) {
    entries++
    entry.resume()
  }
}

const run = engine === 'plyfs' ? plyfs : tarStream
await run()
entries = 0
const from = cpuSeconds()
await run()
const seconds = cpuSeconds() - from
console.log(JSON.stringify({ entries, seconds, rate: entries / seconds }))
