import { PlyError } from '../../model/errors.ts'
import type { Operation } from '../../model/operation.ts'
import { splitReference } from '../../model/reference.ts'
import type { SignatureRequirement } from '../../signature/index.ts'
import type { LayerStack } from '../../trace/index.ts'
import type { RegistryOptions } from '../../transport/registry/options.ts'
import { layerLender, type Store } from '../store.ts'
import { DistantImage } from './distant-image.ts'
import { unsignedHere, withoutLayers } from './open-tree.ts'

/** Which image of an index, and how it is read. */
export interface OpenLayersOptions extends Operation {
  /** Where names without a transport are looked up, and layers of images elsewhere that need not be fetched. */
  readonly store?: Store
  readonly platform?: string | undefined
  /** How registries are spoken with. */
  readonly registry?: RegistryOptions | undefined
  /** Look only into what a signature vouches for. The store keeps none: what is in it is refused. */
  readonly signatures?: SignatureRequirement | undefined
}

/**
 * The layers of an image by its reference: a name in the store, or an image of any transport, of which nothing
 * is stored.
 *
 * @throws what the place it comes from throws; PLY_USAGE for a name without a store, and for what has no layers
 */
export async function openLayers(
  reference: string,
  { store, platform, registry, signatures, ...operation }: OpenLayersOptions = {},
): Promise<LayerStack> {
  const { transport, details } = splitReference(reference)
  if (transport === 'container' || transport === 'rootfs') throw withoutLayers(reference)
  if (transport === 'store') {
    if (signatures !== undefined) throw unsignedHere(reference)
    if (store === undefined)
      throw new PlyError('PLY_USAGE', { reason: `${reference} is a name in a store: say which store` })
    const image = await store.image(details, { ...operation, ...(platform !== undefined && { platform }) })
    return store.layers(image, operation)
  }
  const lend = store?.[layerLender]
  const distant = await DistantImage.open(reference, { platform, registry, signatures, lend, ...operation })
  try {
    const stack = await distant.stack(operation)
    await distant.settle()
    return stack
  } catch (error) {
    await distant.close()
    throw error
  }
}
