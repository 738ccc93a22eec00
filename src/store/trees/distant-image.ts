import { historyOf } from '../../image/history.ts'
import type { Image, ImageSource } from '../../image/image.ts'
import type { ByteString } from '../../model/bytes.ts'
import { codeOf } from '../../model/errors.ts'
import type { Operation } from '../../model/operation.ts'
import type { SignatureRequirement } from '../../signature/index.ts'
import { BelowAbsent, type StackedTree, stackedTree } from '../../stack/index.ts'
import type { Tree } from '../../stack/tree.ts'
import type { LayerStack } from '../../trace/index.ts'
import { openSource } from '../../transport/index.ts'
import type { RegistryOptions } from '../../transport/registry/options.ts'
import { resolvePath } from '../../union/resolve.ts'
import { DistantLayers, type LayerLender } from './distant-layers.ts'
import { passingDigests } from './kept-contents.ts'

export interface DistantImageOptions extends Operation {
  readonly platform: string | undefined
  readonly registry: RegistryOptions | undefined
  readonly signatures?: SignatureRequirement | undefined
  readonly lend: LayerLender | undefined
  /** The paths (byte strings) whose contents are going to be read; absent: any. */
  readonly contents?: readonly ByteString[] | undefined
  /** `false`: of layers that lie uncompressed in a file only the headers are read. */
  readonly verify?: boolean | undefined
}

/** More of a file is not kept where only some contents are. Bytes. */
const mostKept = 16 << 20

/**
 * An image that is in no store, to be looked into: manifest and config are read when it is opened, layers as they are asked for, and
 * none is stored. Whoever opens it ends it with `close`, at once or when what was made of it is closed.
 */
export class DistantImage {
  readonly image: Image
  readonly #source: ImageSource
  readonly #layers: DistantLayers
  readonly #contents: readonly ByteString[] | undefined

  private constructor(source: ImageSource, image: Image, { contents, lend, verify }: DistantImageOptions) {
    this.#source = source
    this.image = image
    this.#contents = contents
    this.#layers = new DistantLayers(image, { contents: contents === undefined, lend, verify })
  }

  /** `upTo`: the layers above are left out. @throws what the place it comes from throws; what `upTo` throws */
  static async open(
    reference: string,
    options: DistantImageOptions,
    upTo: (image: Image) => Image = (image) => image,
  ): Promise<DistantImage> {
    const { platform, registry, signatures, signal, onProgress } = options
    const operation = { signal, onProgress }
    const source = await openSource(reference, { ...operation, registry, signatures })
    try {
      const image = await source.image(undefined, { ...operation, ...(platform !== undefined && { platform }) })
      return new DistantImage(source, upTo(image), options)
    } catch (error) {
      await source[Symbol.asyncDispose]()
      throw error
    }
  }

  /** The merged tree. Its numbers are those of a stack of all layers, however many are here. */
  async tree(operation: Operation): Promise<StackedTree> {
    await this.#layers.bring(0, this.image.layers.length - 1, operation)
    const tree = this.#merged()
    for (const path of this.#contents ?? []) await this.#keep(tree, path, operation)
    return tree
  }

  /**
   * The tree as far as a question needs it: the top layer is brought here first, then those below it, until the question does
   * not reach one that is not here. What it throws otherwise is an answer.
   */
  async treeFor(question: (tree: Tree) => void, operation: Operation): Promise<Tree> {
    let lowest = this.image.layers.length
    for (let step = 0; lowest > 0; step++) {
      const above = lowest
      // After a few that did not decide it, several at once: an image of hundreds of layers would take as many round trips.
      lowest = Math.max(0, lowest - (step < 3 ? 1 : 2 ** (step - 2)))
      await this.#layers.bring(lowest, above - 1, operation)
      const tree = this.#merged(lowest)
      if (!reachesAbsent(() => question(tree))) return tree
    }
    return this.#merged()
  }

  /** The layers one by one; with `alone` only those that are needed to show that one by itself. */
  async stack(operation: Operation, alone?: number): Promise<LayerStack> {
    const { image } = this
    const layers = this.#layers
    if (alone === undefined) await layers.bring(0, image.layers.length - 1, operation)
    else {
      await layers.bring(alone, alone, operation)
      // Its hardlinks may lead to anything below.
      if (layers.views[alone]!.linksBelow === true) await layers.bring(0, alone - 1, operation)
    }
    const steps = historyOf(image).filter(({ layer }) => layer !== undefined)
    return {
      image,
      layers: steps.map(({ step, layer }, at) => {
        const { diffId, descriptor } = layer!
        return { diffId, digest: descriptor.digest, size: descriptor.size, step, view: layers.views[at]! }
      }),
      memory: passingDigests(),
      close: () => void this.close(),
    }
  }

  /** Whether of some layer that was brought here only headers were read. */
  get unverified(): boolean {
    return this.#layers.unverified
  }

  /** Lets go of the source, unless something is still read where it lies there. */
  async settle(): Promise<void> {
    if (!this.#layers.inPlace) await this.#source[Symbol.asyncDispose]()
  }

  /** Safe to call twice. */
  async close(): Promise<void> {
    this.#layers.close()
    await this.#source[Symbol.asyncDispose]()
  }

  #merged(absent = 0): StackedTree {
    return stackedTree(this.#layers.views, undefined, passingDigests(), absent)
  }

  /** Makes the content at a path readable, if there is any. */
  async #keep(tree: StackedTree, path: ByteString, operation: Operation): Promise<void> {
    const ino = fileAt(tree, path)
    const place = ino === undefined ? undefined : tree.place(ino)
    if (ino === undefined || place === undefined || place.spill) return
    const size = Math.min(tree.ownStat(ino).size, mostKept)
    await this.#layers.keep(tree.source(ino).side, place.offset, size, operation)
  }
}

function fileAt(tree: Tree, path: ByteString): number | undefined {
  try {
    const { ino } = resolvePath(tree, path, { follow: true })
    return ino !== undefined && tree.stat(ino).kind === 'file' ? ino : undefined
  } catch (error) {
    // The way there may be anything: it is an image that we look at.
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG'].includes(codeOf(error) ?? '')) return undefined
    throw error
  }
}

function reachesAbsent(question: () => void): boolean {
  try {
    question()
    return false
  } catch (error) {
    return error instanceof BelowAbsent
  }
}
