import type { BlobStore } from '../../blob/blob-store.ts'
import { type DiffId, type Digest, digestOf, hexOf } from '../../model/digest.ts'
import { checkAborted, type Operation } from '../../model/operation.ts'
import { manifestLimit } from '../../model/parse-documents.ts'
import { type Collectable, collect } from '../collection/collect.ts'
import { type Claimant, claimantsOf, imagesOf, type Known, thingAt, thingsOf } from '../collection/holders.ts'
import { type MarkedImage, mark } from '../collection/mark.ts'
import { rootsOf } from '../collection/roots.ts'
import { unitsOf } from './units.ts'
import { type Usage, UsageSum } from './usage.ts'

/**
 * What something takes on the disk, in bytes that the disk has allocated; in memory, the bytes of the files.
 * `stored` is `shared` + `exclusive` + `reclaimable`.
 */
export interface Sizes {
  /** All that it needs: blobs, caches, records, uppers. */
  readonly stored: number
  /** Of that, what other images or containers need too. */
  readonly shared: number
  /** Of that, what nothing else needs: removing it alone frees so much with the next collection. */
  readonly exclusive: number
  /** Of that, what nothing needs: a collection frees it now. */
  readonly reclaimable: number
}

/** An image with all its names: removing it is taking away all of them. */
export interface ImageSizes extends Sizes {
  /** None for what another tool wrote into `index.json` without a name. */
  readonly names: readonly string[]
  /** Of the manifest or index. */
  readonly digest: Digest
  /**
   * Bytes of the files that its tree shows, holes included and hardlinks once; of an index, those of all its images that are here.
   * Absent where nobody asked for it, and where the tree cannot be read.
   */
  readonly logical?: number
}

/** A layer: its blobs and its caches. It cannot be removed alone: it goes with the last image that has it. */
export interface LayerSizes extends Sizes {
  readonly diffId: DiffId
  /** The blobs that it travels as. */
  readonly blobs: readonly Digest[]
  /** How many images have it. */
  readonly images: number
  /** Bytes of its tar; absent where neither the tar nor a blob that is the tar is here. */
  readonly logical?: number
}

/** A container with its snapshots. Its image counts as needed by it. */
export interface ContainerSizes extends Sizes {
  readonly name: string
  readonly image: string
  readonly manifest: Digest
  /** How many snapshots it has. */
  readonly snapshots: number
  /** Of what is stored, what was written in it and in the frozen uppers below it. */
  readonly written: number
  /** As an image's, of what it shows. */
  readonly logical?: number
}

/**
 * What a store takes and what for. It adds up:
 *
 * - `total.bytes` is `store.stored` + `overhead`, and what `du` says of the directory;
 * - `store.stored` is `store.shared` + `store.exclusive` + `store.reclaimable`;
 * - `store.exclusive` is the sum of `exclusive` over images and containers.
 *
 * What is shared counts once in the store and once in each row that needs it.
 */
export interface Accounting extends Usage {
  /** `shared`: what several images or containers need; `exclusive`: what exactly one of them needs. */
  readonly store: Sizes & {
    /** What all images and containers show, each counted for itself; absent where one of them is unknown. */
    readonly logical?: number
  }
  /** What the store takes for itself: directories, locks, its own records, digests of files outside, and whatever is kept because a record cannot be read. */
  readonly overhead: number
  readonly images: readonly ImageSizes[]
  readonly layers: readonly LayerSizes[]
  readonly containers: readonly ContainerSizes[]
}

export interface AccountingOptions extends Operation {
  /** Also how much images and containers show: their trees are opened and walked, which takes a second for a million files. */
  readonly logical?: boolean | undefined
}

/** How much images and containers show; `undefined` if that cannot be read. */
export interface Shown {
  image(image: MarkedImage): Promise<number | undefined>
  container(name: string): Promise<number | undefined>
}

interface Sum {
  stored: number
  shared: number
  exclusive: number
  reclaimable: number
}

