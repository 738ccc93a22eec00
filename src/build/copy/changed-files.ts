import { append, scratch } from '../../image/append.ts'
import type { Image } from '../../image/image.ts'
import { displayText } from '../../model/bytes.ts'
import { codeOf } from '../../model/errors.ts'
import type { Operation } from '../../model/operation.ts'
import { contentDigest } from '../../stack/content-digests.ts'
import type { Tree } from '../../stack/tree.ts'
import type { Store } from '../../store/store.ts'
import { layerAlone } from '../../trace/index.ts'
import { resolvePath } from '../../union/resolve.ts'
import type { Draft, Drafted } from './draft.ts'

/** So many are named. */
const most = 3

/**
 * Which files a draft has otherwise than the layer that the last build made in its place, for people: paths of the image. Empty where
 * that layer is all of it, and more.
 *
 * @param last the image up to and with that layer
 */
export async function changedFiles(
  draft: Draft,
  last: Image,
  store: Store,
  operation: Operation,
): Promise<readonly string[]> {
  const layer = last.layers.at(-1)
  if (layer === undefined) return []
  const stack = await store.layers(append(scratch, layer), operation)
  try {
    const before = layerAlone(stack, 0)
    const changed: string[] = []
    for (const { path, drafted } of draft.placed()) {
      const ino = there(before, path)
      if (ino !== undefined && (await same(before, ino, drafted, operation))) continue
      changed.push(`/${displayText(path)}`)
      if (changed.length > most) return [...changed.slice(0, most), '…']
    }
    return changed
  } finally {
    stack.close()
  }
}

function there(tree: Tree, path: string): number | undefined {
  try {
    return resolvePath(tree, path, { follow: false }).ino
  } catch (error) {
    // Something on the way was no directory: then it was not there.
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(codeOf(error) ?? '')) return undefined
    throw error
  }
}

async function same(before: Tree, ino: number, { stat, source }: Drafted, operation: Operation): Promise<boolean> {
  const was = before.stat(ino)
  if (was.kind !== stat.kind || was.mode !== stat.mode || was.uid !== stat.uid || was.gid !== stat.gid) return false
  if (source === undefined || stat.kind === 'directory') return true
  if (stat.kind === 'symlink') return before.readlink(ino) === source.tree.readlink(source.ino)
  if (was.mtime !== stat.mtime || was.size !== stat.size) return false
  if (stat.kind !== 'file') return true
  return (await contentDigest(before, ino, operation)) === (await contentDigest(source.tree, source.ino, operation))
}
