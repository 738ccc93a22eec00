import { historyOf } from '../../image/history.ts'
import type { Image } from '../../image/image.ts'
import type { Operation } from '../../model/operation.ts'
import type { LayerStack, OpenLayer } from '../../trace/index.ts'
import type { LayerDigests } from '../layers/content-digests.ts'
import type { Layers } from '../layers/layers.ts'

/** The layers of an image one by one; what is missing of their caches is built. @throws PLY_ABORTED, and what building meets */
export async function openStack(
  image: Image,
  { layers, digests }: { readonly layers: Layers; readonly digests: LayerDigests },
  operation: Operation,
): Promise<LayerStack> {
  const open: OpenLayer[] = []
  let complete = false
  try {
    for (const { step, layer } of historyOf(image)) {
      if (layer === undefined) continue
      await layers.ready(layer, operation)
      const { diffId, descriptor } = layer
      open.push({ diffId, digest: descriptor.digest, size: descriptor.size, step, view: layers.view(layer) })
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
