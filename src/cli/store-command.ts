import { delimiter } from 'node:path'
import { contentOf } from './copy-out.ts'
import { type IdsOf, mayBeId, namesOfId } from './image-ids.ts'
import type {
  Image,
  ImageSource,
  OpenTreeOptions,
  RegistryOptions,
  SignatureRequirement,
  Store,
  StoredImage,
  StoreOptions,
  Tree,
  UpperWarning,
  WriteOptions,
} from './library.ts'
import { pathInContainer, treeTransports } from './places.ts'
import { type RegistryFlags, registryOptionsOf } from './registry-flags.ts'
import { type RequireFlags, requirementOf, unsignedInStore } from './signature-flags.ts'
import { amountOf } from './sizes.ts'
import { UsageError } from './usage-error.ts'
import { WorldCommand } from './world-command.ts'

/** What a command is going to do with a tree: of an image elsewhere no more is fetched. */
export type TreeNeeds = Pick<OpenTreeOptions, 'contents' | 'question'>

/** Where a tree has the names of its users and groups. */
export const accountFiles = ['/etc/passwd', '/etc/group'] as const

/** @throws UsageError */
function blockCopyUpOf(text: string | undefined): StoreOptions['blockCopyUp'] {
  if (text === undefined || text === 'never') return text
  const amount = amountOf(text)
  if (amount === undefined || amount === 0)
    throw new UsageError(`--block-copy-up ${text} is no size: write a number such as 64Mi, or never`)
  return amount
}

/** What all commands share that reach into a store: the store itself, and images and trees by the names that a command line has for them. */
export abstract class StoreCommand extends WorldCommand {
  #store: Promise<Store> | undefined
  #required: Promise<SignatureRequirement | undefined> | undefined

  /** The store of `--root`, opened once. */
  protected store(): Promise<Store> {
    this.#store ??= this.library()
      .then(({ openStore }) => openStore(this.shared.root, this.storeOptions))
      .then((store) => this.closing(store))
    return this.#store
  }

  /** What the flags say about how the store is opened. */
  protected get storeOptions(): StoreOptions {
    const { below, 'any-owner': anyOwner = false, 'no-durable': hasty = false } = this.shared
    const fromEnvironment = this.world.environment.PLY_STORES_BELOW?.split(delimiter).filter((path) => path !== '')
    const blockCopyUp = blockCopyUpOf(this.shared['block-copy-up'])
    return {
      anyOwner,
      durable: !hasty,
      below: below ?? fromEnvironment,
      ...(blockCopyUp !== undefined && { blockCopyUp }),
    }
  }

  /** What the flags of a command that has them say of registries. */
  protected get registry(): RegistryOptions {
    return registryOptionsOf(this.shared as RegistryFlags, this.world.environment)
  }

  /** What the flags of a command that has them demand of images that come in. @throws UsageError, PLY_BAD_KEY */
  protected async required(): Promise<SignatureRequirement | undefined> {
    this.#required ??= this.library().then((library) => requirementOf(this.shared as RequireFlags, library))
    return this.#required
  }

  /** Which tree of an image is meant, where the flags of a command say so. */
  protected get whichTree(): Pick<OpenTreeOptions, 'layer' | 'alone' | 'platform' | 'verify'> {
    return {}
  }

  /** A tree by its name: `debian:12`, `container:work`, `oci:dir:tag`, `docker://…`, `rootfs:dir`, … Of what is elsewhere comes what is needed. */
  protected async tree(text: string, needs: TreeNeeds = {}): Promise<Tree> {
    const { openTree, PlyError, splitLayer } = await this.library()
    try {
      const reference = await this.named(text)
      const store = await this.storeFor(splitLayer(reference).reference)
      const onWarning = ({ rule, text }: UpperWarning) => this.say(`${text} (${rule})`)
      const from = { registry: this.registry, signatures: await this.required() }
      const elsewhere = { ...this.whichTree, ...needs, ...from, onWarning, ...this.operation }
      const tree = await openTree(reference, { ...(store && { store }), ...elsewhere })
      this.atEnd(() => tree.close())
      if (tree.unverified)
        this.say(
          `${text}: only headers were read, and nothing was verified: whoever wrote the file decides what is shown`,
        )
      return tree
    } catch (error) {
      if (!(error instanceof PlyError) || error.code !== 'PLY_UNKNOWN_TRANSPORT') throw error
      throw new PlyError(error.code, { ...error.details, known: treeTransports.join(', ') }, { cause: error })
    }
  }

  /** Two trees. What the store knows of a directory's files is asked only if the store is open: the other one comes first. */
  protected async trees(first: string, second: string): Promise<readonly [Tree, Tree]> {
    const other = first.startsWith('rootfs:') ? await this.tree(second) : undefined
    return [await this.tree(first), other ?? (await this.tree(second))]
  }

