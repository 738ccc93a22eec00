import { type ByteString, decodeText } from '../model/bytes.ts'
import type { Digest } from '../model/digest.ts'
import type { Stat } from '../model/entry.ts'
import type { Operation } from '../model/operation.ts'
import { Pace } from '../model/pace.ts'
import { contentDigest } from '../stack/content-digests.ts'
import type { Tree } from '../stack/tree.ts'
import { differingAspects } from './aspects.ts'
import type { Aspect, Change, Changeset } from './change.ts'

/** A file that is gone at one path and there at another, with the same content. */
export interface Renamed {
  readonly kind: 'rename'
  /** Where it is now; text with a leading slash, and the exact bytes. */
  readonly path: string
  readonly bytes: ByteString
  /** Where it was. */
  readonly from: string
  readonly fromBytes: ByteString
  readonly before: Stat
  readonly after: Stat
  /** What else differs. */
  readonly changed: readonly Aspect[]
}

/** How alike files are that count as the same one. */
export interface RenameOptions extends Operation {
  readonly ignore?: ReadonlySet<Aspect> | undefined
}

interface Gone {
  readonly bytes: ByteString
  readonly ino: number
  readonly stat: Stat
  /** The change that tells of it alone; absent where a directory went with it. */
  readonly change: Change | undefined
}

/**
 * Finds what was only moved: of files that were added those whose content a deleted one had. Each deleted file is found once, one of
 * the same name first. A deleted directory stays a change, also if all that was in it is found elsewhere. Empty files are not looked for.
 *
 * All changes are held; contents are read only of files that have the size of one on the other side. @throws PLY_ABORTED
 */
export async function* withRenames(
  changes: Changeset,
  before: Tree,
  after: Tree,
  { ignore, ...operation }: RenameOptions = {},
): AsyncGenerator<Change | Renamed, void, undefined> {
  const all: Change[] = []
  for await (const change of changes) all.push(change)
  const pace = new Pace(operation.signal)
  const wanted = new Set<number>()
  for (const change of all) if (change.kind === 'add' && isContent(change.after)) wanted.add(change.after.size)
  const gone = new Map<number, Gone[]>()
  for (const change of all) {
    if (change.kind !== 'delete') continue
    for (const file of filesUnder(before, change)) {
      if (pace.due()) await pace.rest()
      if (!wanted.has(file.stat.size)) continue
      const alike = gone.get(file.stat.size)
      if (alike === undefined) gone.set(file.stat.size, [file])
      else alike.push(file)
    }
  }
  const digests = new Map<Gone, Digest>()
  const moved = new Map<Change, Renamed>()
  const absorbed = new Set<Change>()
  for (const change of all) {
    if (change.kind !== 'add' || !isContent(change.after)) continue
    const candidates = gone.get(change.after.size)
    if (candidates === undefined || candidates.length === 0) continue
    const digest = await contentDigest(after, change.after.ino, operation)
    const equal: Gone[] = []
    for (const candidate of candidates) {
      let known = digests.get(candidate)
      if (known === undefined) digests.set(candidate, (known = await contentDigest(before, candidate.ino, operation)))
      if (known === digest) equal.push(candidate)
    }
    const name = lastOf(change.bytes)
    const found = equal.find(({ bytes }) => lastOf(bytes) === name) ?? equal[0]
    if (found === undefined) continue
    candidates.splice(candidates.indexOf(found), 1)
    const changed = await differingAspects(
      { inodes: before, ino: found.ino, stat: found.stat },
      { inodes: after, ino: change.after.ino, stat: change.after },
      { ignore },
      () => Promise.resolve(true),
    )
    if (found.change !== undefined) absorbed.add(found.change)
    moved.set(change, {
      kind: 'rename',
      path: change.path,
      bytes: change.bytes,
      from: `/${decodeText(found.bytes)}`,
      fromBytes: found.bytes,
      before: found.stat,
      after: change.after,
      changed,
    })
  }
  for (const change of all) if (!absorbed.has(change)) yield moved.get(change) ?? change
}

function isContent({ kind, size }: Stat): boolean {
  return kind === 'file' && size > 0
}

function* filesUnder(tree: Tree, change: Change & { readonly kind: 'delete' }): Generator<Gone, void, undefined> {
  const { before: stat, bytes } = change
  if (isContent(stat)) yield { bytes, ino: stat.ino, stat, change }
  if (stat.kind !== 'directory') return
  const waiting = [{ bytes, ino: stat.ino }]
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    for (const { name, ino, kind } of tree.list(directory.ino)) {
      const at = `${directory.bytes}/${name}`
      if (kind === 'directory') waiting.push({ bytes: at, ino })
      else if (kind === 'file') {
        const own = tree.stat(ino)
        if (isContent(own)) yield { bytes: at, ino, stat: own, change: undefined }
      }
    }
  }
}

function lastOf(path: ByteString): ByteString {
  return path.slice(path.lastIndexOf('/') + 1)
}
