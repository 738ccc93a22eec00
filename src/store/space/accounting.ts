import { hexOf } from '../../model/digest.ts'
import { checkAborted } from '../../model/operation.ts'
import { type Collectable, collect, livingIn } from '../collection/collect.ts'
import { type Claimant, claimantsOf, imagesOf, type Known, thingAt, thingsOf } from '../collection/holders.ts'
import type { MarkedImage } from '../collection/mark.ts'
import type { Accounting, AccountingOptions, ContainerSizes, ImageSizes } from './accounts.ts'
import { documentsAtOnce } from './documents-at-once.ts'
import { unitsOf } from './units.ts'
import { UsageSum } from './usage.ts'
import { Weights } from './weights.ts'

/** How much images and containers show; `undefined` if that cannot be read. */
export interface Shown {
  image(image: MarkedImage): Promise<number | undefined>
  container(name: string): Promise<number | undefined>
}

/** Takes no lock: what others write meanwhile may be counted as reclaimable, as in a collection's dry run. */
export async function accountingOf(
  given: Collectable,
  shown: Shown,
  { logical = false, ...operation }: AccountingOptions = {},
): Promise<Accounting> {
  const parts = { ...given, blobs: documentsAtOnce(given) }
  const { disk, layout } = parts
  const quick = { survey: () => given.names.survey({ quick: true }) }
  const living = await livingIn({ ...parts, names: quick }, operation)
  const { images: marked, children } = living.marked
  const known: Known = { roots: living.roots, images: new Map(marked.map((image) => [image.digest, image])), children }
  const claimants = claimantsOf(known.roots)
  const condemned = await collect(parts, { ...operation, dryRun: true, living })
  const doomed = new Set([...condemned.blobs.map((digest) => `blobs/sha256/${hexOf(digest)}`), ...condemned.files])
  const needs = neededBy(claimants, known)

  const usage = new UsageSum()
  const weights = new Weights()
  let overhead = 0
  for (const unit of unitsOf(disk, layout.root)) {
    usage.add(unit)
    const thing = thingAt(unit.path)
    const claim = doomed.has(unit.path) ? 'reclaimable' : needs.get(thing ?? '')
    if (claim === undefined) overhead += unit.bytes
    else weights.add(unit, thing, claim)
  }

  const images: ImageSizes[] = []
  const containers: ContainerSizes[] = []
  for (const claimant of claimants) {
    checkAborted(operation.signal)
    const sum = weights.sumOf(thingsOf(claimant, known))
    if (claimant.kind === 'image') {
      const size = logical ? await total(imagesOf(claimant, known).map((image) => () => shown.image(image))) : undefined
      images.push({
        names: claimant.names,
        digest: claimant.digest,
        ...sum,
        ...(size !== undefined && { logical: size }),
      })
    } else {
      const { name, image, manifest, snapshots = [] } = claimant.record
      const size = logical ? await shown.container(name) : undefined
      const written = claimant.uppers.reduce((all, id) => all + (weights.of(`upper ${id}`)?.stored ?? 0), 0)
      const about = { name, image, manifest, snapshots: snapshots.length, written }
      containers.push({ ...about, ...sum, ...(size !== undefined && { logical: size }) })
    }
  }
  const all = logical ? sumOf([...images, ...containers].map((row) => row.logical)) : undefined
  return {
    ...usage.usage,
    store: { ...weights.store, ...(all !== undefined && { logical: all }) },
    overhead,
    images: images.sort((a, b) => compare(a.names[0] ?? a.digest, b.names[0] ?? b.digest)),
    layers: weights.layersOf(marked),
    containers: containers.sort((a, b) => compare(a.name, b.name)),
  }
}

/** Whether one needs a thing, or several do: so thousands of images over one base cost no more than their layers. */
function neededBy(claimants: readonly Claimant[], known: Known): Map<string, 'exclusive' | 'shared'> {
  const needs = new Map<string, 'exclusive' | 'shared'>()
  for (const claimant of claimants)
    for (const thing of thingsOf(claimant, known)) needs.set(thing, needs.has(thing) ? 'shared' : 'exclusive')
  return needs
}

/** One after another: each opens a tree. */
async function total(parts: readonly (() => Promise<number | undefined>)[]): Promise<number | undefined> {
  const sizes: (number | undefined)[] = []
  for (const part of parts) sizes.push(await part())
  return sumOf(sizes)
}

function sumOf(sizes: readonly (number | undefined)[]): number | undefined {
  return sizes.every((size) => size !== undefined) ? sizes.reduce((sum: number, size) => sum + size, 0) : undefined
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
