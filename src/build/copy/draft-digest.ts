import { createHash } from 'node:crypto'
import { noXattrs } from '../../model/entry.ts'
import type { Operation } from '../../model/operation.ts'
import { Pace } from '../../model/pace.ts'
import { contentDigest } from '../../stack/content-digests.ts'
import type { Draft } from './draft.ts'

/**
 * A digest of all that a draft says: two with one digest make the same layer. Contents are asked by what is known of them, and read
 * where nothing is.
 *
 * @throws PLY_CHANGED, PLY_ABORTED, and what reading throws
 */
export async function draftDigest(draft: Draft, operation: Operation = {}): Promise<string> {
  const pace = new Pace(operation.signal)
  const hash = createHash('sha256')
  const text = (value: string) => hash.update(`${value.length} `).update(value, 'latin1')
  for (const { path, drafted } of draft.placed()) {
    if (pace.due()) await pace.rest()
    const { stat, xattrs, source } = drafted
    text(path)
    text(`${stat.kind} ${stat.mode} ${stat.uid} ${stat.gid} ${stat.mtime} ${stat.major} ${stat.minor}`)
    if (xattrs !== noXattrs)
      for (const [name, value] of [...xattrs].sort(([a], [b]) => (a < b ? -1 : 1)))
        text(name).update(value).update('\0')
    if (source === undefined) continue
    if (stat.kind === 'symlink') text(source.tree.readlink(source.ino))
    if (stat.kind !== 'file') continue
    // Names of one file are hardlinks of one in the layer, too.
    text(stat.links > 1 ? `${source.ino}` : '')
    text(await contentDigest(source.tree, source.ino, operation))
  }
  return hash.digest('hex')
}
