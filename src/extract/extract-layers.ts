import type { LayerView } from '../layer/view.ts'
import { stackedTree } from '../stack/stacked-tree.ts'
import type { Tree } from '../stack/tree.ts'
import type { ExtractOptions } from './extract-tree.ts'
import { layerFolder } from './layer-folder.ts'
import { type OverlayForm, probeForm } from './overlay-form.ts'
import type { ExtractReport } from './report.ts'
import { writeParts } from './write-parts.ts'

/** How layers are written to a directory, each for itself. */
export interface ExtractLayersOptions extends Omit<ExtractOptions, 'onWritten'> {
  /** What of the form is asked for; what is left out is what the place can do. */
  readonly form?: Partial<OverlayForm> | undefined
}

/** What `extractLayers` has done. */
export interface LayersReport {
  readonly form: OverlayForm
  /** Of each layer, base first. `target` is its folder, as an absolute path. */
  readonly layers: readonly ExtractReport[]
}

/**
 * Writes each layer of a stack to a folder of its own, `0` the base (layer-semantics, section 14, D-07 to D-12): overlayfs over these
 * folders, the last one first in `lowerdir=`, shows what the stack shows; so does fuse-overlayfs. Otherwise as `extractTree`, but that
 * attributes of all kinds are written unless `xattrs` says otherwise.
 *
 * A further name of a file below is a copy here, and counted as `link`: overlayfs knows no links between layers.
 *
 * @param layers base first; they stay open
 * @param target text; new or empty
 * @throws as `extractTree`; PLY_UNREPRESENTABLE also for a device 0:0 that the form cannot hold (D-09)
 */
export async function extractLayers(
  layers: readonly LayerView[],
  target: string,
  { form: asked, ...options }: ExtractLayersOptions = {},
): Promise<LayersReport> {
  let form: OverlayForm | undefined
  const reports = await writeParts(
    target,
    (place) => {
      const found = probeForm(place, asked)
      form = found
      const width = String(layers.length - 1).length
      return layers.map((layer, at) => {
        const folder = layerFolder(layer, stackOf(layers.slice(0, at)), stackOf(layers.slice(0, at + 1)))
        return { tree: folder.tree, name: String(at).padStart(width, '0'), layer: { folder, form: found } }
      })
    },
    { xattrs: 'all', ...options },
  )
  return { form: form!, layers: reports }
}

/** Layers stay the caller's: nothing closes the tree. */
function stackOf(layers: readonly LayerView[]): Tree {
  return stackedTree(layers)
}
