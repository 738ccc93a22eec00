import type { PackItem } from '../layer/pack.ts'
import type { ByteString } from '../model/bytes.ts'
import { defaultDirectory } from '../model/entry.ts'
import type { Operation } from '../model/operation.ts'
import { Pace } from '../model/pace.ts'
import type { Tree, TreeEntry } from '../stack/tree.ts'
import { EntryItems, type Skipping, skips } from './entry-items.ts'
import { portableXattrs } from './exported.ts'
import { checkVerified } from './verified.ts'

/**
 * A whole tree as one layer, in the order of layer-semantics E-04. The root is left out where it has the attributes
 * that a root has anyway.
 *
 * @throws PLY_UNREPRESENTABLE for a name that would be read as a whiteout (E-10); PLY_UNSUPPORTED for a tree that was not verified; PLY_ABORTED
 */
export async function* packTree(
  tree: Tree,
  options: Operation & Skipping = {},
): AsyncGenerator<PackItem, void, undefined> {
  checkVerified(tree)
  const pace = new Pace(options.signal)
  const items = new EntryItems(tree)
  if (describesRoot(tree)) yield items.entry('', tree.root)

  const stack: { readonly prefix: ByteString; readonly entries: Iterator<TreeEntry> }[] = []
  const enter = (prefix: ByteString, ino: number) => stack.push({ prefix, entries: tree.list(ino)[Symbol.iterator]() })
  enter('', tree.root)
  for (let place: (typeof stack)[number] | undefined; (place = stack.at(-1)); ) {
    if (pace.due()) await pace.rest()
    const { done, value } = place.entries.next()
    if (done) {
      stack.pop()
      continue
    }
    const path = place.prefix + value.name
    if (skips(path, value.kind, options)) continue
    yield items.entry(path, value.ino)
    if (value.kind === 'directory') enter(`${path}/`, value.ino)
  }
}

function describesRoot(tree: Tree): boolean {
  const { mode, uid, gid, mtime } = tree.stat(tree.root)
  const { mode: usual } = defaultDirectory
  return mode !== usual || uid !== 0 || gid !== 0 || mtime !== 0n || portableXattrs(tree.xattrs(tree.root)).size > 0
}
