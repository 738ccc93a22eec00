import { directoryTree } from '../../extract/directory-tree.ts'
import { type ForeignUpperOptions, upperTree } from '../../extract/foreign-upper.ts'
import type { Image } from '../../image/image.ts'
import { checkRange } from '../../image/replace-layers.ts'
import type { ByteString } from '../../model/bytes.ts'
import { PlyError } from '../../model/errors.ts'
import type { Operation } from '../../model/operation.ts'
import { splitReference, storeTransport } from '../../model/reference.ts'
import type { SignatureRequirement } from '../../signature/index.ts'
import type { Tree } from '../../stack/tree.ts'
import { layerAlone } from '../../trace/index.ts'
import type { RegistryOptions } from '../../transport/registry/options.ts'
import { upperDetails } from '../../transport/upper.ts'
import { layerLender, type Store } from '../store.ts'
import { DistantImage } from './distant-image.ts'

/** Which tree is opened, and how it is read. */
export interface OpenTreeOptions extends Operation {
  /** Where names without a transport and containers are looked up, and layers of images elsewhere that need not be fetched. */
  readonly store?: Store
  readonly platform?: string | undefined
  /** How registries are spoken with. */
  readonly registry?: RegistryOptions | undefined
  /** Look only into what a signature vouches for. The store keeps none: what is in it is refused. */
  readonly signatures?: SignatureRequirement | undefined
  /** The tree as it is once this layer is stacked: 0 is the base. Default: the top. Only images have layers. */
  readonly layer?: number | undefined
  /** Of that layer only what it has itself: see `layerAlone`. */
  readonly alone?: boolean | undefined
  /**
   * The paths (byte strings) whose contents are going to be read, where it is not any path: what is elsewhere is then only indexed as
   * it comes, and kept nowhere. Other contents may answer EIO.
   */
  readonly contents?: readonly ByteString[] | undefined
  /**
   * All that is going to be asked, by asking it: of an image elsewhere no more layers are fetched than it takes to answer, from the top
   * down. It is called any number of times; what it throws is an answer as well. Not for `alone`.
   */
  readonly question?: ((tree: Tree) => void) | undefined
  /**
   * `false`: of layers that lie uncompressed in a file (`docker-archive:`, `oci:`, `oci-archive:`, `dir:`) only the headers are read, from one to
   * the next, and nothing is compared with a digest: whoever wrote the file decides what is shown. The tree says `unverified` then,
   * its contents answer EIO, and it is made into no layer. Everything that has to be read whole is verified as ever. Default: `true`.
   */
  readonly verify?: boolean | undefined
  /** Hears what is odd about an upper directory. */
  readonly onWarning?: ForeignUpperOptions['onWarning']
}

/**
 * A tree by its reference: `debian:12` in the store, `debian:12@3` as it is once layer 3 is stacked, `container:work`, `rootfs:DIR`,
 * `upper:DIR@TREE` (what a mount of an upper directory of overlayfs over a tree shows, whoever wrote it), or an image of any transport (`oci:…`, `docker-archive:…`, `docker://…`). Of such a one only the layers are read that it takes, what `store`
 * has of them is used from there, and nothing is stored.
 *
 * @throws what the place it comes from throws; PLY_USAGE for a name without a store, and for a layer that is not there
 */
