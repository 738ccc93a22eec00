import { PlyError } from '../model/errors.ts'

/** What stands at the end of a frame: what its content must be. */
export interface FrameEnd {
  /** Bytes; absent if the frame does not say. */
  readonly contentSize: bigint | undefined
  /** The low half of the XXH64 of the content; absent if the frame has none. */
  readonly checksum: number | undefined
}

/** A run of bytes of one frame, inside the chunk it came in. `end` is on the last run of a frame. */
export interface FramePart {
  readonly bytes: Uint8Array
  readonly end: FrameEnd | undefined
  /** It ends where the header of the frame, a block, or the checksum ends; with `byBlock` it holds no more than that. */
  readonly whole: boolean
}

type State = 'magic' | 'skip size' | 'skip' | 'descriptor' | 'header' | 'block' | 'body' | 'checksum'

const frameMagic = 0xfd2fb528
const maxBlock = 128 << 10

/**
 * Finds the frames of a zstd stream without decompressing them (RFC 8878, section 3.1), so that all decoders get the same
 * and agree on what is refused: skippable frames are left out, a window above the cap, a dictionary, bytes between frames and an
 * incomplete frame are errors (layer-semantics Z-03, Z-04).
 */
export class ZstdFrames {
  readonly #maxWindow: number
  readonly #byBlock: boolean
  #state: State = 'magic'
  readonly #held = Buffer.alloc(16)
  #have = 0
  #need = 4
  /** Bytes of the block, or of the skippable frame, that are still to come. */
  #left = 0
  #lastBlock = false
  #seen = false
  #descriptor = 0
  #contentSize: bigint | undefined
  #blockLimit = maxBlock

  /** `maxWindow` is in bytes. With `byBlock` no part holds more than one block, which bounds what comes out of it to 128 KiB. */
  constructor({ maxWindow, byBlock = false }: { readonly maxWindow: number; readonly byBlock?: boolean }) {
    this.#maxWindow = maxWindow
    this.#byBlock = byBlock
  }

