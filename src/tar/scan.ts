import { MemberAssembler, place } from './assembler.ts'
import { Blocks } from './blocks.ts'
import { blockSize, padded } from './header.ts'
import { badLayer, type Member } from './member.ts'
import type { TarOptions } from './reader.ts'

/** Archives of small members are read in runs; over large ones only their headers are. */
const windowSize = 1 << 14

/** An archive that can be read at any position, in bytes: the part of `Bytes` that a scan needs. */
export interface ArchiveBytes {
  readonly size: number
  /** Fills `into` from `position`; returns how many bytes were there (fewer only at the end). */
  read(into: Uint8Array, position: number): number
}

/**
 * The members of an archive at rest, in order, seeking over their content. What comes after the end marker is not
 * looked at. Stopping early reads no further.
 *
 * @throws PLY_BAD_LAYER with the rule that is broken, PLY_BUDGET for sparse maps that are too long.
 */
export function* scanTar(
  archive: ArchiveBytes,
  { sparseEntries }: TarOptions = {},
): Generator<Member, void, undefined> {
  const assembler = new MemberAssembler(() => {}, sparseEntries)
  const window = new Window(archive)
  let position = 0
  while (position + blockSize <= archive.size) {
    const at = window.reach(position, blockSize)
    const taken = assembler.block(window.blocks, at, position)
    position += blockSize
    if (taken === 'end') {
      assembler.end(position)
      return
    }
    if (taken === 'skip') continue
    const { payload } = assembler
    if (payload > archive.size - position) {
      throw badLayer(place(archive.size), 'Z-04', 'the archive ends inside the content of an entry')
    }
    if (taken === 'member') yield assembler.member!
    else assembler.extended(window.run(position, payload))
    position += padded(payload)
    if (position > archive.size) position = archive.size
  }
  if (position !== archive.size && archive.size - position < blockSize) {
    throw badLayer(place(archive.size), 'Z-04', 'the archive ends inside a header')
  }
  assembler.end(position)
}

class Window {
  readonly blocks = new Blocks(Buffer.allocUnsafe(windowSize))
  readonly #archive: ArchiveBytes
  #start = 0
  #size = 0

  constructor(archive: ArchiveBytes) {
    this.#archive = archive
  }

  /** Where in `buffer` the `size` bytes from `position` stand. */
  reach(position: number, size: number): number {
    if (position < this.#start || position + size > this.#start + this.#size) {
      this.#start = position
      this.#size = fill(this.#archive, this.blocks.buffer, position)
      if (this.#size < size) throw badLayer(place(position), 'Z-04', 'the archive is shorter than its size says')
    }
    return position - this.#start
  }

  /** The `size` bytes from `position`, however many. */
  run(position: number, size: number): Buffer {
    if (size <= windowSize) {
      const at = this.reach(position, size)
      return this.blocks.buffer.subarray(at, at + size)
    }
    const whole = Buffer.allocUnsafe(size)
    if (fill(this.#archive, whole, position) < size) {
      throw badLayer(place(position), 'Z-04', 'the archive is shorter than its size says')
    }
    return whole
  }
}

/** Reads until the buffer is full or the bytes are at their end. */
function fill(archive: ArchiveBytes, into: Buffer, position: number): number {
  let got = 0
  while (got < into.length) {
    const step = archive.read(into.subarray(got), position + got)
    if (step === 0) break
    got += step
  }
  return got
}
