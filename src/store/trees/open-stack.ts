import { historyOf } from '../../image/history.ts'
import type { Image } from '../../image/image.ts'
import type { IndexedView } from '../../layer/index.ts'
import { codeOf } from '../../model/errors.ts'
import type { Operation } from '../../model/operation.ts'
import type { Lock } from '../../sys/disk.ts'
import type { LayerStack, OpenLayer } from '../../trace/index.ts'
import type { LayerDigests } from '../layers/content-digests.ts'
import type { LayerId } from '../layers/layer-files.ts'
import type { Layers } from '../layers/layers.ts'

export interface StackParts {
  readonly layers: Layers
  readonly digests: LayerDigests
  /** Holds off collection while caches are written. @throws PLY_STORE_READ_ONLY */
  lease(operation: Operation): Promise<Lock>
}

/** The layers of an image one by one; what is missing of their caches is built. @throws PLY_ABORTED, and what building meets */
export async function openStack(
  image: Image,
  { layers, digests, lease }: StackParts,
  operation: Operation,
): Promise<LayerStack> {
  const open: OpenLayer[] = []
  let complete = false
  try {
    for (const { step, layer } of historyOf(image)) {
      if (layer === undefined) continue
      const { diffId, descriptor } = layer
      const view = viewOf(layers, layer) ?? (await built(layers, layer, { lease, ...operation }))
      open.push({ diffId, digest: descriptor.digest, size: descriptor.size, step, view })
    }
    complete = true
  } finally {
    if (!complete) for (const { view } of open) view.close()
  }
  const memory = digests.memory()
  return {
    image,
    layers: open,
    memory,
    close() {
      for (const { view } of open) view.close()
      memory.close()
    },
  }
}

async function built(
  layers: Layers,
  layer: LayerId,
  { lease, ...operation }: Pick<StackParts, 'lease'> & Operation,
): Promise<IndexedView> {
  using _ = await lease(operation)
  await layers.ready(layer, operation)
  return layers.view(layer)
}

/** What a layer says; `undefined` if it is not ready. */
function viewOf(layers: Layers, layer: LayerId): IndexedView | undefined {
  let view: IndexedView
  try {
    view = layers.view(layer)
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'PLY_BAD_INDEX') return undefined
    throw error
  }
  if (layers.hasTar(layer, view.devices[0]?.size)) return view
  view.close()
  return undefined
}
