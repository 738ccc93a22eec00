import { chmodSync } from 'node:fs'
import { type ByteString, encodeText } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import { Pace } from '../model/pace.ts'
import { mappedTree, type OwnerShift } from '../stack/mapped-tree.ts'
import type { Tree } from '../stack/tree.ts'
import { copyRange } from '../sys/copy.ts'
import { syncFileSystem } from '../sys/sync.ts'
import { type AttributeOptions, AttributeWriter } from './attribute-writer.ts'
import { ContentCopy } from './content.ts'
import { ObjectWriter } from './object-writer.ts'
import { onDisk } from './paths.ts'
import { type Plan, planExtraction } from './plan.ts'
import { CompromiseCount, type ExtractReport } from './report.ts'
import { Staging } from './staging.ts'
import { probe, type Surroundings } from './surroundings.ts'
import type { Written } from './written.ts'

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

/** Bytes of a path that a system call takes, without the NUL. */
const pathMax = 4095

/**
 * Writes a whole tree to a directory (layer-semantics, section 14). It is new or empty before, complete and synced after; on
 * any failure, and when asked to stop, it is as it was. Everything that can be known to be impossible is found before
 * the first object is made. What an ordinary user, or the file system, may not have is replaced by the closest thing and
 * counted in the report.
 *
 * @param target text, as the user typed it; its parent must exist.
 * @throws PLY_EXISTS, PLY_UNREPRESENTABLE, PLY_NO_NATIVE, PLY_ABORTED; ENOSPC and what else the disk answers
 */
export async function extractTree(
  original: Tree,
  target: string,
  options: ExtractOptions = {},
): Promise<ExtractReport> {
  const { signal, shift, onWritten, devices = true } = options
  const tree = shift === undefined ? original : mappedTree(original, shift)
  const staging = new Staging(target)
  let plan: Plan | undefined
  try {
    const here = probe(staging.path)
    const prefix = Math.max(Buffer.byteLength(staging.path), Buffer.byteLength(staging.target))
    const limits = { where: staging.target, longestPath: pathMax - prefix - 1, foldsNames: here.foldsNames }
    plan = await planExtraction(tree, limits, signal)
    await checkRoom(tree, plan, here, staging.target, signal)

    const compromises = new CompromiseCount()
    const attributes = new AttributeWriter(here, options, compromises)
    const writer = new ObjectWriter(tree, { attributes, compromises, copy: copyRange, onWritten, devices }, options)
    await writer.fill(encodeText(staging.path), plan)
    staging.settle()
    await writer.finish(encodeText(staging.path), plan)
    syncFileSystem(staging.path)
    staging.publish()
    return {
      target: staging.target,
      directories: plan.directories.length,
      files: plan.files.length,
      symlinks: plan.symlinks.length,
      nodes: writer.nodes,
      links: plan.links.length + plan.lateLinks.length,
      bytes: plan.bytes,
      compromises: compromises.all(),
    }
  } catch (error) {
    if (plan) openUp(encodeText(staging.path), plan)
    // If even that fails, the first error is still the one to tell; what stays has a private directory's name.
    await staging.discard().catch(() => {})
    throw error
  }
}

/** B-02: what certainly will not fit is not begun. Holes are looked for only where that decides. */
async function checkRoom(
  tree: Tree,
  plan: Plan,
  here: Surroundings,
  target: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { bytes: available, inodes, block } = here.room
  if (inodes !== undefined && plan.inodes > inodes) {
    throw new PlyError('ENOSPC', {
      syscall: 'open',
      path: target,
      needed: plan.inodes,
      available: inodes,
      what: 'inodes',
    })
  }
  const blocks = (size: number) => Math.ceil(size / block) * block
  const sizes = plan.files.map(({ ino }) => tree.stat(ino).size)
  let needed = sizes.reduce((sum, size) => sum + blocks(size), 0)
  if (needed <= available) return
  const pace = new Pace(signal)
  const contents = new ContentCopy(copyRange)
  const largest = plan.files.map((_, at) => at).sort((a, b) => sizes[b]! - sizes[a]!)
  for (const at of largest) {
    const content = tree.open(plan.files[at]!.ino)
    try {
      needed -= blocks(sizes[at]!) - blocks(await contents.weigh(content, pace))
    } finally {
      content.close()
    }
    if (needed <= available) return
  }
  throw new PlyError('ENOSPC', { syscall: 'write', path: target, needed, available, what: 'bytes' })
}

/** Gives directories back to their owner, so that what is in them can be taken away. */
function openUp(root: ByteString, plan: Plan): void {
  for (const { path } of plan.directories) {
    try {
      chmodSync(onDisk(path === '' ? root : `${root}/${path}`), 0o700)
    } catch {
      // Never made, or not ours to change: then what follows says so.
    }
  }
}
