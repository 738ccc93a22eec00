import type { BlobStore } from '../../blob/blob-store.ts'
import { packTree, packView, splitView } from '../../diff/index.ts'
import { checkUnmarked } from '../../image/distributable.ts'
import type { Image, Layer } from '../../image/image.ts'
import type { LayerReport, WriteOptions } from '../../image/layer-report.ts'
import { checkRange, plainLayerType } from '../../image/replace-layers.ts'
import { split } from '../../image/split.ts'
import { flatten, squash } from '../../image/squash.ts'
import { type IndexedView, type LayerLimits, type LayerWarning, type PackItem, packLayer } from '../../layer/index.ts'
import { encodeText } from '../../model/bytes.ts'
import type { Digest } from '../../model/digest.ts'
import type { History } from '../../model/documents.ts'
import { PlyError } from '../../model/errors.ts'
import { squashedView } from '../../stack/squash.ts'
import { StackedTree } from '../../stack/stacked-tree.ts'
import type { Tree } from '../../stack/tree.ts'
import type { Arrivals } from '../intake/arrivals.ts'
import type { Layers } from '../layers/layers.ts'

/** What the operations share that write layers of an image anew, in canonical form. */
export interface RewriteOptions extends WriteOptions {
  /** The name of the new image; without one it lives until the next `collect`. */
  readonly as?: string | undefined
  /** The comment in the history entry of a layer that stands for several. */
  readonly message?: string | undefined
  /** Keep times to the nanosecond; without it they are whole seconds, floored (layer-semantics M-07). */
  readonly nanoseconds?: boolean | undefined
  /** Seconds since the epoch; later times are lowered to it (layer-semantics M-08). */
  readonly sourceEpoch?: number | undefined
  /** Make ordinary layers also of those that may not be distributed (layer-semantics Q-06). */
  readonly unmark?: boolean | undefined
  /** Hears of what no archive can hold and is left out (layer-semantics X-09). */
  readonly onWarning?: ((warning: LayerWarning) => void) | undefined
}

/** Which layers become one. */
export interface SquashOptions extends RewriteOptions {
  /** The lowest layer of the range: 0, the default, is the base. */
  readonly from?: number | undefined
  /** The highest layer of the range; default: the top. */
  readonly to?: number | undefined
}

/** Where a layer is cut. */
export interface SplitOptions extends Omit<RewriteOptions, 'message'> {
  /** Which layer: 0 is the base. */
  readonly layer: number
  /** Bytes of a part, about: see `SplitViewOptions.size`. */
  readonly size?: number | undefined
  /** Paths (text) that become layers of their own, with all that is under them. */
  readonly paths?: readonly string[] | undefined
}

export interface Rewritten {
  readonly image: Image
  /** Names of the blobs that were made. */
  readonly added: readonly Digest[]
  readonly reports: readonly LayerReport[]
}

/** What rewriting reads and writes. The new layers can be read once `arrivals` are published. */
export interface Rewriting {
  readonly layers: Layers
  readonly blobs: BlobStore
  readonly arrivals: Arrivals
  /** What it took to accept the layers of the image: what is made of them is judged by the same, unless options say otherwise. */
  readonly limits: Partial<LayerLimits>
}

/** @throws PLY_USAGE if the image has no such layers, and what `packView` throws */
export async function squashImage(image: Image, options: SquashOptions, place: Rewriting): Promise<Rewritten> {
  const { from = 0, to = image.layers.length - 1 } = options
  checkRange(image, { from, to })
  for (let number = from; number <= to; number++) checkUnmarked(image, number, options.unmark)
  using views = await opened(image, to + 1, place.layers, options)
  const view = squashedView(views.of.slice(from), { bottom: from === 0 })
  const below = () => new StackedTree(views.of.slice(0, from), undefined)
  const made = await makeLayer(
    image,
    from,
    packView(view, { below: once(below), signal: options.signal }),
    options,
    place,
  )
  const { layer, report } = made
  return {
    image: squash(image, { from, to }, layer, stepOf('ply squash', options)),
    added: [layer.diffId],
    reports: [report],
  }
}

