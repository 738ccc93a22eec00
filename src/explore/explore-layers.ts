import type { ByteString } from '../model/bytes.ts'
import type { Operation } from '../model/operation.ts'
import { type Walked, walkTree } from '../query/index.ts'
import { type BlameStep, blameBelow, type LayerStack, mergedTree, waste } from '../trace/index.ts'
import { depthOf, FileRows, type RowStep } from './file-rows.ts'
import { shownText } from './names.ts'
import { OwnerTable } from './owner-table.ts'
import type { Exploration, LayerFacts } from './table.ts'

/**
 * What the layers of an image did, path by path, and what they hold in vain. Two walks over the indexes; contents are read only where
 * files of one size may be equal.
 *
 * @param name what the image is called
 * @throws PLY_BAD_LAYER for a hardlink to nothing (H-06); PLY_ABORTED
 */
export async function exploreLayers(stack: LayerStack, name: string, operation: Operation = {}): Promise<Exploration> {
  const found = await waste(stack, operation)
  const owners = new OwnerTable()
  const rows = new FileRows(owners, found.files)
  const counts = stack.layers.map(() => ({ added: 0, changed: 0, removed: 0 }))
  const tree = mergedTree(stack)
  const linksBelow = stack.layers.some(({ view }) => view.linksBelow === true)
  const named = new Set<number>()
  // What is there in the end comes in the same order.
  const standing = walkTree(tree)
  for await (const { bytes: path, steps } of blameBelow(stack, '', { deleted: true, ...operation })) {
    const story = steps.flatMap((step) => told(step, path))
    const last = story.findLast(({ deed }) => deed !== 'inside') ?? story.at(-1)
    if (last === undefined) continue
    for (const { deed, layer } of story) {
      if (deed === 'add') counts[layer]!.added++
      else if (deed === 'modify' || deed === 'attributes') counts[layer]!.changed++
      else if (deed === 'delete') counts[layer]!.removed++
    }
    const present = last.deed !== 'delete'
    const { stat, layer } = last
    const { ino } = present ? nextOf(standing, path) : { ino: undefined }
    const target = ino !== undefined && stat.kind === 'symlink' ? tree.readlink(ino) : undefined
    let link = false
    if (ino !== undefined && stat.kind !== 'directory' && (linksBelow || stat.links > 1)) {
      link = named.has(ino)
      named.add(ino)
    }
    const alone = story.length === 1 && last.deed === 'add'
    rows.push({ path, stat, layer, present, link, target, story: alone ? undefined : story })
  }
  const { image } = stack
  const { os, architecture, variant, created } = image.config
  return {
    name: shownText(name),
    digest: image.digest,
    platform: shownText([os, architecture, variant].filter((part) => part !== undefined).join('/')),
    created: shownText(created ?? ''),
    layered: true,
    layers: stack.layers.map(({ digest, diffId, size, step }, layer): LayerFacts => {
      const { bytes, wasted } = found.layers[layer]!
      const { created_by: createdBy = '', created = '', comment = '' } = step
      const says = { createdBy: shownText(createdBy), created: shownText(created), comment: shownText(comment) }
      return { digest, diffId, size, bytes, wasted, ...says, ...counts[layer]! }
    }),
    owners: owners.namedBy(tree),
    efficiency: found.efficiency,
    diveEfficiency: found.diveEfficiency,
    files: rows.done(),
  }
}

/** A step that left something to be told. A whiteout of nothing does not. */
function told({ layer, did, changed, at, before, after }: BlameStep, path: ByteString): RowStep[] {
  const stat = after ?? before
  if (stat === undefined || did === 'nothing') return []
  const depth = at === '/' ? 0 : at.split('/').length - 1
  return [{ layer, deed: did, changed, stat, at: Math.min(depth, depthOf(path)) }]
}

function nextOf(standing: Iterator<Walked>, path: ByteString): Walked {
  const { done, value } = standing.next()
  // The rule of stacking is one: what it shows is what it tells of.
  if (done || value.path !== path) throw new Error(`expected ${path}, found ${done ? 'the end' : value.path}`)
  return value
}
