import type { Contents } from '../diff/index.ts'
import { emptyDigest } from '../layer/content-hash.ts'
import type { IndexedView } from '../layer/view.ts'
import type { DigestMemory } from '../stack/content-digests.ts'

/** The files of one layer, for comparing them: what is known of their digests is used, and what is found out is kept. */
export function contentsOf(view: IndexedView, memory: DigestMemory): Contents {
  return {
    open: (ino) => view.open(ino),
    place: (ino) => view.place(ino),
    digests: {
      pays: () => undefined,
      known(ino) {
        const { size } = view.stat(ino)
        if (size === 0) return emptyDigest
        const place = view.place(ino)
        return place && memory.known(place, size)
      },
      learn(ino, digest) {
        const place = view.place(ino)
        if (place !== undefined) memory.remember(place, view.stat(ino).size, digest)
      },
    },
  }
}