/** `tree` is the image's; the caller closes it. @throws PLY_USAGE if the image has no layers, and what `packTree` throws */
export async function flattenImage(
  image: Image,
  tree: Tree,
  options: RewriteOptions,
  place: Rewriting,
): Promise<Rewritten> {
  checkRange(image, { from: 0, to: image.layers.length - 1 })
  for (const number of image.layers.keys()) checkUnmarked(image, number, options.unmark)
  const { layer, report } = await makeLayer(image, 0, packTree(tree, options), options, place)
  return { image: flatten(image, layer, stepOf('ply flatten', options)), added: [layer.diffId], reports: [report] }
}

/** @throws PLY_USAGE if the image has no such layer or nobody says how to cut it, and what `packView` throws */
export async function splitImage(image: Image, options: SplitOptions, place: Rewriting): Promise<Rewritten> {
  const { layer: number, size, paths } = options
  checkRange(image, { from: number, to: number })
  checkUnmarked(image, number, options.unmark)
  if (size === undefined && !paths?.length) {
    throw new PlyError('PLY_USAGE', { reason: 'say how to cut the layer: by size, by paths, or both' })
  }
  if (size !== undefined && !(size > 0)) {
    throw new PlyError('PLY_USAGE', { reason: `a part of ${size} bytes holds nothing; give a size above 0` })
  }
  using views = await opened(image, number + 1, place.layers, options)
  const view = views.of[number]!
  const parts = await splitView(view, { size, paths: paths?.map(pathOf), signal: options.signal })
  const below = once(() => new StackedTree(views.of.slice(0, number), undefined))
  const made: { readonly layer: Layer; readonly report: LayerReport }[] = []
  for (const [at, part] of parts.entries()) {
    const items = packView(view, { part, below, signal: options.signal })
    made.push(await makeLayer(image, number + at, items, options, place))
  }
  const cut = made.map(({ layer }) => layer)
  return {
    image: split(image, number, cut),
    added: cut.map(({ diffId }) => diffId),
    reports: made.map(({ report }) => report),
  }
}

/** What the lowest layers of an image say. */
export async function opened(
  image: Image,
  count: number,
  layers: Layers,
  { signal, onProgress }: RewriteOptions,
): Promise<{ readonly of: readonly IndexedView[] } & Disposable> {
  const views: IndexedView[] = []
  const close = () => {
    for (const view of views) view.close()
  }
  try {
    for (const layer of image.layers.slice(0, count)) {
      await layers.ready(layer, { signal, onProgress })
      views.push(layers.view(layer))
    }
  } catch (error) {
    close()
    throw error
  }
  return { of: views, [Symbol.dispose]: close }
}

export async function makeLayer(
  image: Image,
  number: number,
  items: AsyncIterable<PackItem>,
  options: RewriteOptions,
  { layers, blobs, arrivals, limits }: Rewriting,
): Promise<{ readonly layer: Layer; readonly report: LayerReport }> {
  const { strict, lenient, signal, onProgress } = options
  const judged = { strict, lenient, limits: { ...limits, ...options.limits }, signal, onProgress }
  const made = await layers.make(packLayer(items, options), plainLayerType(image), arrivals, judged)
  const { descriptor, diffId } = made
  const stream: Layer['compressed'] = (operation) => blobs.stream(descriptor.digest, operation)
  const layer = { descriptor, diffId, compressed: stream, uncompressed: stream }
  return { layer, report: { layer: number, ...made.report } }
}

function stepOf(command: string, { message }: RewriteOptions): History {
  return { created_by: command, ...(message !== undefined && { comment: message }) }
}

/** A path as its user wrote it. @throws PLY_USAGE for one that leads out of the root, or nowhere */
export function pathOf(text: string): string {
  const names = encodeText(text)
    .split('/')
    .filter((name) => name !== '' && name !== '.')
  if (names.length > 0 && !names.includes('..')) return names.join('/')
  throw new PlyError('PLY_USAGE', { reason: `not a path to cut at: ${JSON.stringify(text)}` })
}

export function once<T>(make: () => T): () => T {
  let made: T | undefined
  return () => (made ??= make())
}
