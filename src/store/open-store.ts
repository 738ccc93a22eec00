import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { diskBlobStore } from '../blob/disk-blob-store.ts'
import type { Image } from '../image/image.ts'
import type { WriteOptions } from '../image/layer-report.ts'
import { chainIds, type Digest, digestOf } from '../model/digest.ts'
import { PlyError } from '../model/errors.ts'
import { checkAborted, type Operation } from '../model/operation.ts'
import { normalName } from '../model/reference.ts'
import type { Disk, Lock } from '../sys/disk.ts'
import { zstdDecoders } from '../sys/libzstd.ts'
import { memoryDisk } from '../sys/memory-disk.ts'
import { nodeDisk } from '../sys/node-disk.ts'
import { unsynced } from '../sys/unsynced-disk.ts'
import { blobsOver, namesOver } from './below.ts'
import { collect } from './collection/collect.ts'
import { explain } from './collection/explain.ts'
import { type MarkedImage, mark } from './collection/mark.ts'
import { rootsOf } from './collection/roots.ts'
import { commitContainer } from './containers/commit.ts'
import { containersOf } from './containers/stored-containers.ts'
import { overlayWorks } from './containers/upper-form.ts'
import { Uppers } from './containers/uppers.ts'
import { fsck } from './fsck/fsck.ts'
import { rememberSource } from './fsck/sources.ts'
import { Images } from './images/images.ts'
import { Names } from './images/names.ts'
import { rewritesOf } from './images/rewrites.ts'
import { summariesOf } from './images/summaries.ts'
import { Acceptances } from './intake/acceptances.ts'
import { Arrivals } from './intake/arrivals.ts'
import type { Taken } from './intake/taken.ts'
import { blobAtRest, cachedTar } from './layers/at-rest.ts'
import { LayerDigests } from './layers/content-digests.ts'
import { storedFileDigests } from './layers/file-digests.ts'
import { LayerFiles, type LayerId } from './layers/layer-files.ts'
import { Layers } from './layers/layers.ts'
import { openLayout } from './layout.ts'
import { accountingOf } from './space/accounting.ts'
import { dedupe } from './space/dedupe.ts'
import { shownSizeOf } from './space/shown-size.ts'
import { usageOf } from './space/usage.ts'
import type { Store } from './store.ts'
import { Trees } from './trees/trees.ts'
import { isWhole } from './whole.ts'

export interface StoreOptions {
  /**
   * Directories of stores below this one, the nearest first: their images, layers and trees can be used as if they were here, without
   * being copied. Nothing is ever written there, so they may be anybody's that root or this user made, on a disk that is read only. Of
   * equal names the upper one counts. Nothing keeps what is used there: it has to stay as long as this store needs it, and other
   * tools that read this store as an OCI layout do not see it.
   */
  readonly below?: readonly string[] | undefined
  /** Open for reading only: nothing is made, locked or changed. */
  readonly readOnly?: boolean
  /** The form of new uppers; default: overlayfs's own where this process may write it, else the portable one. */
  readonly upperForm?: 'portable' | 'overlay'
  /** Open it even if it belongs to another user, who then decides what is read from it. */
  readonly anyOwner?: boolean
  /**
   * `false` makes a store that syncs nothing and says so in its `ply.json`: faster, and worth nothing after a loss of power. A store
   * that is there stays what it is.
   */
  readonly durable?: boolean
}

/** Where a store is when nobody says: `$PLY_ROOT`, else `$XDG_DATA_HOME/ply`, else `~/.local/share/ply`. */
export function defaultRoot(environment: NodeJS.ProcessEnv = process.env): string {
  if (environment.PLY_ROOT) return environment.PLY_ROOT
  const data = environment.XDG_DATA_HOME || join(environment.HOME || homedir(), '.local', 'share')
  return join(data, 'ply')
}

/**
 * Opens a store, making it if there is none. `:memory:` is a store in memory: the same code on memfs.
 *
 * @throws PLY_STORE_FORMAT, PLY_STORE_OWNER, and what the disk says (EACCES, EROFS, ENOSPC)
 */
