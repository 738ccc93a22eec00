import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type ByteString, encodeText } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'
import { Pace } from '../model/pace.ts'
import { timed } from '../model/phases.ts'
import { mappedTree } from '../stack/mapped-tree.ts'
import type { Tree } from '../stack/tree.ts'
import { copyRange } from '../sys/copy.ts'
import { syncFileSystem } from '../sys/sync.ts'
import { AttributeWriter } from './attribute-writer.ts'
import { ContentCopy } from './content.ts'
import type { ExtractOptions } from './extract-tree.ts'
import type { LayerFolder } from './layer-folder.ts'
import { MarkWriter } from './mark-writer.ts'
import { ObjectWriter } from './object-writer.ts'
import type { OverlayForm } from './overlay-form.ts'
import { onDisk } from './paths.ts'
import { type Plan, planExtraction } from './plan.ts'
import { CompromiseCount, type ExtractReport } from './report.ts'
import { Staging } from './staging.ts'
import { probe, type Surroundings } from './surroundings.ts'

/** A tree that is written to a directory, or to a folder in it. */
export interface Part {
  readonly tree: Tree
  /** The name of the folder, text; '' is the directory itself. */
  readonly name: string
  /** Where it is the folder of a layer. */
  readonly layer?: { readonly folder: LayerFolder; readonly form: OverlayForm } | undefined
}

interface PlannedPart extends Part {
  readonly plan: Plan
  readonly marks: MarkWriter | undefined
}

/** Bytes of a path that a system call takes, without the NUL. */
const pathMax = 4095

/**
 * Writes trees to a directory that nobody sees before all of it is there, as `extractTree` says. `partsFor` is asked when it is known
 * where that will be: the path of a private directory.
 */
export async function writeParts(
  target: string,
  partsFor: (place: string) => readonly Part[],
  options: ExtractOptions,
): Promise<ExtractReport[]> {
  return timed('unpack', target, () => written(target, partsFor, options))
}

async function written(
  target: string,
  partsFor: (place: string) => readonly Part[],
  options: ExtractOptions,
): Promise<ExtractReport[]> {
  const { signal } = options
  const staging = await Staging.at(target)
  let planned: readonly PlannedPart[] = []
  const rootOf = ({ name }: Part) => encodeText(name === '' ? staging.path : join(staging.path, name))
  try {
    const here = probe(staging.path)
    planned = await planParts(partsFor(staging.path), staging, here, options)
    await checkRoom(planned, here, staging.target, signal)
    for (const part of planned) if (part.name !== '') mkdirSync(join(staging.path, part.name), 0o700)
    const writers = planned.map((part) => writerOf(part, here, options))
    for (const [at, part] of planned.entries()) await writers[at]!.writer.fill(rootOf(part), part.plan)
    staging.settle()
    for (const [at, part] of planned.entries()) await writers[at]!.writer.finish(rootOf(part), part.plan)
    if (planned.every(({ name }) => name !== '')) chmodSync(staging.path, 0o755)
    syncFileSystem(staging.path)
    staging.publish()
    return planned.map(({ name, plan }, at) => ({
      target: name === '' ? staging.target : join(staging.target, name),
      directories: plan.directories.length,
      files: plan.files.length,
      symlinks: plan.symlinks.length,
      nodes: writers[at]!.writer.nodes,
      links: plan.links.length + plan.lateLinks.length,
      bytes: plan.bytes,
      compromises: writers[at]!.compromises.all(),
    }))
  } catch (error) {
    for (const part of planned) openUp(rootOf(part), part.plan)
    // If even that fails, the first error is still the one to tell; what stays has a private directory's name.
    await staging.discard().catch(() => {})
    throw error
  }
}

async function planParts(
  parts: readonly Part[],
  staging: Staging,
  { foldsNames }: Surroundings,
  { shift, signal }: ExtractOptions,
): Promise<PlannedPart[]> {
  const planned: PlannedPart[] = []
  for (const part of parts) {
    const tree = shift === undefined ? part.tree : mappedTree(part.tree, shift)
    const where = join(staging.target, part.name)
    const prefix = Math.max(Buffer.byteLength(join(staging.path, part.name)), Buffer.byteLength(where))
    const plan = await planExtraction(tree, { where, longestPath: pathMax - prefix - 1, foldsNames }, signal)
    const marks = part.layer && new MarkWriter(part.layer.folder, part.layer.form)
    marks?.check(plan, where)
    planned.push({ ...part, tree, plan, marks })
  }
  return planned
}

function writerOf({ tree, layer, marks }: PlannedPart, here: Surroundings, options: ExtractOptions) {
  const { onWritten, devices = true } = options
  const compromises = new CompromiseCount()
  const attributes = new AttributeWriter(here, { ...options, overlay: layer?.form }, compromises)
  for (const path of layer?.folder.copies ?? []) compromises.note('link', path)
  const writer = new ObjectWriter(
    tree,
    { attributes, compromises, copy: copyRange, onWritten, devices, marks },
    options,
  )
  return { writer, compromises }
}

/** B-02: what certainly will not fit is not begun. Holes are looked for only where that decides. */
async function checkRoom(
  parts: readonly PlannedPart[],
  here: Surroundings,
  target: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { bytes: available, inodes, block } = here.room
  const wanted = parts.reduce((sum, { plan }) => sum + plan.inodes, 0)
  if (inodes !== undefined && wanted > inodes) {
    throw new PlyError('ENOSPC', {
      syscall: 'open',
      path: target,
      needed: wanted,
      available: inodes,
      what: 'inodes',
    })
  }
  const blocks = (size: number) => Math.ceil(size / block) * block
  const files = parts.flatMap(({ tree, plan }) => plan.files.map(({ ino }) => ({ tree, ino })))
  const sizes = files.map(({ tree, ino }) => tree.stat(ino).size)
  let needed = sizes.reduce((sum, size) => sum + blocks(size), 0)
  if (needed <= available) return
  const pace = new Pace(signal)
  const contents = new ContentCopy(copyRange)
  const largest = files.map((_, at) => at).sort((a, b) => sizes[b]! - sizes[a]!)
  for (const at of largest) {
    const { tree, ino } = files[at]!
    const content = tree.open(ino)
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
