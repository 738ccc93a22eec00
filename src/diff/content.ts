import { createHash, type Hash } from 'node:crypto'
import { type ByteString, displayText } from '../model/bytes.ts'
import type { Digest } from '../model/digest.ts'
import { PlyError } from '../model/errors.ts'
import type { Pace } from '../model/pace.ts'
import type { ContentDigests } from '../stack/content-digests.ts'
import type { Tree } from '../stack/tree.ts'
import type { Bytes } from '../stream/bytes.ts'

const chunk = 1 << 18

/** Files whose contents can be compared: those of a tree, or of a single layer. */
export interface Contents extends Pick<Tree, 'open' | 'place'> {
  readonly digests?: Pick<ContentDigests, 'known' | 'learn' | 'pays'> | undefined
}

/**
 * Tells whether contents of equal size are equal (layer-semantics E-02): by where they lie if that proves it, by their
 * digests where both are known, else byte by byte.
 *
 * Reading both and comparing costs less than hashing either, and ends at the first difference. So nothing is hashed to
 * compare it. But what is read anyway is hashed on the way where that pays at the next diff: of a directory on the disk
 * whose digests are kept, and of a layer that is compared for the second time. What is equal to a content with a known digest has that
 * digest.
 */
export class ContentComparison {
  readonly #before: Contents
  readonly #after: Contents
  #buffers: readonly [Buffer, Buffer] | undefined
  /** Bytes compared so far, of one side. */
  compared = 0

  constructor(before: Contents, after: Contents) {
    this.#before = before
    this.#after = after
  }

  async same(b: number, a: number, size: number, path: ByteString, pace: Pace): Promise<boolean> {
    if (size === 0 || this.#sharePlace(b, a)) return true
    const left = this.#before.digests?.known(b)
    const right = this.#after.digests?.known(a)
    if (left !== undefined && right !== undefined) return left === right
    const known = left ?? right
    const hash = known === undefined && this.#pays(b, a) ? createHash('sha256') : undefined
    const since = Date.now()
    if (!(await this.#sameBytes(b, a, size, path, pace, hash))) return false
    const digest = known ?? (hash && (`sha256:${hash.digest('hex')}` as Digest))
    if (digest !== undefined) {
      if (left === undefined) this.#before.digests?.learn(b, digest, since)
      if (right === undefined) this.#after.digests?.learn(a, digest, since)
    }
    return true
  }

  async #sameBytes(
    b: number,
    a: number,
    size: number,
    path: ByteString,
    pace: Pace,
    hash: Hash | undefined,
  ): Promise<boolean> {
    const x = this.#before.open(b)
    try {
      const y = this.#after.open(a)
      try {
        if (hash === undefined && sameRun(x, y)) return true
        const [left, right] = (this.#buffers ??= [Buffer.allocUnsafe(chunk), Buffer.allocUnsafe(chunk)])
        for (let position = 0; position < size; ) {
          // What both sides know to be zeros is equal. A hash wants it all.
          if (hash === undefined && (position = zerosUntil(x, y, position)) >= size) break
          const length = Math.min(chunk, size - position)
          const l = left.subarray(0, length)
          const r = right.subarray(0, length)
          if (x.read(l, position) !== length || y.read(r, position) !== length) {
            throw new PlyError('EIO', { syscall: 'read', path: `/${displayText(path)}` })
          }
          this.compared += length
          if (!l.equals(r)) return false
          hash?.update(l)
          position += length
          if (pace.due(16)) await pace.rest()
        }
        return true
      } finally {
        y.close()
      }
    } finally {
      x.close()
    }
  }

  #pays(b: number, a: number): boolean {
    // To know one alone saves no reading. Of changes the newer side is the one that nobody remembers: the other one is not even asked then.
    const newer = this.#after.digests?.pays(a)
    const older = newer === undefined ? undefined : this.#before.digests?.pays(b)
    return older !== undefined && (newer === true || older)
  }

  #sharePlace(b: number, a: number): boolean {
    const x = this.#before.place?.(b)
    const y = x && this.#after.place?.(a)
    return (
      x !== undefined &&
      y !== undefined &&
      x.layer === y.layer &&
      x.offset === y.offset &&
      (x.spill ?? false) === (y.spill ?? false)
    )
  }
}

/** One run of one open file, as for a file of which only attributes were copied up. */
function sameRun(x: Bytes, y: Bytes): boolean {
  return (
    x.extent !== undefined &&
    y.extent !== undefined &&
    x.extent.fd === y.extent.fd &&
    x.extent.offset === y.extent.offset
  )
}

/** Where the zeros end that both contents are known to have from a position on. */
function zerosUntil(x: Bytes, y: Bytes, position: number): number {
  if (!x.nextData || !y.nextData) return position
  return Math.min(x.nextData(position)?.start ?? x.size, y.nextData(position)?.start ?? y.size)
}