export async function openStore(root: string = defaultRoot(), options: StoreOptions = {}): Promise<Store> {
  return root === ':memory:'
    ? storeOn(await memoryDisk(), '/ply', options, root)
    : storeOn(nodeDisk(), resolve(root), options, root)
}

/** A store on any disk, `path` being its directory there; `root` is what it is called in messages. @throws as `openStore` */
export async function storeOn(place: Disk, path: string, options: StoreOptions = {}, root = path): Promise<Store> {
  const { layout, writable, durable } = openLayout(place, path, options)
  const disk = durable ? place : unsynced(place)
  const zstd = zstdDecoders()
  const below = (options.below ?? []).map((path) => lowerStore(disk, path, options))
  const blobs = blobsOver(diskBlobStore({ disk, root: layout.root, tmp: layout.tmp }), below)
  const names = new Names(disk, layout, writable)
  const allNames = namesOver(names, below)
  const acceptances = new Acceptances(disk, layout)
  /** Where a blob lies. */
  const homeOf = (digest: Digest) =>
    [layout, ...below.map((lower) => lower.layout)].find((one) => disk.fs.existsSync(one.blobOf(digest))) ?? layout
  const images = new Images({
    root,
    blobs,
    names: allNames,
    zstd,
    acceptances,
    ...(disk.kind === 'disk' && { atRest: (digest: Digest) => blobAtRest({ disk, layout: homeOf(digest) }, digest) }),
    cachedTar(diffId) {
      let found = cachedTar({ disk, layout, writable }, diffId)
      for (const lower of below) found ??= cachedTar({ disk, layout: lower.layout, writable: false }, diffId)
      return found
    },
  })
  const lowerLayers = below.map((lower) => lower.layers)
  const layers = new Layers({ disk, layout, blobs, zstd, acceptances, writable, below: lowerLayers })
  const uppers = new Uppers(disk, layout)

  const writing = () => {
    if (!writable) throw new PlyError('PLY_STORE_READ_ONLY', { root })
  }
  /** Held while blobs are written that no name leads to yet. */
  const lease = async ({ signal }: Operation): Promise<Lock> => {
    writing()
    return (await disk.lock(join(layout.locks, 'collect'), { shared: true, wait: true, signal }))!
  }
  const digests = new LayerDigests({ disk, layout, writable })
  const trees = new Trees({
    disk,
    layout,
    layers,
    digests,
    writable,
    below: below.map((lower) => lower.layout),
    lease,
  })
  const fileDigests = storedFileDigests({ disk, layout, writable })
  const stackOf = (image: Image): LayerId[] => image.layers.map(({ diffId, descriptor }) => ({ diffId, descriptor }))
  const chainOf = (image: Image) => chainIds(image.layers.map(({ diffId }) => diffId)).at(-1) ?? null
  const imageOf = async (name: string, operation: { readonly platform?: string } & Operation = {}) => {
    const found = await images.find(name)
    return images.open(found.descriptor, name, operation)
  }
  /**
   * Prepares an image with `make`, then publishes its blobs and sets its name. Until the publishing starts an abort or an
   * error leaves nothing behind; a failure in the middle of it (a full disk) takes back what it can.
   */
  const arriving = async (
    as: string | undefined,
    { onReport, source, ...operation }: WriteOptions,
    make: (arrivals: Arrivals) => Promise<{ readonly image: Image } & Taken>,
  ): Promise<Image> => {
    let unnamed: readonly Digest[] = []
    try {
      using _ = await lease(operation)
      await using arrivals = new Arrivals()
      const { image, added, reports } = await make(arrivals)
      const documents = await prepareDocuments(image, arrivals, operation)
      checkAborted(operation.signal)
      unnamed = [...added, ...documents]
      await arrivals.publish()
      if (!documents.includes(image.digest)) secureBlobs()
      if (as !== undefined) await names.set(as, image.descriptor)
      if (source !== undefined) rememberSource({ disk, layout }, image.digest, source)
      for (const report of reports) onReport?.(report)
      return image
    } catch (error) {
      // What cannot be taken back is litter for the next collection; the error that led here is the one to tell.
      if (unnamed.length > 0) await withdraw(unnamed).catch(() => {})
      throw error
    }
  }
  /**
   * Blobs that no name led to may have been left by somebody who died before their names were on the disk. Whoever gives one a name
   * that lasts does this first; a manifest that was just written has done it.
   */
  const secureBlobs = () => disk.syncDirectory(join(layout.root, 'blobs', 'sha256'))
  const given = async (image: string | Image, operation: Operation): Promise<Image> =>
    typeof image === 'string' ? imageOf(image, operation) : image
  /** Manifest and config, where they are not here already. */
  const prepareDocuments = async (image: Image, arrivals: Arrivals, operation: Operation): Promise<Digest[]> => {
    const added: Digest[] = []
    for (const [content, { digest, size }] of [
      [image.rawConfig, image.manifest.config],
      [image.rawManifest, image.descriptor],
    ] as const) {
      const what = `image ${image.digest}`
      const actual = digestOf(content)
      if (actual !== digest) throw new PlyError('PLY_DIGEST_MISMATCH', { what, expected: digest, actual })
      if (content.length !== size)
        throw new PlyError('PLY_SIZE_MISMATCH', { what, expected: size, actual: content.length })
      if (await isWhole(blobs, { digest, size: content.length })) continue
      const draft = arrivals.hold(await blobs.draft())
      await draft.write(content)
      await draft.finish(operation)
      // A damaged one of the same size would stay otherwise.
      arrivals.afterwards(() => draft.commit(digest, { anew: true }))
      added.push(digest)
    }
    return added
  }
  /** If somebody else is writing just now, they may count on what they found: then the next collection takes the rest. */
  const withdraw = async (added: readonly Digest[]): Promise<void> => {
    using held = await disk.lock(join(layout.locks, 'collect'))
    if (held !== undefined) await collect({ disk, layout, blobs, names }, { only: new Set(added) })
  }

  const containers = containersOf({
    disk,
    layout,
    uppers,
    form: () => options.upperForm ?? (overlayWorks(disk, layout) ? 'overlay' : 'portable'),
    async stand(name, operation) {
      const { name: known, descriptor } = await images.find(name)
      if (known === undefined) secureBlobs()
      const image = await images.open(descriptor, name, operation)
      return {
        manifest: image.digest,
        chainId: chainOf(image),
        tree: await trees.open(stackOf(image), { folded: true, ...operation }),
      }
    },
    async lower({ manifest }, operation) {
      return trees.open(stackOf(await images.byDigest(manifest, operation)), { folded: true, ...operation })
    },
    lease,
    writing,
  })

  return {
    root,
    containers,
    fileDigests,

    async *list() {
      for (const { name, descriptor } of allNames.list()) yield { name, descriptor }
    },
    async images() {
      return summariesOf(
        { disk, pathOf: (digest) => homeOf(digest).blobOf(digest) },
        allNames.list(),
        (name, descriptor) => images.summary(name, descriptor),
      )
    },
    async image(name, operation = {}) {
      if (name !== undefined) return imageOf(name, operation)
      const all = allNames.list()
      if (all.length === 1) return imageOf(all[0]!.name, operation)
      throw new PlyError('PLY_USAGE', { reason: `say which image: the store holds ${all.length}` })
    },
    async write(image, name, operation = {}) {
      const as = name === undefined ? undefined : normalName(name)
      checkLayers(image)
      const { descriptor } = await arriving(as, operation, async (arrivals) => ({
        image,
        ...(await layers.take(image.layers, arrivals, operation)),
      }))
      return descriptor
    },
    async tag(name, as) {
      const target = normalName(as)
      using _ = await lease({})
      const { name: known, descriptor } = await images.find(name)
      if (known === undefined) secureBlobs()
      await names.set(target, descriptor)
    },
    async untag(text) {
      using _ = await lease({})
      const { name } = await images.find(text)
      if (name === undefined || !(await names.remove(name)))
        throw new PlyError('PLY_IMAGE_NOT_FOUND', { name: text, where: root })
    },
    async tree(image, operation = {}) {
      return trees.open(stackOf(await given(image, operation)), operation)
    },
    async commit(container, name, operation = {}) {
      const as = name === undefined ? undefined : normalName(name)
      return arriving(as, operation, async (arrivals) => {
        const base = await images.byDigest(container.manifest, operation)
        const limits = { ...acceptances.limitsOf(base.layers), ...operation.limits }
        const place = { layers, blobs, arrivals }
        const { image, reports } = await commitContainer(container, base, place, { ...operation, limits })
        return { image, added: reports.map(({ digest }) => digest), reports }
      })
    },
    ...rewritesOf({
      layers,
      blobs,
      given,
      tree: (image, operation) => trees.open(stackOf(image), operation),
      limitsOf: ({ layers: own }) => acceptances.limitsOf(own),
      arriving,
    }),
    async collect(operation = {}) {
      writing()
      const held = await disk.lock(join(layout.locks, 'collect'))
      if (held === undefined) throw new PlyError('PLY_STORE_BUSY', { root })
      using _ = held
      return await collect({ disk, layout, blobs, names }, operation)
    },
    async explain(id, operation = {}) {
      return explain({ disk, layout, blobs, names }, id, operation)
    },
    async fsck(options = {}) {
      if (options.repair) writing()
      return fsck(
        {
          ...{ disk, layout, blobs, names, layers, trees, uppers, acceptances, zstd, writable, durable, lease },
          ...{ below: below.map((lower) => lower.layout), homeOf },
        },
        options,
      )
    },
    async usage() {
      return usageOf(disk, layout)
    },
    async dedupe(operation = {}) {
      // What is read lives as long as nobody collects; where nothing is written nobody does.
      using _ = operation.dryRun && !writable ? undefined : await lease(operation)
      const { images: marked } = await mark(rootsOf({ disk, layout, names }).images, blobs, operation)
      const ids = new Map(marked.flatMap((image) => image.layers.map((layer) => [layer.diffId, layer])))
      return dedupe({ disk, layout, layers, digests }, [...ids.values()], operation)
    },
    async accounting(operation = {}) {
      const shown = {
        image: (image: MarkedImage) => shownSizeOf(() => trees.open(image.layers, operation)),
        container: (name: string) =>
          shownSizeOf(async () => (await containers.open(name, { readOnly: true, ...operation })).tree),
      }
      return accountingOf({ disk, layout, blobs, names }, shown, operation)
    },
    async [Symbol.asyncDispose]() {
      fileDigests.flush()
    },
  }
}

