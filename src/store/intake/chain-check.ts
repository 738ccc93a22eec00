import { factBits, type Index } from '../../erofs/index.ts'
import { type Findings, type IndexedView, layerView } from '../../layer/index.ts'
import { type ByteString, displayText } from '../../model/bytes.ts'
import type { Operation } from '../../model/operation.ts'
import { Pace } from '../../model/pace.ts'
import { type StackedTree, stackedTree } from '../../stack/index.ts'
import { badLayer } from '../../tar/index.ts'
import { ofLayer } from './of-layer.ts'

/** One layer of an image that is being taken in. */
export interface ChainLayer {
  /**
   * What of it is compared with the layers below: nothing, since it refers to none of them; its hardlinks; or its implied
   * directories as well, which give warnings.
   */
  readonly refers: 'nothing' | 'by links' | 'in every way'
  /** Where the warnings go. */
  readonly findings: Findings
  /** The caller of this closes it. */
  openIndex(): Index
}

/**
 * Compares the layers of an image with those below them, base first: what one archive cannot show (layer-semantics N-13,
 * H-03 and H-06 through below). Only indexes are read, and only of images that have something to compare; of an index
 * only directories that both sides have.
 *
 * @throws PLY_BAD_LAYER for a hardlink to what no layer below has; for N-13 if the findings are strict; PLY_ABORTED
 */
export async function checkChain(layers: readonly ChainLayer[], { signal }: Operation = {}): Promise<void> {
  const indexes: (Index | undefined)[] = []
  const indexOf = (at: number): Index => (indexes[at] ??= layers[at]!.openIndex())
  const views: IndexedView[] = []
  const pace = new Pace(signal)
  try {
    for (const [at, { refers, findings }] of layers.entries()) {
      if (refers === 'nothing') continue
      const index = indexOf(at)
      const links = index.externalLinks()
      const implied = refers === 'in every way' && at > 0
      if (links.length === 0 && !implied) continue
      while (views.length < at) views.push(layerView(indexOf(views.length), noContent))
      const below = stackedTree(views.slice(0, at))
      try {
        for (const link of links) {
          checkLink(index, link, below)
          if (pace.due()) await pace.rest()
        }
        if (!implied) continue
        for (const path of replacedSymlinks(index, below)) {
          if (path !== undefined) findings.warn(path, 'N-13', notFollowed)
          if (pace.due()) await pace.rest()
        }
      } catch (error) {
        throw ofLayer(error, at)
      }
    }
  } finally {
    for (const index of indexes) index?.close()
  }
}

const notFollowed = 'it is a symlink below, and is not followed: a directory that no entry describes takes its place'

/** Paths at which an implied directory of the layer stands where a symlink stood; `undefined` after each directory. */
function* replacedSymlinks(index: Index, below: StackedTree): Generator<ByteString | undefined> {
  if (index.flags(index.root) & factBits.opaque) return
  const waiting = [{ ino: index.root, lower: below.root, prefix: '' }]
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    for (const { name, ino, kind } of index.list(directory.ino)) {
      if (kind !== 'directory') continue
      const flags = index.flags(ino)
      // A ghost is no directory; what it whites out is nobody's path.
      if (flags & factBits.ghost) continue
      const lower = below.lookup(directory.lower, name)
      if (lower === undefined) continue
      const stood = below.ownStat(lower).kind
      const path = directory.prefix + name
      if (stood === 'symlink' && flags & factBits.implied) yield path
      if (stood === 'directory' && !(flags & factBits.opaque)) waiting.push({ ino, lower, prefix: `${path}/` })
    }
    yield undefined
  }
}

function checkLink(index: Index, link: { directory: number; name: ByteString; path: ByteString }, below: StackedTree) {
  const target = find(below, link.path)
  const kind = target === undefined ? undefined : below.ownStat(target).kind
  if (kind !== undefined && kind !== 'directory') return
  const entry = pathOf(index, link.directory) + link.name
  const to = `a hardlink to ${displayText(link.path)}`
  if (kind === 'directory') throw badLayer(entry, 'H-03', `${to}, which is a directory below`)
  throw badLayer(entry, 'H-06', `${to}, which neither the layer nor any below it has`)
}

/** What stands at a path. Symlinks on the way are not followed, as in the view. */
function find(tree: StackedTree, path: ByteString): number | undefined {
  let ino: number | undefined = tree.root
  for (const name of path.split('/')) {
    if (ino === undefined || tree.ownStat(ino).kind !== 'directory') return undefined
    ino = tree.lookup(ino, name)
  }
  return ino
}

/** The path of a directory in an index, with a slash behind it; the root is empty. */
function pathOf(index: Index, directory: number): ByteString {
  let path = ''
  for (let at = directory; at !== index.root; ) {
    const parent = index.parent(at)
    for (const { name, ino } of index.list(parent)) {
      if (ino !== at) continue
      path = `${name}/${path}`
      break
    }
    at = parent
  }
  return path
}

/** Names are compared here, and nothing else. */
function noContent(): never {
  throw new TypeError('a check of names reads no content')
}
