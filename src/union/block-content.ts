import { codeOf, PlyError } from '../model/errors.ts'
import type { Bytes, Run } from '../stream/bytes.ts'
import type { BlockMap } from './block-map.ts'
import { type Allocation, largestFile, type WritableBytes } from './upper.ts'

/**
 * The content of a file of which only some blocks were copied up: those that the map has are in `data`, at the very positions that
 * they have in the file; of the rest `below` shows, as far as the map says, and zeros behind that.
 *
 * A block comes whole: its data is written before the map says that it is there. All handles on a file share one of these.
 */
export class BlockContent {
  readonly #below: Bytes
  readonly #map: BlockMap
  readonly #data: WritableBytes

  /** @throws EIO if there is less below than shows of it */
  constructor(below: Bytes, map: BlockMap, data: WritableBytes) {
    if (below.size < map.below)
      throw new PlyError('EIO', { syscall: 'open' }, { cause: new Error('the content below is shorter than it was') })
    this.#below = below
    this.#map = map
    this.#data = data
  }

  get size(): number {
    return this.#map.size
  }

  read(into: Uint8Array, position: number): number {
    const end = Math.min(position + into.length, this.size)
    for (const { from, to, here } of this.#runs(position, end)) {
      const part = into.subarray(from - position, to - position)
      if (here) fill(this.#data, part, from)
      else this.#readBelow(part, from)
    }
    return Math.max(0, end - position)
  }

  /** @throws EFBIG, ENOSPC if there is room for nothing */
  write(bytes: Uint8Array, position: number): number {
    if (bytes.length === 0) return 0
    if (bytes.length > largestFile - position) throw new PlyError('EFBIG', { syscall: 'write' })
    const end = position + bytes.length
    if (end > this.size) this.#trim()
    const { start, stop } = this.#widened(position, end)
    const whole = start === position && stop === end ? bytes : this.#around(bytes, position, start, stop)
    const written = writeFully(this.#data, whole, start)
    if (written === whole.length) {
      this.#written(start, stop, end)
      return bytes.length
    }
    // What of the last block is not there counts for nothing.
    const { blockSize } = this.#map
    const kept = start + written - ((start + written) % blockSize)
    if (kept <= position) throw new PlyError('ENOSPC', { syscall: 'write' })
    this.#written(start, kept, kept)
    return kept - position
  }

  truncate(size: number): void {
    if (size > largestFile) throw new PlyError('EFBIG', { syscall: 'ftruncate' })
    if (size >= this.size) {
      this.#trim()
      this.#map.grow(size)
      return
    }
    this.#map.cut(size)
    try {
      this.#trim()
    } catch (error) {
      // It is shorter already, and nobody reads what is left there: it goes before the file grows again.
      if (codeOf(error) === undefined) throw error
    }
  }

  /** @throws EOPNOTSUPP, EFBIG, ENOSPC */
  allocate(what: Allocation, position: number, length: number): void {
    if (length > largestFile - position) throw new PlyError('EFBIG', { syscall: 'fallocate' })
    const end = position + length
    if (what === 'extend' || what === 'reserve') {
      if (what === 'extend') this.#trim()
      this.#data.allocate('reserve', position, length)
      if (what === 'extend') this.#map.grow(end)
      return
    }
    const stop = Math.min(end, this.size)
    if (position < stop) {
      const { blockSize } = this.#map
      this.#complete(Math.floor(position / blockSize), position % blockSize !== 0)
      this.#complete(Math.floor(stop / blockSize), stop % blockSize !== 0 && stop < this.size)
    }
    this.#data.allocate(what, position, length)
    if (position < stop) this.#keep(position, stop)
  }

  copyFrom(from: Bytes, fromPosition: number, position: number, length: number): number {
    if (!this.#data.copyFrom) return 0
    const size = Math.min(length, from.size - fromPosition)
    if (size <= 0 || from.extent === undefined) return 0
    const end = position + size
    if (end > this.size) this.#trim()
    const { blockSize } = this.#map
    this.#complete(Math.floor(position / blockSize), position % blockSize !== 0)
    this.#complete(Math.floor(end / blockSize), end % blockSize !== 0 && end < this.size)
    const copied = this.#data.copyFrom(from, fromPosition, position, size)
    if (copied === 0) return 0
    // What of the last block is not there counts for nothing.
    const kept = copied === size ? end : position + copied - ((position + copied) % blockSize)
    if (kept <= position) return 0
    this.#written(position, kept, kept)
    return kept - position
  }

  /** Runs that touch are one. */
  nextData(position: number): Run | undefined {
    let found: { start: number; end: number } | undefined
    for (const { from, to, here } of this.#runs(position, this.size)) {
      const source = here ? this.#data : this.#below
      const end = here ? to : Math.min(to, this.#map.below)
      for (let at = from; at < end; ) {
        const run = source.nextData ? source.nextData(at) : { start: at, end }
        if (run === undefined || run.start >= end) break
        const stop = Math.min(run.end, end)
        if (found === undefined) found = { start: run.start, end: stop }
        else if (run.start === found.end) found.end = stop
        else return found
        at = stop
      }
      if (found !== undefined && found.end < to) return found
    }
    return found
  }

  /** Returns when content, and what says which blocks there are, is on the disk. */
  sync(): void {
    if (!this.#map.isBehind) {
      this.#data.sync()
      return
    }
    this.#data.sync()
    this.#map.sync()
  }

  /** What lies behind the end must read as zeros when the file grows. */
  #trim(): void {
    if (this.#data.size > this.size) this.#data.truncate(this.size)
  }

  #readBelow(into: Uint8Array, position: number): void {
    const shown = Math.max(0, Math.min(into.length, this.#map.below - position))
    if (shown > 0) fill(this.#below, into.subarray(0, shown), position)
    into.fill(0, shown)
  }

  /** The range that has to be written so that every block in it is whole, or there already. */
  #widened(position: number, end: number): { readonly start: number; readonly stop: number } {
    const { blockSize } = this.#map
    const [first, last] = [Math.floor(position / blockSize), Math.floor((end - 1) / blockSize)]
    const start = this.#map.has(first) ? position : first * blockSize
    const wholeEnd = Math.min((last + 1) * blockSize, Math.max(this.size, end))
    return { start, stop: this.#map.has(last) ? end : wholeEnd }
  }

  #around(bytes: Uint8Array, position: number, start: number, stop: number): Uint8Array {
    const whole = Buffer.alloc(stop - start)
    this.read(whole.subarray(0, position - start), start)
    whole.set(bytes, position - start)
    const end = position + bytes.length
    this.read(whole.subarray(end - start), end)
    return whole
  }

  /** A block that is about to be changed in part has to be there. */
  #complete(block: number, partly: boolean): void {
    if (!partly || this.#map.has(block)) return
    const { blockSize } = this.#map
    const start = block * blockSize
    const whole = Buffer.alloc(Math.min(blockSize, Math.max(0, this.size - start)))
    if (whole.length === 0) return
    this.read(whole, start)
    if (writeFully(this.#data, whole, start) < whole.length) throw new PlyError('ENOSPC', { syscall: 'write' })
    this.#map.keep(block, block + 1)
  }

  #written(start: number, stop: number, size: number): void {
    this.#keep(start, stop)
    this.#map.grow(size)
  }

  #keep(start: number, stop: number): void {
    const { blockSize } = this.#map
    this.#map.keep(Math.floor(start / blockSize), Math.ceil(stop / blockSize))
  }

  *#runs(
    position: number,
    end: number,
  ): Generator<{ readonly from: number; readonly to: number; readonly here: boolean }> {
    const { blockSize } = this.#map
    const last = Math.ceil(end / blockSize)
    for (let block = Math.floor(position / blockSize); block * blockSize < end; ) {
      const next = this.#map.runEnd(block, last)
      const here = this.#map.has(block)
      yield { from: Math.max(position, block * blockSize), to: Math.min(end, next * blockSize), here }
      block = next
    }
  }
}

/** A handle on content that others share. */
export class BlockHandle implements WritableBytes {
  #content: BlockContent | undefined
  readonly #on: { readonly change: () => void; readonly sync: () => void; readonly close: () => void }

  constructor(
    content: BlockContent,
    on: { readonly change: () => void; readonly sync: () => void; readonly close: () => void },
  ) {
    this.#content = content
    this.#on = on
  }

  get size(): number {
    return this.#open('fstat').size
  }

  read(into: Uint8Array, position: number): number {
    return this.#open('read').read(into, position)
  }

  write(from: Uint8Array, position: number): number {
    const content = this.#open('write')
    this.#on.change()
    return content.write(from, position)
  }

  truncate(size: number): void {
    const content = this.#open('ftruncate')
    this.#on.change()
    content.truncate(size)
  }

  allocate(what: Allocation, position: number, length: number): void {
    const content = this.#open('fallocate')
    this.#on.change()
    content.allocate(what, position, length)
  }

  copyFrom(from: Bytes, fromPosition: number, position: number, length: number): number {
    const content = this.#open('copy_file_range')
    this.#on.change()
    return content.copyFrom(from, fromPosition, position, length)
  }

  readonly nextData = (position: number): Run | undefined => this.#open('lseek').nextData(position)

  sync(): void {
    this.#open('fsync').sync()
    this.#on.sync()
  }

  close(): void {
    if (this.#content === undefined) return
    this.#content = undefined
    this.#on.close()
  }

  #open(syscall: string): BlockContent {
    if (this.#content === undefined) throw new PlyError('EBADF', { syscall })
    return this.#content
  }
}

/** What lies behind the end reads as zeros. */
function fill(from: Bytes, into: Uint8Array, position: number): void {
  let done = 0
  while (done < into.length) {
    const got = from.read(into.subarray(done), position + done)
    if (got === 0) break
    done += got
  }
  into.fill(0, done)
}

/** Answers with how much there was room for. @throws what the disk says, if there was for nothing */
function writeFully(to: WritableBytes, from: Uint8Array, position: number): number {
  let done = 0
  while (done < from.length) {
    try {
      const written = to.write(done === 0 ? from : from.subarray(done), position + done)
      if (written === 0) break
      done += written
    } catch (error) {
      if (done === 0) throw error
      break
    }
  }
  return done
}