  /**
   * A path in a tree, from what the command line says: `debian:12 /etc`, or `work:/etc` for one in a container. Without a
   * path it is the root. @throws PLY_USAGE for a path said twice
   */
  protected async place(
    text: string,
    path: string | undefined,
    needs: TreeNeeds = {},
  ): Promise<{ readonly tree: Tree; readonly path: string }> {
    const inside = pathInContainer(text)
    if (inside === undefined) return { tree: await this.tree(text, needs), path: path ?? '/' }
    if (path !== undefined) {
      const { PlyError } = await this.library()
      const reason = `${text} is a path already; say it once: ${text}, or container:${inside.container} ${path}`
      throw new PlyError('PLY_USAGE', { reason })
    }
    return { tree: await this.tree(`container:${inside.container}`), path: inside.path }
  }

  /** As `place`, where a path has to be said. @throws PLY_USAGE */
  protected async placeIn(
    text: string,
    path: string | undefined,
    needs: TreeNeeds = {},
  ): Promise<{ readonly tree: Tree; readonly path: string }> {
    if (path === undefined && pathInContainer(text) === undefined) {
      const { PlyError } = await this.library()
      const reason = `missing: PATH; write ply ${this.id} ${text} /path, or ply ${this.id} work:/path for a container`
      throw new PlyError('PLY_USAGE', { reason })
    }
    return this.place(text, path, needs)
  }

  /** An image by its name in the store or by a reference. */
  protected async image(text: string, platform?: string, judgement: WriteOptions = {}): Promise<Image> {
    return (await this.imageAt(text, platform, judgement)).image
  }

  /** The same, with the place of its signatures, where there is one. */
  protected async imageAt(
    text: string,
    platform?: string,
    { lenient, limits }: WriteOptions = {},
  ): Promise<{ readonly image: Image; readonly attachments: ImageSource['attachments'] }> {
    const { openSource, splitReference } = await this.library()
    const reference = await this.named(text)
    const options = { ...(platform !== undefined && { platform }), ...this.operation }
    const { transport, details } = splitReference(reference)
    const signatures = await this.required()
    if (transport === 'store') {
      if (signatures !== undefined) throw await unsignedInStore(details, this.library())
      return { image: await (await this.store()).image(details, options), attachments: undefined }
    }
    const opening = { input: this.world.stdin, lenient, limits, registry: this.registry, signatures, ...options }
    const source = this.closing(await openSource(reference, opening))
    return { image: await source.image(undefined, options), attachments: source.attachments }
  }

  /**
   * A name in the store for an id as `ply images` shows it, or the start of one; any other text as it is. A name that
   * looks like an id is a name. @throws PLY_AMBIGUOUS if several images' ids start so
   */
  protected async named(text: string): Promise<string> {
    const found = await this.#withId(text, (image) => [image.config])
    return found?.[0]?.name ?? text
  }

  /**
   * The one name of an image, by an id as `ply images` shows it, by the digest of its manifest, or by the start of either;
   * any other text as it is. @throws PLY_IMAGE_NOT_FOUND; PLY_USAGE if it has several names; PLY_AMBIGUOUS as `named`
   */
  protected async onlyName(text: string): Promise<string> {
    const found = await this.#withId(text, (image) => [image.config, image.digest])
    if (found === undefined) return text
    if (found.length === 1) return found[0]!.name
    const { PlyError } = await this.library()
    if (found.length === 0) throw new PlyError('PLY_IMAGE_NOT_FOUND', { name: text, where: (await this.store()).root })
    const names = found.map(({ name }) => name)
    const reason = `the image ${text} has several names; say which to remove: ${names.join(' ')}`
    throw new PlyError('PLY_USAGE', { reason, names })
  }

  /** The content of a file on stdout. `path` is for the message. @throws EISDIR, EINVAL if it is no file */
  protected async writeContent(tree: Tree, ino: number, path: string): Promise<void> {
    const { kind } = tree.stat(ino)
    if (kind !== 'file') {
      const { PlyError } = await this.library()
      throw new PlyError(kind === 'directory' ? 'EISDIR' : 'EINVAL', { syscall: 'read', path })
    }
    for (const chunk of contentOf(tree, ino)) await this.output.write(chunk)
  }

  /** Only for what may be an id is the store opened. */
  async #withId(text: string, idsOf: IdsOf): Promise<readonly StoredImage[] | undefined> {
    if (!mayBeId(text)) return undefined
    const { PlyError } = await this.library()
    return namesOfId(await (await this.store()).images(), text, idsOf, PlyError)
  }

  /**
   * The store, where a reference is about it: looking into something else leaves no store behind. What a registry has may be in one
   * that is there.
   */
  protected async storeFor(reference: string): Promise<Store | undefined> {
    const { openStore, PlyError, splitReference } = await this.library()
    const { transport } = splitReference(reference)
    if (['store', 'container', 'upper'].includes(transport)) return this.store()
    if (this.#store !== undefined || transport !== 'docker') return this.#store
    try {
      return this.closing(await openStore(this.shared.root, { ...this.storeOptions, readOnly: true }))
    } catch (error) {
      // It only spares some transfers: what is wrong with it is told to whoever asks for it.
      if (error instanceof PlyError || (error as { code?: unknown }).code !== undefined) return undefined
      throw error
    }
  }
}
