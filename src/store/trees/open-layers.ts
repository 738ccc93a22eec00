import { PlyError } from '../../model/errors.ts'
import type { Operation } from '../../model/operation.ts'
import { splitReference } from '../../model/reference.ts'
import type { LayerStack } from '../../trace/index.ts'
import type { RegistryOptions } from '../../transport/registry/options.ts'
import type { Store } from '../store.ts'
import { withoutLayers } from './open-tree.ts'
import { passingStore } from './passing-store.ts'

export interface OpenLayersOptions extends Operation {
  /** Where names without a transport are looked up. */
  readonly store?: Store
  readonly platform?: string | undefined
  /** How registries are spoken with. */
  readonly registry?: RegistryOptions | undefined
}

/**
 * The layers of an image by its reference: a name in the store, or an image of any transport, which is read into a store of its
 * own that goes when the stack is closed.
 *
 * @throws what the place it comes from throws; PLY_USAGE for a name without a store, and for what has no layers
 */
export async function openLayers(
  reference: string,
  { store, platform, registry, ...operation }: OpenLayersOptions = {},
): Promise<LayerStack> {
  const { transport, details } = splitReference(reference)
  if (transport === 'container' || transport === 'rootfs') throw withoutLayers(reference)
  if (transport === 'store') {
    if (store === undefined)
      throw new PlyError('PLY_USAGE', { reason: `${reference} is a name in a store: say which store` })
    const image = await store.image(details, { ...operation, ...(platform !== undefined && { platform }) })
    return store.layers(image, operation)
  }
  const { store: passing, image, forget } = await passingStore(reference, { platform, registry, ...operation })
  try {
    const stack = await passing.layers(image, operation)
    return {
      ...stack,
      close() {
        stack.close()
        forget()
      },
    }
  } catch (error) {
    forget()
    throw error
  }
}
