import type { Image, Layer } from './image.ts'
import { checkRange, replaceLayers } from './replace-layers.ts'

/**
 * The image with several layers in place of one, base first. In the history each of them has the step of the one it was cut
 * from, with its number in the comment.
 *
 * @throws PLY_USAGE if the image has no such layer
 */
export function split(image: Image, number: number, parts: readonly Layer[]): Image {
  const range = { from: number, to: number }
  checkRange(image, range)
  return replaceLayers(image, range, parts, ([whole]) => {
    const { step } = whole!
    return parts.map((_, part) => {
      const place = `part ${part + 1} of ${parts.length}`
      return { ...step, comment: step.comment === undefined ? place : `${step.comment} (${place})` }
    })
  })
}
