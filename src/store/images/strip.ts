import { mentionsOf, PathSet, packView, withoutPaths } from '../../diff/index.ts'
import { configure } from '../../image/configure.ts'
import { checkUnmarked } from '../../image/distributable.ts'
import type { Image, Layer } from '../../image/image.ts'
import type { LayerReport } from '../../image/layer-report.ts'
import { replaceLayers } from '../../image/replace-layers.ts'
import type { LayerView } from '../../layer/index.ts'
import { cleanName, opaqueMarker, whiteoutPrefix } from '../../layer/names.ts'
import { type ByteString, displayText } from '../../model/bytes.ts'
import type { Digest } from '../../model/digest.ts'
import { PlyError } from '../../model/errors.ts'
import type { Operation } from '../../model/operation.ts'
import { Pace } from '../../model/pace.ts'
import { StackedTree } from '../../stack/stacked-tree.ts'
import type { Bytes } from '../../stream/bytes.ts'
import { scanTar } from '../../tar/index.ts'
import { makeLayer, once, opened, pathOf, type RewriteOptions, type Rewriting, type Rewritten } from './rewrite.ts'

/** What goes out of every layer. */
export interface StripOptions extends Omit<RewriteOptions, 'nanoseconds'> {
  /** What goes (text), each with all that is under it. Symlinks on the way are not followed. */
  readonly paths: readonly string[]
  /** Hears of a path (as it was given) that no layer knows; without it that is an error. */
  readonly onMissing?: ((path: string) => void) | undefined
}

/**
 * Takes paths out of every layer that has them, or only removes them: such a layer is written anew without them, every other one
 * stays as it is, and if all do, so does the image. The image shows the same, but for the paths. Files that were at the paths and have other names keep their
 * content there, which `onWarning` hears of. Steps of the history stay, and one more tells of this.
 *
 * @throws ENOENT for a path that no layer knows; PLY_USAGE for one that is none; PLY_UNSUPPORTED for foreign layers (Q-06)
 */
export async function stripImage(
  image: Image,
  { paths, onMissing, ...rest }: StripOptions,
  place: Rewriting,
): Promise<Rewritten> {
  const options = { ...rest, nanoseconds: true }
  const wanted = [...new Set(paths.map(pathOf))]
  if (wanted.length === 0) throw new PlyError('PLY_USAGE', { reason: 'say which paths shall go' })
  const set = new PathSet(wanted)
  using views = await opened(image, image.layers.length, place.layers, options)
  const unseen = new Set(wanted)
  const left: LayerView[] = []
  const layers: Layer[] = []
  const added: Digest[] = []
  const reports: LayerReport[] = []
  for (const [number, layer] of image.layers.entries()) {
    const view = views.of[number]!
    const { any, stillLinked } = mentionsOf(view, wanted)
    for (const path of unseen) if (mentionsOf(view, [path]).any) unseen.delete(path)
    const bytes = any ? undefined : place.layers.tar(layer)
    const written = any || (bytes !== undefined && (await isIn(bytes, set, unseen, options)))
    if (!written) {
      left.push(view)
      layers.push(layer)
      continue
    }
    checkUnmarked(image, number, options.unmark)
    for (const { path, to } of stillLinked) {
      const text = `layer ${number}: it is one file with ${displayText(to)}, and still has its content`
      options.onWarning?.({ rule: 'H-10', entry: displayText(path), text })
    }
    const without = withoutPaths(
      view,
      set,
      once(() => new StackedTree(views.of.slice(0, number), undefined)),
    )
    const below = [...left]
    const items = packView(without, { below: once(() => new StackedTree(below, undefined)), signal: options.signal })
    const made = await makeLayer(image, number, items, options, place)
    left.push(without)
    layers.push(made.layer)
    added.push(made.layer.diffId)
    reports.push(made.report)
  }
  for (const path of paths.filter((one) => unseen.has(pathOf(one)))) {
    if (onMissing === undefined) throw new PlyError('ENOENT', { syscall: 'strip', path })
    onMissing(path)
  }
  if (added.length === 0) return { image, added, reports }
  const range = { from: 0, to: image.layers.length - 1 }
  const stripped = replaceLayers(image, range, layers, (steps) => steps.map(({ step }) => step))
  const { created } = image.config.history?.at(-1) ?? {}
  const isKnown = (path: ByteString) => !unseen.has(path)
  const history = {
    ...(created !== undefined && { created }),
    created_by: `ply strip ${wanted
      .filter(isKnown)
      .map((path) => `/${displayText(path)}`)
      .join(' ')}`,
    ...(options.message !== undefined && { comment: options.message }),
  }
  return { image: configure(stripped, { history }), added, reports }
}

/**
 * Whether an archive has anything at one of the paths, also what its layer does not show: what a later entry took the place of,
 * and markers without effect. Headers are read, and no content.
 */
async function isIn(bytes: Bytes, paths: PathSet, unseen: Set<ByteString>, { signal }: Operation): Promise<boolean> {
  const pace = new Pace(signal)
  let found = false
  try {
    for (const { name, type, linkName } of scanTar(bytes, { sparseEntries: Number.MAX_SAFE_INTEGER })) {
      if (pace.due()) await pace.rest()
      for (const one of type === '1' ? [name, linkName] : [name]) {
        const path = unmarked(cleanName(one) ?? '')
        if (!paths.has(path)) continue
        found = true
        unseen.delete(path)
      }
    }
    return found
  } finally {
    bytes.close()
  }
}

/** The path that a marker speaks of. */
function unmarked(path: ByteString): ByteString {
  const slash = path.lastIndexOf('/')
  const name = path.slice(slash + 1)
  if (name === opaqueMarker) return path.slice(0, Math.max(slash, 0))
  return name.startsWith(whiteoutPrefix) ? path.slice(0, slash + 1) + name.slice(whiteoutPrefix.length) : path
}
