import type { ByteString } from '../model/bytes.ts'
import type { Kind } from '../model/entry.ts'
import type { Tree } from '../stack/tree.ts'
import { type Walked, walkTree } from './walk.ts'

/** What something takes, with everything under it. */
export interface TreeUsage {
  /** Byte string from the root, without a leading slash. */
  readonly path: ByteString
  readonly kind: Kind
  /** 0 is where was begun. */
  readonly depth: number
  /** Bytes of files and link texts, as `stat` says. */
  readonly apparent: number
  /** Bytes that contents and link texts take where they lie, in units of 512: without holes. What a mount by the kernel says, too. */
  readonly stored: number
  /** How many inodes. */
  readonly inodes: number
}

/** How sizes are summed up. */
export interface TreeUsageOptions {
  /** The byte string path of a place to begin at, without symlinks on the way; default: the root. */
  readonly from?: ByteString | undefined
  readonly ino?: number | undefined
  /** Files too, not only directories. Where was begun is always told. */
  readonly files?: boolean | undefined
  /** How deep what is told may be; all is counted. */
  readonly maxDepth?: number | undefined
}

const block = 512

/**
 * What is under a place takes, as du(1) tells it: each directory after what is in it, every inode counted, and told,
 * where it is met first.
 */
export function* treeUsage(tree: Tree, options: TreeUsageOptions = {}): Generator<TreeUsage, void, undefined> {
  const { from, ino, files = false, maxDepth = Number.POSITIVE_INFINITY } = options
  const seen = new Set<number>()
  const sums: { apparent: number; stored: number; inodes: number }[] = []
  for (const at of walkTree(tree, { from, ino, contentsFirst: true })) {
    const own = takenBy(tree, at, seen)
    if (own === undefined) continue
    const below = at.kind === 'directory' ? sums[at.depth + 1] : undefined
    const { path, kind, depth } = at
    const all = {
      apparent: own.apparent + (below?.apparent ?? 0),
      stored: own.stored + (below?.stored ?? 0),
      inodes: own.inodes + (below?.inodes ?? 0),
    }
    if (at.kind === 'directory') sums.length = depth + 1
    const sum = (sums[depth] ??= { apparent: 0, stored: 0, inodes: 0 })
    sum.apparent += all.apparent
    sum.stored += all.stored
    sum.inodes += all.inodes
    if (depth === 0 || (depth <= maxDepth && (files || kind === 'directory'))) yield { path, kind, depth, ...all }
  }
}

/** `undefined` for one more name of what was counted. */
function takenBy(
  tree: Tree,
  { ino, kind }: Walked,
  seen: Set<number>,
): { readonly apparent: number; readonly stored: number; readonly inodes: number } | undefined {
  if (kind !== 'file' && kind !== 'symlink') return { apparent: 0, stored: 0, inodes: 1 }
  const { size, links } = tree.stat(ino)
  if (links > 1) {
    if (seen.has(ino)) return undefined
    seen.add(ino)
  }
  if (kind === 'symlink') return { apparent: size, stored: inBlocks(size), inodes: 1 }
  if (size === 0) return { apparent: 0, stored: 0, inodes: 1 }
  const place = tree.place?.(ino)
  const whole = place !== undefined && place.spill !== true
  return { apparent: size, stored: whole ? inBlocks(size) : withoutHoles(tree, ino, size), inodes: 1 }
}

function withoutHoles(tree: Tree, ino: number, size: number): number {
  // Without a place only a file that has holes, or that was written, is worth opening: both know where their data is.
  if (tree.place === undefined) return inBlocks(size)
  const content = tree.open(ino)
  try {
    if (content.nextData === undefined) return inBlocks(size)
    let stored = 0
    for (let run = content.nextData(0); run !== undefined; run = run.end < size ? content.nextData(run.end) : undefined)
      stored += inBlocks(run.end - run.start)
    return stored
  } finally {
    content.close()
  }
}

function inBlocks(size: number): number {
  return Math.ceil(size / block) * block
}
