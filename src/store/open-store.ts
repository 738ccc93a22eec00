import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Image } from '../image/image.ts'
import { chainIds } from '../model/digest.ts'
import { PlyError } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import { normalName } from '../model/reference.ts'
import type { Disk } from '../sys/disk.ts'
import { memoryDisk } from '../sys/memory-disk.ts'
import { nodeDisk } from '../sys/node-disk.ts'
import { removeAbandoned } from './builds/abandoned.ts'
import { BuildRecords } from './builds/build-records.ts'
import { buildGround, buildGroundOf } from './builds/ground.ts'
import { collect } from './collection/collect.ts'
import { explain } from './collection/explain.ts'
import { type MarkedImage, mark } from './collection/mark.ts'
import { rootsOf } from './collection/roots.ts'
import { commitContainer } from './containers/commit.ts'
import { asSeen } from './containers/handing-over.ts'
import { containersOf } from './containers/stored-containers.ts'
import { overlayWorks } from './containers/upper-form.ts'
import { fsck } from './fsck/fsck.ts'
import { rewritesOf } from './images/rewrites.ts'
import { summariesOf } from './images/summaries.ts'
import { checkLayers, ImageIntake } from './intake/image-intake.ts'
import { takeParcel } from './intake/take-parcel.ts'
import type { LayerId } from './layers/layer-files.ts'
import { mountGround } from './mounts/ground.ts'
import { mountGroundOf } from './mounts/holding.ts'
import { MountRecords } from './mounts/mount-records.ts'
import { openParts } from './parts.ts'
import { accountingOf } from './space/accounting.ts'
import { dedupe } from './space/dedupe.ts'
import { shownSizeOf } from './space/shown-size.ts'
import { usageOf } from './space/usage.ts'
import { layerLender, type Store, type StoreOptions } from './store.ts'
import { openStack } from './trees/open-stack.ts'

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
  const parts = openParts(place, path, options, root)
  const { disk, layout, blobs, names, allNames, images, layers, trees, uppers, acceptances, fileDigests } = parts
  const { writing, lease } = parts
  const intake = new ImageIntake(parts)
  const stackOf = (image: Image): LayerId[] => image.layers.map(({ diffId, descriptor }) => ({ diffId, descriptor }))
  const chainOf = (image: Image) => chainIds(image.layers.map(({ diffId }) => diffId)).at(-1) ?? null
  const imageOf = async (name: string, operation: { readonly platform?: string } & Operation = {}) => {
    const found = await images.find(name)
    return images.open(found.descriptor, name, operation)
  }
  const given = async (image: string | Image, operation: Operation): Promise<Image> =>
    typeof image === 'string' ? imageOf(image, operation) : image

  const mounts = new MountRecords(disk, layout)
  const containers = containersOf({
    disk,
    layout,
    uppers,
    mounts,
    mounting: () => ground,
    form: () => options.upperForm ?? (overlayWorks(disk, layout) ? 'overlay' : 'portable'),
    async stand(name, operation) {
      const { name: known, descriptor } = await images.find(name)
      if (known === undefined) intake.secureBlobs()
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

  const { below, anyOwner = false, readOnly = false, blockCopyUp } = options
  const ground = mountGroundOf({
    parts,
    options: { below, anyOwner, readOnly, ...(blockCopyUp !== undefined && { blockCopyUp }) },
    containers,
    records: mounts,
    imageOf,
  })
  return {
    root,
    containers,
    mounts,
    fileDigests,
    [mountGround]: ground,
    [buildGround]: buildGroundOf({
      disk,
      layout,
      layers,
      blobs,
      acceptances,
      intake,
      records: new BuildRecords(disk, layout),
      containers,
      lease,
      writing,
      byDigest: (manifest, operation) => images.byDigest(manifest, operation),
    }),
    [layerLender]({ diffId, descriptor }) {
      // It may have come here under another digest: one is the tar itself.
      const ids = [descriptor, { ...descriptor, digest: diffId }].map((one) => ({ diffId, descriptor: one }))
      const known = ids.find((id) => layers.isReady(id))
      return known && layers.view(known)
    },

    async *list() {
      for (const { name, descriptor } of allNames.list()) yield { name, descriptor }
    },
    async images() {
      return summariesOf(
        { disk, pathOf: (digest) => parts.homeOf(digest).blobOf(digest) },
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
      const { descriptor } = await intake.take(as, operation, async (arrivals) => ({
        image,
        ...(await layers.take(image.layers, arrivals, operation)),
      }))
      return descriptor
    },
    async parcel(name, operation = {}) {
      const all = allNames.list()
      if (name === undefined && all.length !== 1)
        throw new PlyError('PLY_USAGE', { reason: `say which image: the store holds ${all.length}` })
      return images.parcel((await images.find(name ?? all[0]!.name)).descriptor, operation)
    },
    async writeParcel(parcel, name, operation = {}) {
      const as = name === undefined ? undefined : normalName(name)
      using _ = await lease(operation)
      const write = (image: Image) =>
        intake.take(undefined, operation, async (arrivals) => ({
          image,
          ...(await layers.take(image.layers, arrivals, operation)),
        }))
      await takeParcel(parcel, { blobs, write }, operation)
      intake.secureBlobs()
      if (as !== undefined) await names.set(as, parcel.descriptor)
      return parcel.descriptor
    },
    async tag(name, as) {
      const target = normalName(as)
      using _ = await lease({})
      const { name: known, descriptor } = await images.find(name)
      if (known === undefined) intake.secureBlobs()
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
    async layers(image, operation = {}) {
      return openStack(await given(image, operation), parts, operation)
    },
    async commit(given, name, operation = {}) {
      const container = await given[asSeen](operation)
      await using _ = container === given ? undefined : container
      const as = name === undefined ? undefined : normalName(name)
      return await intake.take(as, operation, async (arrivals) => {
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
      arriving: (as, options, make) => intake.take(as, options, make),
    }),
    async collect(operation = {}) {
      writing()
      if (!operation.dryRun) await removeAbandoned({ containers, disk, layout })
      const held = await disk.lock(join(layout.locks, 'collect'))
      if (held === undefined) throw new PlyError('PLY_STORE_BUSY', { root })
      using _ = held
      return await collect(parts, operation)
    },
    async explain(id, operation = {}) {
      return explain(parts, id, operation)
    },
    async fsck(options = {}) {
      if (options.repair) writing()
      return fsck({ ...parts, below: parts.below.map((lower) => lower.layout) }, options)
    },
    async usage() {
      return usageOf(disk, layout)
    },
    async dedupe(operation = {}) {
      // What is read lives as long as nobody collects; where nothing is written nobody does.
      using _ = operation.dryRun && !parts.writable ? undefined : await lease(operation)
      const { images: marked } = await mark(rootsOf(parts).images, blobs, operation)
      const ids = new Map(marked.flatMap((image) => image.layers.map((layer) => [layer.diffId, layer])))
      return dedupe(parts, [...ids.values()], operation)
    },
    async accounting(operation = {}) {
      const shown = {
        image: (image: MarkedImage) => shownSizeOf(() => trees.open(image.layers, operation)),
        container: (name: string) =>
          shownSizeOf(async () => (await containers.open(name, { readOnly: true, ...operation })).tree),
      }
      return accountingOf(parts, shown, operation)
    },
    async [Symbol.asyncDispose]() {
      fileDigests.flush()
    },
  }
}
