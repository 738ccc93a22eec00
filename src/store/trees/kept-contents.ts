import type { ContentPlace } from '../../layer/index.ts'
import type { Digest } from '../../model/digest.ts'
import { PlyError } from '../../model/errors.ts'
import type { DigestMemory } from '../../stack/content-digests.ts'
import type { ByteStream, Bytes } from '../../stream/bytes.ts'

/** Parts of a tar that is not here itself: whoever reads anything else gets EIO. */
export class KeptContents {
  readonly #parts: { readonly offset: number; readonly content: Buffer }[] = []

  /** Takes a part out of a stream of the whole tar, which is read no further. */
  async keep(tar: ByteStream, offset: number, size: number): Promise<void> {
    const content = Buffer.alloc(size)
    let at = 0
    for await (const chunk of tar) {
      const from = Math.max(0, offset - at)
      if (from < chunk.length) content.set(chunk.subarray(from, from + offset + size - at - from), at + from - offset)
      at += chunk.length
      if (at >= offset + size) break
    }
    if (at < offset + size) throw new PlyError('EIO', { syscall: 'read' })
    this.#parts.push({ offset, content })
  }

  /** As if it were a tar of so many bytes. */
  bytes(size: number): Bytes {
    return {
      size,
      read: (into, position) => {
        const wanted = Math.min(into.length, Math.max(0, size - position))
        const part = this.#parts.find(
          ({ offset, content }) => offset <= position && position + wanted <= offset + content.length,
        )
        if (part === undefined) throw new PlyError('EIO', { syscall: 'read' })
        into.set(part.content.subarray(position - part.offset, position - part.offset + wanted))
        return wanted
      },
      close() {},
    }
  }
}

/** Digests of contents, as long as they are asked for. */
export function passingDigests(): DigestMemory {
  const digests = new Map<string, Digest>()
  const key = ({ layer, offset, spill }: ContentPlace, size: number) => `${layer} ${spill ? 's' : ''}${offset} ${size}`
  return {
    known: (place, size) => digests.get(key(place, size)),
    remember(place, size, digest) {
      digests.set(key(place, size), digest)
    },
    compared: () => false,
    close() {
      digests.clear()
    },
  }
}
