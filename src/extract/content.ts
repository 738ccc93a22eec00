import { fstatSync, ftruncateSync, writeSync } from 'node:fs'
import { codeOf, PlyError } from '../model/errors.ts'
import type { Pace } from '../model/pace.ts'
import { type Bytes, dataRuns } from '../stream/bytes.ts'
import type { Disk } from '../sys/disk.ts'

/** Zeros that are not written: a block of any file system that matters (layer-semantics S-06). */
const block = 4096
const chunk = 1 << 20
/** What is copied in one call, at most about this much: between two calls others get their turn. */
const longestRun = 16 << 20
const zeros = Buffer.alloc(block)

/** Writes contents into fresh files; runs of zeros become holes. */
export class ContentCopy {
  readonly #copy: Disk['copy']
  readonly #buffer = Buffer.allocUnsafeSlow(chunk)

  constructor(copy: Disk['copy']) {
    this.#copy = copy
  }

  /**
   * Fills an empty file.
   *
   * @throws EIO if the content is shorter than its size says; ENOSPC; PLY_ABORTED
   */
  async fill(fd: number, content: Bytes, pace: Pace): Promise<void> {
    const { size } = content
    const extent = size > chunk ? realExtent(content) : undefined
    // Of a large file runs go over chunks, so that one copy in the kernel does as much as it can.
    let start = 0
    let end = 0
    const copyRun = () => {
      if (extent && end > start)
        this.#copy({ fd: extent.fd, offset: extent.offset + start }, { fd, offset: start }, end - start)
    }
    for (const { part, position } of this.#parts(content)) {
      for (const { from, to } of filledRuns(part)) {
        if (!extent) writeAll(fd, part.subarray(from, to), position + from)
        else if (position + from !== end || end - start >= longestRun) {
          copyRun()
          start = position + from
        }
        end = position + to
      }
      if (pace.due(part.length < chunk ? 1 : 64)) await pace.rest()
    }
    copyRun()
    if (end < size) ftruncateSync(fd, size)
  }

  /** Bytes of a content that will take room on a disk. */
  async weigh(content: Bytes, pace: Pace): Promise<number> {
    let weight = 0
    for (const { part } of this.#parts(content)) {
      for (const { from, to } of filledRuns(part)) weight += to - from
      if (pace.due(64)) await pace.rest()
    }
    return weight
  }

  /** What of a content may be more than zeros, in chunks that begin at whole blocks. Known holes are not read. */
  *#parts(content: Bytes): Iterable<{ readonly part: Buffer; readonly position: number }> {
    for (const { start, end } of dataRuns(content, block)) {
      for (let position = start; position < end; position += chunk) {
        const part = this.#buffer.subarray(0, Math.min(chunk, end - position))
        if (content.read(part, position) !== part.length) throw new PlyError('EIO', { syscall: 'read' })
        yield { part, position }
      }
    }
  }
}

/** Where a content lies on this disk. A descriptor of a disk in memory means nothing here. */
function realExtent({ extent, size }: Bytes): Bytes['extent'] {
  if (!extent) return undefined
  try {
    return fstatSync(extent.fd).size >= extent.offset + size ? extent : undefined
  } catch (error) {
    if (codeOf(error) !== 'EBADF') throw error
    return undefined
  }
}

function writeAll(fd: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, position + done)
}

/** The parts of a chunk that are more than whole blocks of zeros. The chunk starts at a block of its file. */
function* filledRuns(part: Buffer): Iterable<{ readonly from: number; readonly to: number }> {
  let from = -1
  for (let at = 0; at < part.length; at += block) {
    const length = Math.min(block, part.length - at)
    const empty = length === block && part[at] === 0 && part.compare(zeros, 0, block, at, at + block) === 0
    if (!empty && from < 0) from = at
    else if (empty && from >= 0) {
      yield { from, to: at }
      from = -1
    }
  }
  if (from >= 0) yield { from, to: part.length }
}
