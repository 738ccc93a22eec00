import { Index } from '../../../src/erofs/index.ts'
import { layerView } from '../../../src/layer/index.ts'
import type { IndexedView } from '../../../src/layer/view.ts'
import { chainIds, digestOf } from '../../../src/model/digest.ts'
import { stackedTree, writeTree } from '../../../src/stack/index.ts'
import { memoryBytes } from '../../../src/stream/bytes.ts'
import { must, type Outcome, outcomeOf, Violation } from './outcome.ts'

/** No index can list more names than it has bytes for, however it lies. */
const bytesAName = 4

/** What an index holds, roughly. */
export interface Walked {
  readonly names: number
  readonly kinds: ReadonlySet<string>
  readonly xattrs: number
  readonly links: number
}

/**
 * Asks an index everything that can be asked of it, from the root down. The walk has to come to an end by itself: in no
 * file, however it was made, does a directory stand below itself or in two places.
 */
export function walkIndex(bytes: Buffer): Walked {
  const index = Index.open(memoryBytes(bytes), { what: 'the input', cachePages: 2 })
  const most = bytes.length / bytesAName
  const entered = new Set<number>()
  const kinds = new Set<string>()
  let names = 0
  let xattrs = 0
  const links = index.externalLinks().length
  index.tarPages()
  checkSegments(index)
  if (index.parent(index.root) !== index.root) throw new Violation('the root is not its own parent')
  const waiting = [index.root]
  for (let ino = waiting.pop(); ino !== undefined; ino = waiting.pop()) {
    const { kind, size, mode } = index.stat(ino)
    kinds.add(kind)
    must(Number.isSafeInteger(size) && size >= 0, 'a size that is none', () => String(size))
    must((mode & ~0o7777) === 0, 'a mode that is none', () => String(mode))
    xattrs += index.xattrs(ino).size
    index.facts(ino)
    index.flags(ino)
    index.layer(ino)
    index.header(ino)
    if (kind === 'symlink') index.readlink(ino)
    if (kind === 'file') {
      const extent = index.extent(ino)
      if (extent !== undefined) {
        const device = index.devices[extent.device]
        must(device !== undefined && extent.offset + size <= device.size, 'content outside of its tar')
      }
    }
    if (kind !== 'directory') continue
    must(!entered.has(ino), 'a directory stands in two places')
    entered.add(ino)
    index.parent(ino)
    let previous = ''
    const listed: { readonly name: string; readonly child: number }[] = []
    for (const { name, ino: child, kind: said } of index.list(ino)) {
      if (++names > most) throw new Violation('more names than there are bytes for')
      must(name > previous, 'names out of order')
      previous = name
      listed.push({ name, child })
      if (said === 'directory') waiting.push(child)
      else kinds.add(index.kind(child))
    }
    // A directory that is out of order says so at the end of its list; only after that can it be searched.
    for (const { name, child } of listed) {
      const found = index.lookup(ino, name)
      must(found === child, 'a name is listed and looked up as two things', () => JSON.stringify([name, child, found]))
    }
  }
  return { names, kinds, xattrs, links }
}

/** The segments of a spill: in order, inside of both ends. */
function checkSegments(index: Index): void {
  const segments = index.spillSegments()
  if (segments === undefined) return
  let end = 0
  for (let row = 0; row < segments.count; row++) {
    segments.load(row)
    const { start, length, stored } = segments
    must(start >= end && length > 0 && start + length <= segments.size, 'segments out of order')
    must(stored >= 0 && stored + length <= index.devices[0]!.size, 'a segment outside of its tar')
    end = start + length
    must(segments.after(start) === row && segments.after(end) > row, 'a segment that is not found')
  }
}

/** What may go wrong where an index is damaged: nothing but that. */
export const indexRefusals = ['PLY_BAD_INDEX'] as const

/**
 * Stacks a layer over nothing and folds it into a tree, in two ways that have to give the same names.
 * A layer that needs what is below it is refused (H-06).
 */
export async function foldAlone(
  openView: () => IndexedView,
  refusals: readonly string[],
): Promise<Outcome<{ readonly bytes: Buffer; readonly names: number }>> {
  return outcomeOf(refusals, async () => {
    const view = openView()
    const chunks: Uint8Array[] = []
    const chainId = chainIds(view.devices.map(({ diffId }) => diffId)).at(-1) ?? digestOf(Buffer.alloc(0))
    await writeTree({ write: (chunk) => void chunks.push(Buffer.from(chunk)) }, { chainId, views: [view] })
    const tree = stackedTree([view])
    let names = 0
    const waiting = [tree.root]
    for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
      for (const { ino, kind } of tree.list(directory)) {
        names++
        tree.stat(ino)
        if (kind === 'directory') waiting.push(ino)
      }
    }
    return { bytes: Buffer.concat(chunks), names }
  })
}

export function viewOf(index: Buffer, tar: Uint8Array): IndexedView {
  return layerView(Index.open(memoryBytes(index), { what: 'the input' }), () => memoryBytes(tar))
}
