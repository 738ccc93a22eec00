import { bytesOf } from '../model/bytes.ts'
import type { Pace } from '../model/pace.ts'
import type { ByteSink } from '../stream/bytes.ts'
import type { WriteOptions } from './builder.ts'
import type { IndexContent } from './content.ts'
import type { Device, SpillSegments } from './format.ts'
import { type Layout, roundUp } from './layout.ts'
import { findOverlayData } from './overlay-data.ts'
import type { PageOutput } from './page-output.ts'
import { encodeFooter, factSize, linkHeaderSize, segmentSize } from './trailer.ts'
import type { Walk } from './walk.ts'
import { put } from './writer.ts'

/** Writes the private trailer behind the image (docs/index-format.md, "Trailer"). */
export async function writeTrailer(
  content: IndexContent,
  walk: Walk,
  layout: Layout,
  output: PageOutput,
  sink: ByteSink,
  { devices, tarPages, segments }: WriteOptions,
  pace: Pace,
): Promise<void> {
  await writeSizes(output, devices)
  const facts = output.position
  await writeFacts(content, walk, layout, output, pace)
  const links = output.position
  const linkCount = await writeLinks(content, walk, layout, output)
  const tarAt = output.position
  await writeNumbers(output, tarPages ?? new Uint32Array(0))
  if (segments !== undefined) await writeSegments(output, segments, pace)
  const pages = output.position
  await output.end()
  const sums = Buffer.alloc(output.sums.length * 4)
  output.sums.forEach((sum, number) => void sums.writeUInt32LE(sum, number * 4))
  const overlayData = findOverlayData(content, walk.order)
  const factCount = walk.order.length
  const footer = encodeFooter({ facts, factCount, links, linkCount, tarPages: tarAt, pages, overlayData }, sums)
  await sink.write(Buffer.concat([sums, footer]))
}

async function writeFacts({ columns }: IndexContent, walk: Walk, layout: Layout, output: PageOutput, pace: Pace) {
  for (let i = 0; i < walk.order.length; i++) {
    const id = walk.order[i]!
    const start = output.position
    if (!output.fits(start + factSize)) await output.flush(start + factSize)
    const at = output.take(start, start + factSize)
    const { view } = output
    view.setUint32(at, layout.nid[id]!, true)
    view.setUint8(at + 4, columns.flags[id]!)
    view.setUint16(at + 6, columns.layer[id]!, true)
    const header = columns.header[id]!
    view.setUint32(at + 8, header < 0 ? 0xffffffff : header, true)
    view.setUint32(at + 12, header < 0 ? 0xffffffff : header / 2 ** 32, true)
    if (pace.due()) await pace.rest()
  }
}

/** Writes the external links of reachable directories, by directory and name; returns how many. */
async function writeLinks({ links }: IndexContent, walk: Walk, layout: Layout, output: PageOutput): Promise<number> {
  let count = 0
  if (links.size === 0) return 0
  for (const directory of walk.order) {
    const own = links.get(directory)
    if (!own) continue
    for (const name of [...own.keys()].sort()) {
      const path = own.get(name)!
      const start = output.position
      const end = start + linkHeaderSize + roundUp(name.length + path.length, 4)
      await put(output, start, end, (buffer, at) => {
        buffer.writeUInt32LE(layout.nid[directory]!, at)
        buffer.writeUInt32LE(name.length, at + 4)
        buffer.writeUInt32LE(path.length, at + 8)
        bytesOf(name + path).copy(buffer, at + linkHeaderSize)
      })
      count++
    }
  }
  return count
}

async function writeSizes(output: PageOutput, devices: readonly Device[]): Promise<void> {
  const start = output.position
  await put(output, start, start + devices.length * 8, (buffer, at) => {
    for (const { size } of devices) at = buffer.writeBigUInt64LE(BigInt(size), at)
  })
}

async function writeNumbers(output: PageOutput, numbers: Uint32Array): Promise<void> {
  for (let from = 0; from < numbers.length; from += 4096) {
    const part = numbers.subarray(from, from + 4096)
    const start = output.position
    await put(output, start, start + part.length * 4, (buffer, at) => {
      for (let i = 0; i < part.length; i++) buffer.writeUInt32LE(part[i]!, at + i * 4)
    })
  }
}

async function writeSegments(
  output: PageOutput,
  { count, spill, tar, length }: SpillSegments,
  pace: Pace,
): Promise<void> {
  for (let row = 0; row < count; row++) {
    const start = output.position
    if (!output.fits(start + segmentSize)) await output.flush(start + segmentSize)
    const at = output.take(start, start + segmentSize)
    writeU64(output.buffer, spill[row]!, at)
    writeU64(output.buffer, tar[row]!, at + 8)
    writeU64(output.buffer, length[row]!, at + 16)
    if (pace.due()) await pace.rest()
  }
}

function writeU64(buffer: Buffer, value: number, at: number): void {
  buffer.writeUInt32LE(value % 2 ** 32, at)
  buffer.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4)
}
