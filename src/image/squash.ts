import type { History } from '../model/documents.ts'
import type { Image, Layer } from './image.ts'
import { checkRange, type LayerRange, replaceLayers } from './replace-layers.ts'

/**
 * The image with one layer in place of several. In the history one step stands for them, where the last of them was made;
 * steps between them that made no layer stay. It has the time of the last one, so that nothing depends on the clock.
 *
 * @throws PLY_USAGE if the image has no such layers
 */
export function squash(image: Image, range: LayerRange, layer: Layer, history: History = {}): Image {
  checkRange(image, range)
  return replaceLayers(image, range, [layer], (steps) => {
    const last = steps.at(-1)!.step
    const empty = steps.flatMap(({ step, layer: made }) => (made === undefined ? [step] : []))
    const comment = `layers ${range.from} to ${range.to} of ${image.digest}`
    return [...empty, { ...(last.created !== undefined && { created: last.created }), comment, ...history }]
  })
}

/** The image with one layer in place of all, if it has any: see `squash`. */
export function flatten(image: Image, layer: Layer, history: History = {}): Image {
  return squash(image, { from: 0, to: image.layers.length - 1 }, layer, history)
}
