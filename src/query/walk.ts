import type { ByteString } from '../model/bytes.ts'
import type { Kind } from '../model/entry.ts'
import type { Tree } from '../stack/tree.ts'

/** One name that a walk came to. */
export interface Walked {
  /** Byte string from the root, without a leading slash; `''` is the root. */
  readonly path: ByteString
  /** The last component of the path. */
  readonly name: ByteString
  readonly ino: number
  readonly kind: Kind
  /** 0 is where the walk began. */
  readonly depth: number
}

/** Where a walk goes, and where it does not. */
export interface WalkOptions {
  /** The byte string path of a place to begin at, without symlinks on the way; default: the root. */
  readonly from?: ByteString | undefined
  /** What stands there; default: it is looked up. */
  readonly ino?: number | undefined
  /** Nothing deeper than this is looked at. */
  readonly maxDepth?: number | undefined
  /** A directory after what is in it. */
  readonly contentsFirst?: boolean | undefined
  /** Which directories are entered; default: all. Asked when the directory is met, also with `contentsFirst`. */
  readonly enter?: ((directory: Walked) => boolean) | undefined
}

/**
 * Everything under a place and the place itself, names in byte order. Nothing is read before it is asked for, and memory grows with the
 * depth alone; stopping early is fine. A place that is not there gives nothing.
 */
export function* walkTree(tree: Tree, options: WalkOptions = {}): Generator<Walked, void, undefined> {
  const { from = '', maxDepth = Number.POSITIVE_INFINITY, contentsFirst = false, enter } = options
  const path = from
    .split('/')
    .filter((name) => name !== '')
    .join('/')
  const start = options.ino ?? lookupPath(tree, path)
  if (start === undefined) return
  const kind = tree.kind ? tree.kind(start) : tree.stat(start).kind
  const first: Walked = { path, name: path.slice(path.lastIndexOf('/') + 1), ino: start, kind, depth: 0 }
  const stack: { readonly at: Walked; readonly listing: Iterator<{ name: ByteString; ino: number; kind: Kind }> }[] = []
  const enters = (at: Walked) => at.kind === 'directory' && at.depth < maxDepth && (enter === undefined || enter(at))
  const push = (at: Walked) => stack.push({ at, listing: tree.list(at.ino)[Symbol.iterator]() })

  if (!contentsFirst) yield first
  // Asked behind the directory itself: whoever gets it may decide then.
  if (enters(first)) push(first)
  else if (contentsFirst) yield first
  for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
    const { done, value } = frame.listing.next()
    if (done) {
      stack.pop()
      if (contentsFirst) yield frame.at
      continue
    }
    const { name, ino, kind } = value
    const at = {
      path: frame.at.path === '' ? name : `${frame.at.path}/${name}`,
      name,
      ino,
      kind,
      depth: frame.at.depth + 1,
    }
    if (!contentsFirst) yield at
    if (enters(at)) push(at)
    else if (contentsFirst) yield at
  }
}

/** What stands at a path; symlinks are not followed. */
function lookupPath(tree: Tree, path: ByteString): number | undefined {
  let at: number | undefined = tree.root
  for (const name of path.split('/')) {
    if (name === '') continue
    if (at === undefined || (tree.kind ? tree.kind(at) : tree.stat(at).kind) !== 'directory') return undefined
    at = tree.lookup(at, name)
  }
  return at
}
