import { append, scratch } from '../image/append.ts'
import { configure } from '../image/configure.ts'
import type { Image, ImageSource, Layer } from '../image/image.ts'
import { PlyError } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'

/** An image of one layer, with a history that says where it came from. The same layer and platform give the same digest. */
function singleLayerImage(layer: Layer, createdBy: string, platform: string | undefined): Image {
  const base = platform === undefined ? scratch : configure(scratch, { platform })
  return append(base, layer, { created_by: createdBy })
}

/**
 * A source of one image without a name. Its platform is whatever is asked for, since nothing in a tree of files says
 * which it is. `makeLayer` reads the content once, on the first question.
 */
export function singleLayerSource(
  where: string,
  createdBy: string,
  sourcePlatform: string | undefined,
  makeLayer: (operation: Operation) => Promise<Layer>,
  close: () => void = () => {},
): ImageSource {
  let layer: Promise<Layer> | undefined
  const imageFor = async (platform: string | undefined, operation: Operation) => {
    layer ??= makeLayer(operation).catch((error) => {
      layer = undefined
      throw error
    })
    return singleLayerImage(await layer, createdBy, platform)
  }
  return {
    async *list() {
      yield { name: undefined, descriptor: (await imageFor(sourcePlatform, {})).descriptor }
    },
    async image(name, { platform = sourcePlatform, signal, onProgress } = {}) {
      if (name !== undefined)
        throw new PlyError('PLY_IMAGE_NOT_FOUND', { name, where, available: 'one image, without a name' })
      return imageFor(platform, { signal, onProgress })
    },
    async [Symbol.asyncDispose]() {
      close()
    },
  }
}
