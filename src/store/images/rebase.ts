import type { Image } from '../../image/image.ts'
import type { LayerReport, WriteOptions } from '../../image/layer-report.ts'
import { rebase } from '../../image/rebase.ts'
import { Findings, type IndexedView } from '../../layer/index.ts'
import { StackedTree } from '../../stack/stacked-tree.ts'
import type { Layers } from '../layers/layers.ts'
import type { Rewriting, Rewritten } from './rewrite.ts'
import { surprisesOf } from './shadows.ts'

/** Which base goes, and which one comes. */
export interface RebaseOptions extends WriteOptions {
  /** The image that this one was built on, by name or as it is. */
  readonly oldBase: string | Image
  /** The image that it shall stand on. */
  readonly newBase: string | Image
  /** The name of the new image; without one it lives until the next `collect`. */
  readonly as?: string | undefined
}

/**
 * Puts an image on another base (see `rebase` of `image/`). What its own layers find below them now is looked at: hardlinks
 * must find their targets. What is a warning in the report of its layer: a directory that now takes the place of a symlink, as it
 * did not on the old base, and what the layer hides or removes of the new base that is not what the old one had there
 * (layer-semantics N-13, R-02, W-01). Contents are read only to be compared.
 *
 * @throws PLY_USAGE if the image was not built on the old base; PLY_BAD_LAYER for a hardlink whose target the new base lacks
 */
export async function rebaseImage(
  image: Image,
  { oldBase, newBase }: { readonly oldBase: Image; readonly newBase: Image },
  options: WriteOptions,
  { layers, arrivals }: Omit<Rewriting, 'blobs' | 'limits'>,
): Promise<Rewritten> {
  const rebased = rebase(image, oldBase, newBase)
  const { added, reports } = await layers.take(rebased.layers, arrivals, options)
  const own = image.layers.length - oldBase.layers.length
  const found = await surprises(image, rebased, own, layers, options)
  return { image: rebased, added, reports: reports.map((report) => withFindings(report, found[report.layer])) }
}

/** By the number of the layer in the new image: what it finds there and did not find in the old one. */
async function surprises(
  before: Image,
  after: Image,
  own: number,
  layers: Layers,
  { signal, strict }: WriteOptions,
): Promise<readonly (Findings | undefined)[]> {
  const found: (Findings | undefined)[] = []
  const opened: IndexedView[] = []
  try {
    const [old, fresh] = [before, after].map((image) =>
      image.layers.map((layer) => {
        const view = layers.view(layer)
        opened.push(view)
        return view
      }),
    ) as [IndexedView[], IndexedView[]]
    for (let left = own; left > 0; left--) {
      const number = fresh.length - left
      const findings = new Findings(strict)
      const below = { before: stacked(old.slice(0, old.length - left)), after: stacked(fresh.slice(0, number)) }
      for await (const { path, rule, text } of surprisesOf(fresh[number]!, below, signal))
        findings.warn(path, rule, text)
      found[number] = findings
    }
    return found
  } finally {
    for (const view of opened) view.close()
  }
}

/** Closing it is left to whoever closes the views. */
function stacked(views: readonly IndexedView[]): StackedTree {
  return new StackedTree(views, undefined)
}

function withFindings(report: LayerReport, findings: Findings | undefined): LayerReport {
  if (findings === undefined) return report
  const { warnings, warningCount } = findings.report()
  if (warningCount === 0) return report
  const byRule = { ...report.warningsByRule }
  for (const [rule, count] of Object.entries(findings.report().warningsByRule))
    byRule[rule] = (byRule[rule] ?? 0) + count
  return {
    ...report,
    warnings: [...report.warnings, ...warnings],
    warningCount: report.warningCount + warningCount,
    warningsByRule: byRule,
  }
}
