import { ContentHash, emptyDigest } from '../layer/content-hash.ts'
import type { FileIdentity } from '../layer/content-sums.ts'
import type { Digest } from '../model/digest.ts'
import type { Operation } from '../model/operation.ts'
import { Pace } from '../model/pace.ts'
import { type ContentDigests, filesOf } from '../stack/content-digests.ts'
import type { Tree } from '../stack/tree.ts'
import { type FileDigests, settled } from './file-digests.ts'

/**
 * The digests of a directory's files (layer-semantics E-02): one that is what it was when it was hashed is not read
 * again. `identity` answers what was seen of a file, and nothing for an empty one or what is no file.
 *
 * A file that changed since it was seen, or while it is read, is a PLY_CHANGED and not remembered (E-12); one that was
 * changed just before is read anew each time.
 */
export function directoryDigests(
  tree: Tree,
  memory: FileDigests,
  identity: (ino: number) => FileIdentity | undefined,
): ContentDigests {
  const hash = new ContentHash()

  function learn(ino: number, digest: Digest, since: number): void {
    const file = identity(ino)
    if (file !== undefined && settled(file.changed, since)) memory.remember(file, digest)
  }

  async function read(ino: number, pace: Pace): Promise<Digest> {
    const since = Date.now()
    const content = tree.open(ino)
    try {
      const digest = await hash.of(content, pace)
      learn(ino, digest, since)
      return digest
    } finally {
      content.close()
    }
  }

  function known(ino: number): Digest | undefined {
    const file = identity(ino)
    if (file !== undefined) return memory.known(file)
    const { kind, size } = tree.stat(ino)
    return kind === 'file' && size === 0 ? emptyDigest : undefined
  }

  return {
    pays: () => memory.lasting,
    known,
    learn,
    async of(ino, { signal } = {}) {
      return known(ino) ?? (await read(ino, new Pace(signal)))
    },
    async complete({ signal, onProgress }: Operation = {}) {
      const pace = new Pace(signal)
      let done = 0
      for (const ino of filesOf(tree)) {
        if (known(ino) === undefined) {
          await read(ino, pace)
          done += tree.stat(ino).size
        }
        if (!pace.due()) continue
        onProgress?.({ what: 'contents', done })
        await pace.rest()
      }
    },
  }
}
