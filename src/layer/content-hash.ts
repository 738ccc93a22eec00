import { createHash } from 'node:crypto'
import { type Digest, digestOf } from '../model/digest.ts'
import { PlyError } from '../model/errors.ts'
import type { Pace } from '../model/pace.ts'
import type { Bytes } from '../stream/bytes.ts'

const chunkSize = 1 << 18

/** The digest of every empty file. */
export const emptyDigest = digestOf(new Uint8Array(0))

/** Takes the digests of contents, one after another or side by side, in the memory of one chunk. */
export class ContentHash {
  #buffer: Buffer | undefined

  /**
   * SHA-256 of the logical content, holes being zeros (layer-semantics S-04). The caller closes the content.
   *
   * @throws EIO if it is shorter than its size says; PLY_ABORTED
   */
  async of(content: Bytes, pace: Pace): Promise<Digest> {
    const { size } = content
    if (size === 0) return emptyDigest
    const hash = createHash('sha256')
    for (let position = 0; position < size; ) {
      // Between reading and hashing nobody else runs, so the buffer can be shared.
      const chunk = this.#chunk(size).subarray(0, Math.min(chunkSize, size - position))
      if (content.read(chunk, position) !== chunk.length) throw new PlyError('EIO', { syscall: 'read' })
      hash.update(chunk)
      position += chunk.length
      if (pace.due(1 + (chunk.length >> 12))) await pace.rest()
    }
    return `sha256:${hash.digest('hex')}` as Digest
  }

  /** Large enough for a content of this size, or for one chunk of it. */
  #chunk(size: number): Buffer {
    const needed = Math.min(size, chunkSize)
    if (this.#buffer === undefined || this.#buffer.length < needed) {
      this.#buffer = Buffer.allocUnsafeSlow(needed <= 4096 ? 4096 : chunkSize)
    }
    return this.#buffer
  }
}
