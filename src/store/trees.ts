import { join } from 'node:path'
import { Index } from '../erofs/index.ts'
import type { ChainId } from '../model/digest.ts'
import { chainIds } from '../model/digest.ts'
import { codeOf } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import { writeTree } from '../stack/fold.ts'
import { FoldedTree } from '../stack/folded-tree.ts'
import { StackedTree } from '../stack/stacked-tree.ts'
import type { Tree } from '../stack/tree.ts'
import type { Disk } from '../sys/disk.ts'
import { fileBytes } from '../sys/file-bytes.ts'
import { cacheDraft } from './cache-draft.ts'
import type { LayerId, Layers } from './layers.ts'
import type { Layout } from './layout.ts'

/** More unfolded layers than this on a cached prefix are folded before they are read. */
const unfoldedLimit = 8

/**
 * Merged trees by chainID. A tree is opened as a folded prefix with a few unfolded layers over it; `folded` asks for the
 * whole chain in one index, which gives every inode the number it keeps (what a container stands on).
 */
export class Trees {
  readonly #disk: Disk
  readonly #layout: Layout
  readonly #layers: Layers

  constructor(disk: Disk, layout: Layout, layers: Layers) {
    this.#disk = disk
    this.#layout = layout
    this.#layers = layers
  }

  /** The merged tree of a stack, base first. The caller closes it. */
  async open(stack: readonly LayerId[], options: { readonly folded?: boolean } & Operation = {}): Promise<Tree> {
    if (stack.length === 0) return this.#stacked([], undefined)
    for (const id of stack) await this.#layers.ready(id, options)
    const prefix = this.#longestPrefix(stack)
    const rest = stack.slice(prefix?.length ?? 0)
    if (prefix !== undefined && rest.length === 0) return prefix.tree
    if (!options.folded && rest.length <= unfoldedLimit) return this.#stacked(rest, prefix?.tree)
    await this.#fold(stack, rest, prefix?.tree, options)
    return this.#openFolded(stack, chainIds(stack.map(({ diffId }) => diffId)).at(-1)!)!
  }

  #stacked(rest: readonly LayerId[], base: Tree | undefined): Tree {
    return new StackedTree(
      rest.map((id) => this.#layers.view(id)),
      base,
    )
  }

  async #fold(stack: readonly LayerId[], rest: readonly LayerId[], base: FoldedTree | undefined, operation: Operation) {
    const chainId = chainIds(stack.map(({ diffId }) => diffId)).at(-1)!
    using _ = (await this.#disk.lock(join(this.#layout.locks, `tree-${chainId.slice(7)}`), {
      wait: true,
      signal: operation.signal,
    }))!
    const views = rest.map((id) => this.#layers.view(id))
    try {
      await using draft = cacheDraft(this.#disk, this.#layout.tmp)
      await writeTree(await draft.open(), { views, base, chainId, ...operation })
      await draft.commit(this.#layout.treeOf(chainId), operation)
    } finally {
      for (const view of views) view.close()
      base?.close()
    }
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
    const path = this.#layout.treeOf(chainId)
    try {
      const index = Index.open(fileBytes(this.#disk, path), { what: `tree ${chainId}` })
      return new FoldedTree(index, (diffId) => this.#layers.tar(stack.find((id) => id.diffId === diffId)!))
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      if (codeOf(error) !== 'PLY_BAD_INDEX') throw error
      // A cache: it is built again from the layers.
      this.#disk.fs.rmSync(path, { force: true })
      return undefined
    }
  }
}
