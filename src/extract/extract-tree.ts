import type { Operation } from '../model/operation.ts'
import type { OwnerShift } from '../stack/mapped-tree.ts'
import type { Tree } from '../stack/tree.ts'
import type { AttributeOptions } from './attribute-writer.ts'
import type { ExtractReport } from './report.ts'
import { writeParts } from './write-parts.ts'
import type { Written } from './written.ts'

/** How a tree is written to a directory. */
export interface ExtractOptions extends Operation, AttributeOptions {
  /** How owners are shifted on the way to the disk (layer-semantics O-02). */
  readonly shift?: OwnerShift | undefined
  /** Whether devices are made, where they can be. Default: yes. */
  readonly devices?: boolean | undefined
  /**
   * Hears of every path where less stands than the tree says: with that, `restoredTree` reads the directory back as the
   * tree (layer-semantics O-05).
   */
  readonly onWritten?: ((written: Written) => void) | undefined
}

/**
 * Writes a whole tree to a directory (layer-semantics, section 14). It is new or empty before, complete and synced after; on
 * any failure, and when asked to stop, it is as it was. Everything that can be known to be impossible is found before
 * the first object is made. What an ordinary user, or the file system, may not have is replaced by the closest thing and
 * counted in the report.
 *
 * @param target text, as the user typed it; its parent must exist.
 * @throws PLY_EXISTS, PLY_UNREPRESENTABLE, PLY_NO_NATIVE, PLY_ABORTED; ENOSPC and what else the disk answers
 */
export async function extractTree(tree: Tree, target: string, options: ExtractOptions = {}): Promise<ExtractReport> {
  const [report] = await writeParts(target, () => [{ tree, name: '' }], options)
  return report!
}
