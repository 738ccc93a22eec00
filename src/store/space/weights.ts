import { type DiffId, type Digest, hexOf } from '../../model/digest.ts'
import type { MarkedImage } from '../collection/mark.ts'
import type { LayerSizes } from './accounts.ts'
import type { Unit } from './units.ts'

/** Sizes that are being summed up. */
export interface Sum {
  stored: number
  shared: number
  exclusive: number
  reclaimable: number
}

/** Whose something is: of one, of several, or of nobody, so that a collection frees it. */
export type Claim = 'shared' | 'exclusive' | 'reclaimable'

/** What each thing in a store weighs: a thing may be several files, as a layer's tar and index are. */
export class Weights {
  /** Everything together. */
  readonly store: Sum = nothing()
  readonly #things = new Map<string, Sum>()
  /** Lengths of the tars of layers, cached ones and blobs that are the tar. */
  readonly #tars = new Map<string, number>()

  /** `thing` is what `thingAt` says of the path. */
  add({ path, bytes, size }: Unit, thing: string | undefined, claim: Claim): void {
    add(this.store, claim, bytes)
    if (thing === undefined) return
    let weight = this.#things.get(thing)
    if (weight === undefined) this.#things.set(thing, (weight = nothing()))
    add(weight, claim, bytes)
    if (path.endsWith('.tar')) this.#tars.set(thing, size)
    else if (path.startsWith('blobs/')) this.#tars.set(`layer ${path.slice(-64)}`, size)
  }

  /** `undefined` for what is not here. */
  of(thing: string): Sum | undefined {
    return this.#things.get(thing)
  }

  /** What all of them weigh together. */
  sumOf(things: Iterable<string>): Sum {
    const sum = nothing()
    for (const thing of things) merge(sum, this.#things.get(thing))
    return sum
  }

  /** The layers of images, each once. */
  layersOf(images: Iterable<MarkedImage>): LayerSizes[] {
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
      const thing = `layer ${hexOf(diffId)}`
      const sum = this.sumOf([thing, ...blobs])
      const logical = this.#tars.get(thing)
      return { diffId, blobs: [...blobs], images: users, ...sum, ...(logical !== undefined && { logical }) }
    })
  }
}

function nothing(): Sum {
  return { stored: 0, shared: 0, exclusive: 0, reclaimable: 0 }
}

function add(sum: Sum, claim: Claim, bytes: number): void {
  sum.stored += bytes
  sum[claim] += bytes
}

function merge(sum: Sum, other: Sum | undefined): void {
  if (other === undefined) return
  sum.stored += other.stored
  sum.shared += other.shared
  sum.exclusive += other.exclusive
  sum.reclaimable += other.reclaimable
}