/** A store below: nothing of it is made, locked or changed. @throws PLY_STORE_FORMAT, PLY_STORE_OWNER; PLY_USAGE in memory */
function lowerStore(disk: Disk, path: string, { anyOwner }: StoreOptions) {
  if (disk.kind === 'memory') throw new PlyError('PLY_USAGE', { reason: 'a store in memory has no stores below it' })
  const { layout } = openLayout(disk, resolve(path), { readOnly: true, ...(anyOwner !== undefined && { anyOwner }) })
  const blobs = diskBlobStore({ disk, root: layout.root, tmp: layout.tmp })
  const layers = new LayerFiles({ disk, layout, writable: false })
  return { layout, blobs, layers, names: new Names(disk, layout) }
}

/** An image that was put together by hand may hold other layers than its documents say. @throws PLY_BAD_DOCUMENT */
function checkLayers({ digest, manifest, config, layers }: Image): void {
  const agree = layers.every(
    ({ descriptor, diffId }, i) =>
      descriptor.digest === manifest.layers[i]?.digest && diffId === config.rootfs.diff_ids[i],
  )
  if (!agree || layers.length !== manifest.layers.length)
    throw new PlyError('PLY_BAD_DOCUMENT', {
      what: `image ${digest}`,
      reason: 'its layers are not those that its manifest and config name',
    })
}
