import { Pace } from '../model/pace.ts'
import type { ByteSink } from '../stream/bytes.ts'
import type { WriteOptions } from './builder.ts'
import type { IndexContent } from './content.ts'
import { encodeBlock, packNames } from './dirents.ts'
import { encodeInode } from './inode.ts'
import { type Layout, layOut, maxTail, tailOf, wholeBlocks } from './layout.ts'
import { PageOutput } from './page-output.ts'
import { blockSize, encodeSuperblock, indexUuid } from './superblock.ts'
import { writeTrailer } from './trailer-writer.ts'
import { type Walk, walkContent } from './walk.ts'
import { encodeXattr, storedSize } from './xattr-sets.ts'

/** Writes what a builder collected, front to back. */
export async function writeIndex(content: IndexContent, into: ByteSink, options: WriteOptions): Promise<void> {
  const pace = new Pace(options.signal)
  const { devices } = options
  const walk = await walkContent(content, pace)
  const layout = await layOut(content, walk, devices.length, pace)
  const output = new PageOutput(into)
  const head = encodeSuperblock({
    rootNid: layout.nid[content.root]!,
    inodes: walk.order.length,
    blocks: layout.size / blockSize,
    uuid: indexUuid(options.uuidSeed),
    devices,
  })
  await put(output, 0, head.length, (buffer, at) => void head.copy(buffer, at))
  await writeInodes(content, walk, layout, output, devices.length, pace)
  await writeBlocks(content, walk, layout, output, pace)
  await put(output, layout.size, layout.size, () => {})
  await writeTrailer(content, walk, layout, output, into, options, pace)
}

/** Has `fill` write the bytes of the image from `start` to `end`, where the buffer is zero. */
export async function put(
  output: PageOutput,
  start: number,
  end: number,
  fill: (buffer: Buffer, at: number) => void,
): Promise<void> {
  if (!output.fits(end)) await output.flush(end)
  const at = output.take(start, end)
  fill(output.buffer, at)
}

async function writeInodes(
  content: IndexContent,
  walk: Walk,
  layout: Layout,
  output: PageOutput,
  devices: number,
  pace: Pace,
) {
  const { columns } = content
  for (let i = 0; i < walk.order.length; i++) {
    const id = walk.order[i]!
    const start = layout.nid[id]! * 32
    const tail = tailOf(content, walk, id)
    const area = layout.xattrs.sizeOf(columns.xattrs[id]!)
    const end = start + 64 + area + (tail <= maxTail ? tail : 0) + 16
    // Inline: a promise for each of millions of inodes would cost more than the inode.
    if (!output.fits(end)) await output.flush(end)
    const used = encodeInode(content, walk, layout, id, devices, output, output.take(start, start))
    output.take(start, start + used)
    if (i === 0) await writeShared(layout, output)
    if (pace.due()) await pace.rest()
  }
}

async function writeShared(layout: Layout, output: PageOutput): Promise<void> {
  for (const { id, xattr } of layout.xattrs.shared) {
    await put(output, id * 4, id * 4 + storedSize(xattr), (buffer, at) => void encodeXattr(buffer, at, xattr))
  }
}

async function writeBlocks(content: IndexContent, walk: Walk, layout: Layout, output: PageOutput, pace: Pace) {
  const { columns, targets } = content
  for (let i = 0; i < walk.order.length; i++) {
    const id = walk.order[i]!
    if (pace.due()) await pace.rest()
    const blocks = wholeBlocks(content, walk, id)
    if (blocks === 0) continue
    const start = layout.block[id]! * blockSize
    if (columns.kind(id) === 'symlink') {
      const target = targets.get(id)!
      await put(output, start, start + blocks * blockSize, (buffer, at) => void buffer.write(target, at, 'latin1'))
      continue
    }
    const ranges: number[] = []
    packNames(walk.names, walk.start[id]!, walk.end[id]!, (from, to) => void ranges.push(from, to))
    for (let block = 0; block < blocks; block++) {
      const at = start + block * blockSize
      if (!output.fits(at + blockSize)) await output.flush(at + blockSize)
      const place = output.take(at, at + blockSize)
      const [from, to] = [ranges[2 * block]!, ranges[2 * block + 1]!]
      encodeBlock(output.buffer, output.view, place, walk, from, to, layout.nid, columns.mode)
      if (pace.due(16)) await pace.rest()
    }
  }
}
