import { packView } from '../../diff/index.ts'
import { checkUnmarked } from '../../image/distributable.ts'
import type { Image, Layer } from '../../image/image.ts'
import type { LayerReport } from '../../image/layer-report.ts'
import { withLowerTimes } from '../../image/lower-times.ts'
import { checkBase } from '../../image/rebase.ts'
import { checkRange } from '../../image/replace-layers.ts'
import type { Digest } from '../../model/digest.ts'
import { PlyError } from '../../model/errors.ts'
import type { Operation } from '../../model/operation.ts'
import { Pace } from '../../model/pace.ts'
import { StackedTree } from '../../stack/stacked-tree.ts'
import type { Bytes } from '../../stream/bytes.ts'
import { scanTar } from '../../tar/index.ts'
import { makeLayer, once, opened, type RewriteOptions, type Rewriting, type Rewritten } from './rewrite.ts'

/** Down to which time, and where the image goes. */
export interface LowerTimesOptions extends Omit<RewriteOptions, 'nanoseconds' | 'sourceEpoch' | 'message'> {
  /** Seconds since the epoch (`SOURCE_DATE_EPOCH`). */
  readonly sourceEpoch: number
  /** The image that this one was built on, by name or as it is: its layers and steps stay as they are. */
  readonly base?: string | Image | undefined
  /** The lowest layer to be looked at; 0, the default, is the base. In place of `base`. */
  readonly from?: number | undefined
}

/**
 * Lowers every time in an image that is later than the source epoch to it: of entries in layers, of the config and its history,
 * and what annotations and labels say of its creation (layer-semantics M-08). A layer without such times stays as it is.
 *
 * @throws PLY_USAGE for an epoch that is none, a layer that is not there, and a base that is none; PLY_UNSUPPORTED for foreign
 * layers that would have to be written
 */
export async function lowerTimesOfImage(
  image: Image,
  { sourceEpoch, from: lowest, base, ...rest }: Omit<LowerTimesOptions, 'base'> & { readonly base?: Image | undefined },
  place: Rewriting,
): Promise<Rewritten> {
  if (!Number.isSafeInteger(sourceEpoch) || Math.abs(sourceEpoch) > 8.64e12)
    throw new PlyError('PLY_USAGE', { reason: `not a source epoch: ${sourceEpoch}; write seconds since 1970` })
  if (base !== undefined) checkBase(image, base)
  const from = base?.layers.length ?? lowest ?? 0
  if (from !== 0 && base === undefined) checkRange(image, { from, to: image.layers.length - 1 })
  const options = { ...rest, sourceEpoch, nanoseconds: true }
  using views = await opened(image, image.layers.length, place.layers, options)
  const layers: Layer[] = image.layers.slice(0, from)
  const added: Digest[] = []
  const reports: LayerReport[] = []
  for (const [at, layer] of image.layers.slice(from).entries()) {
    const number = from + at
    if (!(await hasLater(place.layers.tar(layer), sourceEpoch, options))) {
      layers.push(layer)
      continue
    }
    checkUnmarked(image, number, options.unmark)
    const below = once(() => new StackedTree(views.of.slice(0, number), undefined))
    const items = packView(views.of[number]!, { below, signal: options.signal })
    const made = await makeLayer(image, number, items, options, place)
    layers.push(made.layer)
    added.push(made.layer.diffId)
    reports.push(made.report)
  }
  return { image: withLowerTimes(image, sourceEpoch, layers, from), added, reports }
}

/** Headers are read, and no content. */
async function hasLater(bytes: Bytes, sourceEpoch: number, { signal }: Operation): Promise<boolean> {
  const pace = new Pace(signal)
  const latest = BigInt(sourceEpoch) * 1_000_000_000n
  try {
    for (const { mtime } of scanTar(bytes, { sparseEntries: Number.MAX_SAFE_INTEGER })) {
      if (pace.due()) await pace.rest()
      if (mtime > latest) return true
    }
    return false
  } finally {
    bytes.close()
  }
}
