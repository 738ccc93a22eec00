import { scratch } from '../../src/image/append.ts'
import type { Image } from '../../src/image/image.ts'
import type { ContentPlace, IndexedView } from '../../src/layer/view.ts'
import type { Digest } from '../../src/model/digest.ts'
import type { DigestMemory } from '../../src/stack/index.ts'
import type { LayerStack } from '../../src/trace/index.ts'

/** Views as the layers of an image, each made by a step that says its number. */
export function stackOf(views: readonly IndexedView[], image: Image = scratch): LayerStack {
  const layers = views.map((view, number) => {
    const { diffId, size } = view.devices[0]!
    return { diffId, digest: diffId, size, step: { created_by: `step ${number}` }, view }
  })
  return { image, layers, memory: memoryOf(), close() {} }
}

function memoryOf(): DigestMemory & { readonly known: DigestMemory['known'] } {
  const known = new Map<string, Digest>()
  const key = ({ layer, offset, spill }: ContentPlace, size: number) => `${layer} ${offset} ${spill ?? false} ${size}`
  return {
    known: (place, size) => known.get(key(place, size)),
    remember: (place, size, digest) => void known.set(key(place, size), digest),
    compared: () => false,
    close() {},
  }
}
