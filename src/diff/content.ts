import type { ContentPlace } from '../layer/view.ts'
import { type ByteString, displayText } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'
import type { Pace } from '../model/pace.ts'
import type { Tree } from '../stack/tree.ts'
import type { Bytes } from '../stream/bytes.ts'

const chunk = 1 << 18

/** A tree that can say where in which layer a content lies. */
type Placing = Tree & { place(ino: number): ContentPlace | undefined }

function places(tree: Tree): tree is Placing {
  return 'place' in tree && typeof tree.place === 'function'
}

/** Tells whether contents of equal size are equal: by where they lie if that proves it, else byte by byte (E-02). */
export class ContentComparison {
  readonly #before: Tree
  readonly #after: Tree
  readonly #placed: readonly [Placing, Placing] | undefined
  #buffers: readonly [Buffer, Buffer] | undefined
  /** Bytes compared so far, of one side. */
  compared = 0

  constructor(before: Tree, after: Tree) {
    this.#before = before
    this.#after = after
    this.#placed = places(before) && places(after) ? [before, after] : undefined
  }

  async same(b: number, a: number, size: number, path: ByteString, pace: Pace): Promise<boolean> {
    if (size === 0 || this.#sharePlace(b, a)) return true
    const x = this.#before.open(b)
    try {
      const y = this.#after.open(a)
      try {
        if (sameRun(x, y)) return true
        const [left, right] = (this.#buffers ??= [Buffer.allocUnsafe(chunk), Buffer.allocUnsafe(chunk)])
        for (let position = 0; position < size; ) {
          const length = Math.min(chunk, size - position)
          const l = left.subarray(0, length)
          const r = right.subarray(0, length)
          if (x.read(l, position) !== length || y.read(r, position) !== length) {
            throw new PlyError('EIO', { syscall: 'read', path: `/${displayText(path)}` })
          }
          this.compared += length
          if (!l.equals(r)) return false
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

  #sharePlace(b: number, a: number): boolean {
    if (!this.#placed) return false
    const x = this.#placed[0].place(b)
    const y = this.#placed[1].place(a)
    return x !== undefined && y !== undefined && x.layer === y.layer && x.offset === y.offset
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
