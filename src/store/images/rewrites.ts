import type { BlobStore } from '../../blob/blob-store.ts'
import type { Image } from '../../image/image.ts'
import type { WriteOptions } from '../../image/layer-report.ts'
import type { LayerLimits } from '../../layer/index.ts'
import type { Operation } from '../../model/operation.ts'
import { normalName } from '../../model/reference.ts'
import type { Tree } from '../../stack/tree.ts'
import type { Arrivals } from '../intake/arrivals.ts'
import type { Layers } from '../layers/layers.ts'
import type { Store } from '../store.ts'
import { lowerTimesOfImage } from './lower-times.ts'
import { rebaseImage } from './rebase.ts'
import { flattenImage, type Rewriting, type Rewritten, splitImage, squashImage } from './rewrite.ts'
import { stripImage } from './strip.ts'

/** What of a store its rewriting verbs need. */
export interface RewritingStore {
  readonly layers: Layers
  readonly blobs: BlobStore
  /** An image by its name, or as it is. */
  given(image: string | Image, operation: Operation): Promise<Image>
  tree(image: Image, operation: Operation): Promise<Tree>
  /** What it took to accept the layers of an image. */
  limitsOf(image: Image): Partial<LayerLimits>
  /** Publishes what `make` made, under a name if there is one. */
  arriving(
    as: string | undefined,
    options: WriteOptions,
    make: (arrivals: Arrivals) => Promise<Rewritten>,
  ): Promise<Image>
}

/** The verbs of a store that make an image of another one. */
export function rewritesOf(
  store: RewritingStore,
): Pick<Store, 'squash' | 'flatten' | 'split' | 'rebase' | 'strip' | 'lowerTimes'> {
  const { layers, blobs } = store
  const rewriting = async (
    image: string | Image,
    options: WriteOptions & { readonly as?: string | undefined },
    rewrite: (image: Image, place: Rewriting) => Promise<Rewritten>,
  ): Promise<Image> => {
    const as = options.as === undefined ? undefined : normalName(options.as)
    return store.arriving(as, options, async (arrivals) => {
      // Only now: what was found before collections are held off may be gone.
      const own = await store.given(image, operationOf(options))
      return rewrite(own, { layers, blobs, arrivals, limits: store.limitsOf(own) })
    })
  }
  return {
    squash: (image, options = {}) => rewriting(image, options, (own, place) => squashImage(own, options, place)),
    flatten: (image, options = {}) =>
      rewriting(image, options, async (own, place) => {
        const tree = await store.tree(own, operationOf(options))
        try {
          return await flattenImage(own, tree, options, place)
        } finally {
          tree.close()
        }
      }),
    split: (image, options) => rewriting(image, options, (own, place) => splitImage(own, options, place)),
    strip: (image, options) => rewriting(image, options, (own, place) => stripImage(own, options, place)),
    lowerTimes: (image, options) =>
      rewriting(image, options, async (own, place) => {
        const base = options.base === undefined ? undefined : await store.given(options.base, operationOf(options))
        return lowerTimesOfImage(own, { ...options, base }, place)
      }),
    rebase: (image, options) =>
      rewriting(image, options, async (own, place) => {
        const oldBase = await store.given(options.oldBase, operationOf(options))
        const newBase = await store.given(options.newBase, operationOf(options))
        return rebaseImage(own, { oldBase, newBase }, options, place)
      }),
  }
}

function operationOf({ signal, onProgress }: Operation): Operation {
  return { signal, onProgress }
}