/** Takes no lock: what others write meanwhile may be counted as reclaimable, as in a collection's dry run. */
export async function accountingOf(
  given: Collectable,
  shown: Shown,
  { logical = false, ...operation }: AccountingOptions = {},
): Promise<Accounting> {
  const parts = { ...given, blobs: readAtOnce(given) }
  const { disk, layout } = parts
  const known = await whatIsKnown(parts, operation)
  const claimants = claimantsOf(known.roots)
  const condemned = await collect(parts, { ...operation, dryRun: true })
  const doomed = new Set([...condemned.blobs.map((digest) => `blobs/sha256/${hexOf(digest)}`), ...condemned.files])
  const needs = neededBy(claimants, known)

  const usage = new UsageSum()
  const store = nothing()
  const weights = new Map<string, Sum>()
  const tars = new Map<string, number>()
  let overhead = 0
  for (const unit of unitsOf(disk, layout.root)) {
    const { path, bytes } = unit
    usage.add(unit)
    const thing = thingAt(path)
    const kind = doomed.has(path) ? 'reclaimable' : needs.get(thing ?? '')
    if (kind === undefined) {
      overhead += bytes
      continue
    }
    add(store, kind, bytes)
    if (thing === undefined) continue
    let weight = weights.get(thing)
    if (weight === undefined) weights.set(thing, (weight = nothing()))
    add(weight, kind, bytes)
    if (path.endsWith('.tar')) tars.set(thing, unit.size)
    else if (path.startsWith('blobs/')) tars.set(`layer ${path.slice(-64)}`, unit.size)
  }

  const images: ImageSizes[] = []
  const containers: ContainerSizes[] = []
  for (const claimant of claimants) {
    checkAborted(operation.signal)
    const sum = nothing()
    for (const thing of thingsOf(claimant, known)) merge(sum, weights.get(thing))
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
      const written = claimant.uppers.reduce((all, id) => all + (weights.get(`upper ${id}`)?.stored ?? 0), 0)
      const about = { name, image, manifest, snapshots: snapshots.length, written }
      containers.push({ ...about, ...sum, ...(size !== undefined && { logical: size }) })
    }
  }
  const all = logical ? sumOf([...images, ...containers].map((row) => row.logical)) : undefined
  return {
    ...usage.usage,
    store: { ...store, ...(all !== undefined && { logical: all }) },
    overhead,
    images: images.sort((a, b) => compare(a.names[0] ?? a.digest, b.names[0] ?? b.digest)),
    layers: layersOf([...known.images.values()], weights, tars),
    containers: containers.sort((a, b) => compare(a.name, b.name)),
  }
}

/** Manifests and configs are small, and a store may hold ten thousand: each is read and checked in one step. */
function readAtOnce({ disk, layout, blobs }: Collectable): BlobStore {
  return {
    stat: (digest) => blobs.stat(digest),
    open: (digest) => blobs.open(digest),
    write: (content, expected, operation) => blobs.write(content, expected, operation),
    draft: () => blobs.draft(),
    delete: (digest) => blobs.delete(digest),
    list: () => blobs.list(),
    async *stream(digest, operation) {
      checkAborted(operation?.signal)
      const path = layout.blobOf(digest)
      const size = disk.fs.statSync(path, { throwIfNoEntry: false })?.size ?? Number.POSITIVE_INFINITY
      const raw = size <= manifestLimit ? (disk.fs.readFileSync(path) as Buffer) : undefined
      // Whatever is wrong with it is told by who reads patiently.
      if (raw !== undefined && digestOf(raw) === digest) yield raw
      else yield* blobs.stream(digest, operation)
    },
  }
}

async function whatIsKnown(parts: Collectable, operation: Operation): Promise<Known> {
  const roots = rootsOf(parts)
  const children = new Map<Digest, Set<Digest>>()
  const because = (thing: string, holder: string, as: string) => {
    if (as !== 'manifest of an index') return
    const behind = children.get(holder as Digest) ?? new Set()
    children.set(holder as Digest, behind.add(thing as Digest))
  }
  const marked = await mark(roots.images, parts.blobs, { ...operation, because })
  return { roots, images: new Map(marked.images.map((image) => [image.digest, image])), children }
}

/** Whether one needs a thing, or several do: so thousands of images over one base cost no more than their layers. */
function neededBy(claimants: readonly Claimant[], known: Known): Map<string, 'exclusive' | 'shared'> {
  const needs = new Map<string, 'exclusive' | 'shared'>()
  for (const claimant of claimants)
    for (const thing of thingsOf(claimant, known)) needs.set(thing, needs.has(thing) ? 'shared' : 'exclusive')
  return needs
}

function layersOf(
  images: readonly MarkedImage[],
  weights: ReadonlyMap<string, Sum>,
  tars: ReadonlyMap<string, number>,
): LayerSizes[] {
  const layers = new Map<DiffId, { readonly blobs: Set<Digest>; images: number }>()
  for (const image of images) {
    for (const diffId of new Set(image.layers.map((layer) => layer.diffId))) {
      const layer = layers.get(diffId)
      if (layer === undefined) layers.set(diffId, { blobs: new Set(), images: 1 })
      else layer.images++
    }
    for (const { diffId, descriptor } of image.layers) layers.get(diffId)!.blobs.add(descriptor.digest)
  }
  return [...layers].map(([diffId, { blobs, images: users }]) => {
    const sum = nothing()
    merge(sum, weights.get(`layer ${hexOf(diffId)}`))
    for (const digest of blobs) merge(sum, weights.get(digest))
    const logical = tars.get(`layer ${hexOf(diffId)}`)
    return { diffId, blobs: [...blobs], images: users, ...sum, ...(logical !== undefined && { logical }) }
  })
}

function nothing(): Sum {
  return { stored: 0, shared: 0, exclusive: 0, reclaimable: 0 }
}

function add(sum: Sum, kind: 'shared' | 'exclusive' | 'reclaimable', bytes: number): void {
  sum.stored += bytes
  sum[kind] += bytes
}

function merge(sum: Sum, other: Sum | undefined): void {
  if (other === undefined) return
  sum.stored += other.stored
  sum.shared += other.shared
  sum.exclusive += other.exclusive
  sum.reclaimable += other.reclaimable
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
