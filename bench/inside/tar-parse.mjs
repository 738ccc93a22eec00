// Entries of a tar read per second of CPU. tar-parse.mjs plyfs|tar-stream FILE
//
// Both engines read the same file in the same chunks, and that counts: `reading` says how much of it is no work of theirs.
// Both check and decode every header and pass over all content; both have to find as many entries, and as many bytes in
// them. tar-stream is used in the way its documentation shows, which takes less than its async iterator does
// (docs/decisions/tar-speed.md).
import { createReadStream } from 'node:fs'
import { cpuSeconds } from './cpu.mjs'

const [engine, file] = process.argv.slice(2)
const source = () => createReadStream(file, { highWaterMark: 1 << 20 })
let entries = 0
let bytes = 0

async function plyfs() {
  const { TarReader } = await import('../../.modules/tar/index.js')
  const reader = new TarReader({
    member({ size }) {
      entries++
      bytes += size
    },
  })
  for await (const chunk of source()) reader.push(chunk)
  reader.end()
}

async function tarStream() {
  const { extract } = await import('tar-stream')
  const reader = extract()
  const done = new Promise((resolve, reject) => reader.on('finish', resolve).on('error', reject))
  reader.on('entry', ({ size }, content, next) => {
    entries++
    bytes += size
    content.on('end', next)
    content.resume()
  })
  source().pipe(reader)
  await done
}

async function nothing() {
  for await (const _ of source());
}

/** The best of five, after one to warm up. */
async function secondsOf(run) {
  await run()
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < 5; round++) {
    entries = 0
    bytes = 0
    const from = cpuSeconds()
    await run()
    best = Math.min(best, cpuSeconds() - from)
  }
  return best
}

const reading = await secondsOf(nothing)
const seconds = await secondsOf(engine === 'plyfs' ? plyfs : tarStream)
console.log(JSON.stringify({ entries, bytes, reading, seconds, rate: entries / seconds }))
