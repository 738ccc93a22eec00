import type { ByteString } from '../model/bytes.ts'
import { MemberAssembler, place } from './assembler.ts'
import { Blocks } from './blocks.ts'
import { blockSize, padded } from './header.ts'
import { badLayer, type Member, type TarWarning } from './member.ts'

/** Who is told what a `TarReader` finds, while it is given the archive. */
export interface TarListener {
  member(member: Member): void
  /** A finding about the archive itself, or about something in it that is not a member. */
  warning?(entry: ByteString, warning: TarWarning): void
}

export interface TarOptions {
  /** Entries in the map of one sparse member, above which it is refused with PLY_BUDGET; a million unless told. */
  readonly sparseEntries?: number | undefined
}

/**
 * Reads an archive that is pushed at it in chunks of any size, and tells of each member as soon as its headers are
 * complete, which for some sparse members is after a part of their payload. Content is passed over, never copied. Nothing
 * is kept of a chunk after `push` returns.
 *
 * Both calls throw PLY_BAD_LAYER with the rule that is broken (layer-semantics sections 3, 7, 8 and 12), and
 * PLY_BUDGET for sparse maps that are too long; after an error the reader must not be used again.
 */
export class TarReader {
  readonly #listener: TarListener
  readonly #assembler: MemberAssembler
  /** A header block that began in an earlier chunk. */
  readonly #carry = new Blocks(Buffer.alloc(blockSize))
  #carried = 0
  /** An extended payload that began in an earlier chunk. */
  #collected: Buffer | undefined
  #collectedSize = 0
  #collecting = false
  #skip = 0
  #padding = 0
  #position = 0
  #ended = false
  #trailing = false

  constructor(listener: TarListener, { sparseEntries }: TarOptions = {}) {
    this.#listener = listener
    this.#assembler = new MemberAssembler((entry, warning) => listener.warning?.(entry, warning), sparseEntries)
  }

  /** Bytes pushed so far. */
  get position(): number {
    return this.#position
  }

  push(chunk: Uint8Array): void {
    const buffer = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    const blocks = new Blocks(buffer)
    const base = this.#position
    const end = buffer.length
    let at = 0
    while (at < end) {
      if (this.#skip > 0) {
        const step = Math.min(this.#skip, end - at)
        this.#skip -= step
        at += step
      } else if (this.#ended) {
        this.#trail(buffer, at, base + at)
        at = end
      } else if (this.#collecting) {
        at = this.#collect(buffer, at)
      } else if (this.#carried > 0 || end - at < blockSize) {
        const step = Math.min(blockSize - this.#carried, end - at)
        buffer.copy(this.#carry.buffer, this.#carried, at, at + step)
        this.#carried += step
        at += step
        if (this.#carried === blockSize) {
          this.#carried = 0
          this.#block(this.#carry, 0, base + at - blockSize)
        }
      } else {
        this.#block(blocks, at, base + at)
        at += blockSize
      }
    }
    this.#position = base + end
  }

  /** The archive ends here. @throws PLY_BAD_LAYER if it must not. */
  end(): void {
    if (this.#collecting || this.#skip > this.#padding) {
      throw badLayer(place(this.#position), 'Z-04', 'the archive ends inside the content of an entry')
    }
    if (this.#carried > 0) throw badLayer(place(this.#position), 'Z-04', 'the archive ends inside a header')
    if (!this.#ended) this.#assembler.end(this.#position)
  }

  #block(blocks: Blocks, at: number, position: number): void {
    switch (this.#assembler.block(blocks, at, position)) {
      case 'member': {
        const { payload } = this.#assembler
        this.#skip = padded(payload)
        this.#padding = this.#skip - payload
        this.#listener.member(this.#assembler.member!)
        return
      }
      case 'extended':
        this.#collectedSize = 0
        this.#collecting = true
        if (this.#assembler.payload === 0) this.#extend(Buffer.alloc(0))
        return
      case 'end':
        // An extended header with no entry after it is as wrong before an end marker as without one.
        this.#assembler.end(position)
        this.#ended = true
        return
      case 'skip':
        return
    }
  }

  #collect(buffer: Buffer, at: number): number {
    const size = this.#assembler.payload
    if (this.#collectedSize === 0 && buffer.length - at >= size) {
      this.#extend(buffer.subarray(at, at + size))
      return at + size
    }
    this.#collected ??= Buffer.allocUnsafe(size)
    const step = Math.min(size - this.#collectedSize, buffer.length - at)
    buffer.copy(this.#collected, this.#collectedSize, at, at + step)
    this.#collectedSize += step
    if (this.#collectedSize === size) {
      const whole = this.#collected
      this.#collected = undefined
      this.#extend(whole)
    }
    return at + step
  }

  #extend(payload: Buffer): void {
    this.#collecting = false
    this.#skip = padded(payload.length) - payload.length
    this.#padding = this.#skip
    this.#assembler.extended(payload)
  }

  /** Bytes after the end marker count only as a warning (layer-semantics Q-04). */
  #trail(buffer: Buffer, at: number, position: number): void {
    if (this.#trailing) return
    for (let i = at; i < buffer.length; i++) {
      if (buffer[i] === 0) continue
      this.#trailing = true
      const text = `bytes that are not zero after the end of the archive, from byte ${position + i - at}`
      this.#listener.warning?.(place(position + i - at), { rule: 'Q-04', text })
      return
    }
  }
}