export async function openTree(text: string, options: OpenTreeOptions = {}): Promise<Tree> {
  const { reference, layer: named } = splitLayer(text)
  const {
    store,
    platform,
    registry,
    signatures,
    layer = named,
    alone = false,
    contents,
    question,
    verify,
    onWarning,
    ...operation
  } = options
  const { transport, details } = splitReference(reference)
  if (signatures !== undefined && verify === false)
    throw new PlyError('PLY_USAGE', { reason: 'a signature vouches for contents that verify: false does not read' })
  if (signatures !== undefined && ['store', 'container', 'rootfs', 'upper'].includes(transport))
    throw unsignedHere(reference)
  switch (transport) {
    case 'store': {
      const inside = storeOf(store, reference)
      const image = await inside.image(details, { ...operation, ...(platform !== undefined && { platform }) })
      return treeOfImage(inside, image, { layer, alone, ...operation })
    }
    case 'container': {
      if (layer !== undefined || alone) throw withoutLayers(reference)
      const container = await storeOf(store, reference).containers.open(details, { readOnly: true, ...operation })
      return container.tree
    }
    case 'rootfs':
      if (layer !== undefined || alone) throw withoutLayers(reference)
      return directoryTree(details, { ...(store && { digests: store.fileDigests }) })
    case 'upper': {
      if (layer !== undefined || alone) throw withoutLayers(reference)
      const { directory, base } = upperDetails(details)
      const below = await openTree(base, { ...(store && { store }), platform, registry, ...operation })
      try {
        const tree = upperTree(below, [directory], { onWarning, ...(store && { digests: store.fileDigests }) })
        return closing(tree, () => below.close())
      } catch (error) {
        below.close()
        throw error
      }
    }
    default: {
      const lend = store?.[layerLender]
      const upTo = (image: Image) => (layer === undefined && !alone ? image : throughLayer(image, layer))
      const distant = await DistantImage.open(
        reference,
        { platform, registry, signatures, lend, contents, verify, ...operation },
        upTo,
      )
      try {
        const tree = await treeOfDistant(distant, { alone, question, ...operation })
        await distant.settle()
        return closing(tree, () => void distant.close(), distant.unverified)
      } catch (error) {
        await distant.close()
        throw error
      }
    }
  }
}

/** What is here already came in without being asked who has signed it. */
export function unsignedHere(reference: string): PlyError {
  const reason = 'it is on this machine, where no signatures are kept: they are asked for on the way in'
  return new PlyError('PLY_UNSIGNED', { what: reference, reason })
}

/** Takes `debian:12@3` apart, an image and one of its layers: only behind a name in the store does `@` with a number mean a layer. */
export function splitLayer(text: string): { readonly reference: string; readonly layer: number | undefined } {
  const match = /^(.+)@(\d{1,9})$/.exec(text)
  if (match === null || splitReference(match[1]!).transport !== storeTransport)
    return { reference: text, layer: undefined }
  return { reference: match[1]!, layer: Number(match[2]) }
}

export function withoutLayers(reference: string): PlyError {
  return new PlyError('PLY_USAGE', { reason: `${reference} has no layers: only images have` })
}

function storeOf(store: Store | undefined, reference: string): Store {
  if (store === undefined)
    throw new PlyError('PLY_USAGE', { reason: `${reference} is a name in a store: say which store` })
  return store
}

async function treeOfImage(
  store: Store,
  image: Image,
  { layer, alone = false, ...operation }: Pick<OpenTreeOptions, 'layer' | 'alone'> & Operation,
): Promise<Tree> {
  if (layer === undefined && !alone) return store.tree(image, operation)
  const lower = throughLayer(image, layer)
  if (!alone) return store.tree(lower, operation)
  const stack = await store.layers(lower, operation)
  return closing(layerAlone(stack, lower.layers.length - 1), () => stack.close())
}

async function treeOfDistant(
  distant: DistantImage,
  { alone, question, ...operation }: Pick<OpenTreeOptions, 'question'> & { readonly alone: boolean } & Operation,
): Promise<Tree> {
  if (alone) {
    const top = distant.image.layers.length - 1
    return layerAlone(await distant.stack(operation, top), top)
  }
  return question === undefined ? distant.tree(operation) : distant.treeFor(question, operation)
}

/** The image without what is above a layer; by default with all of it. @throws PLY_USAGE if there is no such layer */
function throughLayer(image: Image, layer = image.layers.length - 1): Image {
  checkRange(image, { from: layer, to: layer })
  return { ...image, layers: image.layers.slice(0, layer + 1) }
}

/** A tree that takes something along when it is closed. */
function closing(tree: Tree, after: () => void, unverified = false): Tree {
  return {
    root: tree.root,
    ...(tree.kind && { kind: (ino) => tree.kind!(ino) }),
    lookup: (directory, name) => tree.lookup(directory, name),
    list: (directory) => tree.list(directory),
    parent: (directory) => tree.parent(directory),
    stat: (ino) => tree.stat(ino),
    readlink: (ino) => tree.readlink(ino),
    xattrs: (ino) => tree.xattrs(ino),
    open: (ino) => tree.open(ino),
    place: tree.place && ((ino) => tree.place!(ino)),
    digests: tree.digests,
    ...(unverified && { unverified }),
    close() {
      tree.close()
      after()
    },
  }
}
