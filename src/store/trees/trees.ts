import { join } from 'node:path'
import type { Device } from '../../erofs/index.ts'
import type { IndexedView } from '../../layer/index.ts'
import type { ChainId } from '../../model/digest.ts'
import { chainIds, hexOf } from '../../model/digest.ts'
import { codeOf, PlyError } from '../../model/errors.ts'
import type { Operation } from '../../model/operation.ts'
import { timed } from '../../model/phases.ts'
import { writeTree } from '../../stack/fold.ts'
import { FoldedTree } from '../../stack/folded-tree.ts'
import { StackedTree } from '../../stack/stacked-tree.ts'
import type { Tree } from '../../stack/tree.ts'
import type { Disk, Lock } from '../../sys/disk.ts'
import { cacheDraft } from '../layers/cache-draft.ts'
import { findIndex } from '../layers/cached-index.ts'
import type { LayerDigests } from '../layers/content-digests.ts'
import type { LayerId } from '../layers/layer-files.ts'
import type { Layers } from '../layers/layers.ts'
import type { Layout } from '../layout.ts'

/** More unfolded layers than this on a cached prefix are folded before they are read. */
const unfoldedLimit = 8

/** How often caches that vanish under our hands are built anew before we give up. */
const attempts = 3

export interface TreesOptions {
  readonly disk: Disk
  readonly layout: Layout
  readonly layers: Layers
  readonly digests: LayerDigests
  readonly writable: boolean
  /** Stores below: their folded trees are used. */
  readonly below?: readonly Pick<Layout, 'treeOf'>[]
  /** Holds off collection while caches are written. @throws PLY_STORE_READ_ONLY */
  lease(operation: Operation): Promise<Lock>
}

type Opening = { readonly folded?: boolean } & Operation

/**
 * Merged trees by chainID. A tree is opened as a folded prefix with a few unfolded layers over it; `folded` asks for the
 * whole chain in one index, which gives every inode the number it keeps (what a container stands on).
 *
 * Where all caches are there, opening waits for nobody and writes nothing. Of the layers in the folded prefix nothing is opened
 * before their content is read: opening only looks whether it can be, while it is still time to build what is missing, and the open
 * index keeps collections from them (docs/decisions/opening-trees.md).
 */
export class Trees {
  readonly #disk: Disk
  readonly #layout: Layout
  readonly #layers: Layers
  readonly #digests: LayerDigests
  readonly #writable: boolean
  readonly #below: readonly Pick<Layout, 'treeOf'>[]
  readonly #lease: TreesOptions['lease']

  constructor({ disk, layout, layers, digests, writable, below = [], lease }: TreesOptions) {
    this.#disk = disk
    this.#layout = layout
    this.#layers = layers
    this.#digests = digests
    this.#writable = writable
    this.#below = below
    this.#lease = lease
  }

  /** The merged tree of a stack, base first. The caller closes it. */
  async open(stack: readonly LayerId[], options: Opening = {}): Promise<Tree> {
    const known = this.#tryOpen(stack, options)
    if (known !== undefined) return known
    using _ = await this.#lease(options)
    let damage: unknown
    for (let attempt = 0; attempt < attempts; attempt++) {
      for (const id of stack) await this.#layers.ready(id, options)
      try {
        const tree = this.#tryOpen(stack, options) ?? (await this.#fold(stack, options))
        if (tree !== undefined) return tree
      } catch (error) {
        if (codeOf(error) !== 'PLY_BAD_INDEX') throw error
        // What was damaged is gone now: the next attempt builds it anew.
        damage = error
      }
    }
    throw damage ?? new PlyError('EIO', { syscall: 'open', path: this.#layout.treeCache })
  }

  /** The tree from what is in the caches; `undefined` if something has to be built. */
  #tryOpen(stack: readonly LayerId[], { folded = false }: Opening): Tree | undefined {
    const prefix = this.#longestPrefix(stack)
    const rest = stack.slice(prefix?.length ?? 0)
    const enough = rest.length === 0 || (!folded && (rest.length <= unfoldedLimit || !this.#writable))
    let tree: Tree | undefined
    try {
      if (enough && stack.slice(0, prefix?.length ?? 0).every((id) => this.#layers.hasContent(id))) {
        if (prefix !== undefined && rest.length === 0) return (tree = prefix.tree)
        const views = this.#views(rest)
        if (views !== undefined) tree = new StackedTree(views, prefix?.tree, this.#digests.memory())
      }
      return tree
    } finally {
      if (tree === undefined) prefix?.tree.close()
    }
  }

  /** What the layers say; `undefined` if one of them is not ready. */
  #views(layers: readonly LayerId[]): IndexedView[] | undefined {
    const views: IndexedView[] = []
    let complete = false
    try {
      for (const id of layers) {
        const view = this.#layers.view(id)
        views.push(view)
        if (!this.#layers.hasTar(id, view.devices[0]?.size)) return undefined
      }
      complete = true
      return views
    } catch (error) {
      if (codeOf(error) === 'ENOENT' || codeOf(error) === 'PLY_BAD_INDEX') return undefined
      throw error
    } finally {
      if (!complete) for (const view of views) view.close()
    }
  }

  /** Folds the whole stack, unless another process has done it by now; `undefined` if a layer is gone meanwhile. */
  #fold(stack: readonly LayerId[], operation: Operation): Promise<FoldedTree | undefined> {
    const chainId = chainIds(stack.map(({ diffId }) => diffId)).at(-1)!
    return timed('fold', chainId, () => this.#folded(stack, chainId, operation))
  }

  async #folded(stack: readonly LayerId[], chainId: ChainId, operation: Operation): Promise<FoldedTree | undefined> {
    const { signal } = operation
    using _ = (await this.#disk.lock(join(this.#layout.locks, `tree-${hexOf(chainId)}`), { wait: true, signal }))!
    const base = this.#longestPrefix(stack)
    if (base?.length === stack.length) return base.tree
    let views: IndexedView[] | undefined
    try {
      views = this.#views(stack.slice(base?.length ?? 0))
      if (views === undefined) return undefined
      await using draft = cacheDraft(this.#disk, this.#layout.tmp)
      await writeTree(await draft.open(), { views, base: base?.tree, chainId, ...operation })
      await draft.commit(this.#layout.treeOf(chainId), operation)
    } finally {
      for (const view of views ?? []) view.close()
      base?.tree.close()
    }
    return this.#openFolded(stack, chainId)
  }

  #longestPrefix(stack: readonly LayerId[]): { length: number; tree: FoldedTree } | undefined {
    const chain = chainIds(stack.map(({ diffId }) => diffId))
    for (let length = chain.length; length > 0; length--) {
      const tree = this.#openFolded(stack, chain[length - 1]!)
      if (tree !== undefined) return { length, tree }
    }
    return undefined
  }

  #openFolded(stack: readonly LayerId[], chainId: ChainId): FoldedTree | undefined {
    const cached = { of: chainId, what: `tree ${chainId}`, held: true }
    let index = findIndex(this.#disk, { ...cached, path: this.#layout.treeOf(chainId), writable: this.#writable })
    for (const lower of this.#below)
      index ??= findIndex(this.#disk, { ...cached, path: lower.treeOf(chainId), writable: false })
    const openDevice = (device: Device) =>
      this.#layers.content(stack.find(({ diffId }) => diffId === device.diffId)!, device)
    return index && new FoldedTree(index, openDevice, this.#digests.memory())
  }
}