  /** The parts of frames in the next chunk. @throws PLY_BAD_COMPRESSION */
  *scan(chunk: Uint8Array): Generator<FramePart, void, undefined> {
    let from = this.#inFrame ? 0 : -1
    for (let at = 0; at < chunk.length; ) {
      if (this.#state === 'body' || this.#state === 'skip') {
        const step = Math.min(this.#left, chunk.length - at)
        this.#left -= step
        at += step
        if (this.#left > 0) break
        if (this.#state === 'skip') this.#expect('magic', 4)
        else this.#afterBlock()
      } else {
        const before = this.#have
        const step = Math.min(this.#need - before, chunk.length - at)
        this.#held.set(chunk.subarray(at, at + step), before)
        this.#have += step
        at += step
        if (this.#have < this.#need) break
        const magic = this.#state === 'magic'
        this.#take()
        if (magic && this.#inFrame) {
          // A magic number that began in the last chunk could not be handed on with it: it might have been a skippable frame's.
          if (before > 0) yield { bytes: Buffer.from(this.#held.subarray(0, 4)), end: undefined, whole: false }
          from = before > 0 ? at : at - 4
        }
      }
      if (from >= 0 && this.#state === 'magic') {
        const end = { contentSize: this.#contentSize, checksum: this.#checksum }
        yield { bytes: chunk.subarray(from, at), end, whole: true }
        from = -1
      } else if (
        this.#byBlock &&
        from >= 0 &&
        at > from &&
        (this.#state === 'block' || this.#state === 'checksum') &&
        this.#have === 0
      ) {
        yield { bytes: chunk.subarray(from, at), end: undefined, whole: true }
        from = at
      }
    }
    if (from >= 0 && from < chunk.length) yield { bytes: chunk.subarray(from), end: undefined, whole: false }
  }

  /** To be called where the input ends. @throws PLY_BAD_COMPRESSION if it ends inside a frame (Z-04). */
  end(): void {
    if (this.#state !== 'magic' || this.#have > 0 || !this.#seen) throw bad('unexpected end of file')
  }

  get #inFrame(): boolean {
    return this.#state !== 'magic' && this.#state !== 'skip size' && this.#state !== 'skip'
  }

  get #checksum(): number | undefined {
    return this.#descriptor & 4 ? this.#held.readUInt32LE(0) : undefined
  }

  #expect(state: State, need: number): void {
    this.#state = state
    this.#need = need
    this.#have = 0
  }

  /** Understands what has been gathered, and says what comes next. */
  #take(): void {
    switch (this.#state) {
      case 'magic': {
        const magic = this.#held.readUInt32LE(0)
        if (magic === frameMagic) this.#expect('descriptor', 1)
        else if ((magic & 0xfffffff0) >>> 0 === 0x184d2a50) this.#expect('skip size', 4)
        else throw bad(this.#seen ? 'bytes that belong to no frame follow a frame' : 'no frame starts here')
        this.#seen = true
        return
      }
      case 'skip size':
        this.#left = this.#held.readUInt32LE(0)
        if (this.#left === 0) this.#expect('magic', 4)
        else this.#expect('skip', 0)
        return
      case 'descriptor':
        this.#descriptor = this.#held[0]!
        if (this.#descriptor & 8) throw bad('a reserved bit is set in a frame header')
        this.#expect(
          'header',
          windowBytes(this.#descriptor) + dictionaryBytes(this.#descriptor) + sizeBytes(this.#descriptor),
        )
        return
      case 'header':
        this.#takeHeader()
        this.#expect('block', 3)
        return
      case 'block': {
        const block = this.#held.readUIntLE(0, 3)
        const type = (block >> 1) & 3
        const size = block >> 3
        if (type === 3) throw bad('a block of the reserved type')
        // Some decoders take it for an empty one, depending on how the bytes come.
        if (type === 2 && size === 0) throw bad('a compressed block of no bytes')
        if (size > this.#blockLimit) throw bad(`a block of ${size} bytes, where ${this.#blockLimit} is the most`)
        this.#lastBlock = (block & 1) === 1
        this.#left = type === 1 ? 1 : size
        if (this.#left === 0) this.#afterBlock()
        else this.#expect('body', 0)
        return
      }
      case 'checksum':
        this.#expect('magic', 4)
        return
      default:
        throw new Error(`nothing is gathered in the state ${this.#state}`)
    }
  }

  #takeHeader(): void {
    const held = this.#held
    const single = windowBytes(this.#descriptor) === 0
    const dictionaryAt = windowBytes(this.#descriptor)
    const sizeAt = dictionaryAt + dictionaryBytes(this.#descriptor)
    for (let i = dictionaryAt; i < sizeAt; i++) {
      if (held[i] !== 0) throw bad('a frame needs a dictionary', { rule: 'Z-03' })
    }
    const length = sizeBytes(this.#descriptor)
    this.#contentSize = undefined
    if (length === 8) this.#contentSize = held.readBigUInt64LE(sizeAt)
    else if (length > 0) this.#contentSize = BigInt(held.readUIntLE(sizeAt, length) + (length === 2 ? 256 : 0))
    const window = single ? Number(this.#contentSize) : windowSize(held[0]!)
    if (window > this.#maxWindow) {
      const reason = `a frame has a window of ${window} bytes and the cap is ${this.#maxWindow}`
      throw bad(reason, { rule: 'Z-03', option: 'limits.zstdWindow' })
    }
    this.#blockLimit = Math.min(window, maxBlock)
  }

  #afterBlock(): void {
    if (!this.#lastBlock) this.#expect('block', 3)
    else if (this.#descriptor & 4) this.#expect('checksum', 4)
    else this.#expect('magic', 4)
  }
}

function windowBytes(descriptor: number): number {
  return descriptor & 0x20 ? 0 : 1
}

function dictionaryBytes(descriptor: number): number {
  return [0, 1, 2, 4][descriptor & 3]!
}

function sizeBytes(descriptor: number): number {
  const flag = descriptor >> 6
  return flag === 0 ? (descriptor & 0x20 ? 1 : 0) : 1 << flag
}

/** The window that a frame asks for, from its whole header with its magic number, in bytes. */
export function windowOf(header: Buffer): number {
  const descriptor = header[4]!
  if (windowBytes(descriptor) > 0) return windowSize(header[5]!)
  const at = 5 + dictionaryBytes(descriptor)
  const length = sizeBytes(descriptor)
  if (length === 8) return Number(header.readBigUInt64LE(at))
  return header.readUIntLE(at, length) + (length === 2 ? 256 : 0)
}

function windowSize(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3))
  return base + (base / 8) * (descriptor & 7)
}

function bad(
  reason: string,
  { rule, ...more }: { readonly rule: string; readonly option?: string } = { rule: 'Z-04' },
): PlyError {
  return new PlyError('PLY_BAD_COMPRESSION', { reason: `zstd: ${reason} (layer-semantics ${rule})`, rule, ...more })
}
