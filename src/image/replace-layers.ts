import type { History } from '../model/documents.ts'
import { mediaTypes } from '../model/documents.ts'
import { PlyError } from '../model/errors.ts'
import { composeImage } from './assemble.ts'
import { type HistoryStep, historyOf } from './history.ts'
import type { Image, Layer } from './image.ts'

/** Layers of an image by their numbers: 0 is the base, both ends are in it. */
export interface LayerRange {
  readonly from: number
  readonly to: number
}

/** @throws PLY_USAGE if the image has no such layers */
export function checkRange(image: Image, { from, to }: LayerRange): void {
  const { length } = image.layers
  const fits = [from, to].every((number) => Number.isInteger(number) && number >= 0 && number < length)
  if (fits && from <= to) return
  if (length === 0) throw new PlyError('PLY_USAGE', { reason: 'the image has no layers' })
  const wanted = from === to ? `no layer ${from}` : `no layers ${from} to ${to}`
  throw new PlyError('PLY_USAGE', { reason: `${wanted}: the image has layers 0 (the base) to ${length - 1}` })
}

/** The media type of a layer that is made for an image, in the family of its others: a plain tar. */
export function plainLayerType(image: Image): string {
  return image.descriptor.mediaType === mediaTypes.dockerManifest ? mediaTypes.dockerLayer : mediaTypes.ociLayer
}

/**
 * The image with other layers in place of some. `rewrite` answers the steps of the history that stand for the new ones, given
 * those from the first of the replaced layers to the last, with what lies between: a step without `empty_layer` for each new
 * layer. Everything else of configuration and manifest stays.
 */
export function replaceLayers(
  image: Image,
  { from, to }: LayerRange,
  layers: readonly Layer[],
  rewrite: (steps: readonly HistoryStep[]) => readonly History[],
): Image {
  const steps = historyOf(image)
  const numbers = steps.flatMap(({ layer }, at) => (layer === undefined ? [] : [at]))
  const first = numbers[from]!
  const behind = numbers[to]! + 1
  const { rootfs: _, ...config } = image.config
  const { manifest, descriptor } = image
  return composeImage({
    manifest: { ...manifest, mediaType: manifest.mediaType ?? descriptor.mediaType },
    config: {
      ...config,
      history: [
        ...steps.slice(0, first).map(({ step }) => step),
        ...rewrite(steps.slice(first, behind)),
        ...steps.slice(behind).map(({ step }) => step),
      ],
    },
    layers: [...image.layers.slice(0, from), ...layers, ...image.layers.slice(to + 1)],
  })
}
