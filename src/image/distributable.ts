import type { Descriptor } from '../model/documents.ts'
import { PlyError } from '../model/errors.ts'
import type { Image } from './image.ts'

/** Whether a layer travels by addresses of its own, or not at all: foreign and non-distributable layers (layer-semantics Q-06). */
export function isForeign({ mediaType, urls = [] }: Descriptor): boolean {
  return urls.length > 0 || /\.nondistributable\.|\.foreign\./.test(mediaType)
}

/**
 * A layer that is written anew is another one: neither its addresses nor the mark that it may not be handed on are said of it.
 * So nothing is made of a layer that has them, unless that is wanted.
 *
 * @throws PLY_UNSUPPORTED naming the layer
 */
export function checkUnmarked(image: Image, number: number, unmark: boolean | undefined): void {
  const layer = image.layers[number]
  if (unmark || layer === undefined || !isForeign(layer.descriptor)) return
  throw new PlyError('PLY_UNSUPPORTED', {
    what: `writing layer ${number} anew`,
    reason: `it is a foreign layer (${layer.descriptor.mediaType}), and the new one would lose the mark that it may not be distributed; leave it out, or say that this is wanted (--unmark)`,
  })
}
