import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Image } from '../../image/image.ts'
import { chainIds } from '../../model/digest.ts'
import { PlyError } from '../../model/errors.ts'
import type { Operation } from '../../model/operation.ts'
import { FoldedTree } from '../../stack/folded-tree.ts'
import type { Lock } from '../../sys/disk.ts'
import { syncFileSystem } from '../../sys/sync.ts'
import type { ContainerRecord } from '../containers/container-records.ts'
import { openContainer } from '../containers/open-container.ts'
import type { StoredContainers } from '../containers/stored-containers.ts'
import { overlayWorks } from '../containers/upper-form.ts'
import { frozenBelow } from '../containers/upper-stack.ts'
import type { UpperRecord } from '../containers/uppers.ts'
import type { LayerId } from '../layers/layer-files.ts'
import type { StoreParts } from '../parts.ts'
import type { StoreOptions } from '../store.ts'
import type { Held, MountGround } from './ground.ts'
import type { MountRecords } from './mount-records.ts'
import type { MountSubject, Standing, StandingDevice, StandingUpper } from './standing.ts'

export interface HoldingOptions {
  readonly parts: StoreParts
  readonly options: StoreOptions
  readonly containers: StoredContainers
  readonly records: MountRecords
  imageOf(name: string, operation: Operation): Promise<Image>
}

/** Mounting's side of a store. */
export function mountGroundOf(around: HoldingOptions): MountGround {
  const { parts, containers, records } = around
  return {
    layout: parts.layout,
    below: parts.below.map((lower) => lower.layout.root),
    records,
    index() {
      const { records: names, inIndex } = parts.names.survey({ quick: true })
      if (inIndex === undefined || parts.names.index() === 'damaged') return 'damaged'
      const missing = names.some(({ name, descriptor }) => inIndex.get(name)?.digest !== descriptor.digest)
      return missing || inIndex.size > names.length ? 'behind' : 'current'
    },
    takesOverlay: () => overlayWorks(parts.disk, parts.layout),
    convert: (name, form, operation) => containers.convert(name, form, operation),
    async hold(wanted, operation = {}) {
      if (parts.disk.kind === 'memory')
        throw new PlyError('PLY_UNSUPPORTED', {
          what: 'mounting from a store in memory',
          reason: 'what mounts cannot see it; copy the image into a store on a disk',
        })
      const lease = await parts.lease(operation)
      let claim: Claim | undefined
      try {
        if ('image' in wanted) {
          const image = typeof wanted.image === 'string' ? await around.imageOf(wanted.image, operation) : wanted.image
          const name = typeof wanted.image === 'string' ? wanted.image : undefined
          return await held(around, image, { kind: 'image', name }, lease, undefined, operation)
        }
        claim = await containers.claim(wanted.container)
        const { record, stands, snapshot } = claim
        const image = await parts.images.byDigest(stands.manifest, operation)
        const subject: MountSubject =
          snapshot === undefined
            ? { kind: 'container', name: record.name }
            : { kind: 'snapshot', container: record.name, snapshot }
        return await held(around, image, subject, lease, claim, operation)
      } catch (error) {
        claim?.held?.release()
        lease.release()
        throw error
      }
    },
    async write(name, upper, operation = {}) {
      const { freezing } = containers
      const held = await parts.disk.lock(parts.uppers.lockOf(upper))
      try {
        const record = freezing.records.read(name)
        if (held === undefined || record.upper !== upper) {
          const state = 'being written by another process'
          throw new PlyError('PLY_CONTAINER_BUSY', { name, state, advice: 'close that one first' })
        }
        return await openContainer(freezing, record, parts.uppers.record(upper), held, operation)
      } catch (error) {
        held?.release()
        throw error
      }
    },
    async settle(upper) {
      using held = await parts.disk.lock(parts.uppers.lockOf(upper))
      if (held === undefined || !existsSync(parts.uppers.pathOf(upper))) return
      closed(parts, upper)
    },
  }
}

/** A container (or a snapshot of one) that nobody else writes. */
export interface Claim {
  readonly record: ContainerRecord
  readonly stands: UpperRecord
  readonly snapshot: string | undefined
  /** Absent for a snapshot. */
  readonly held: Lock | undefined
}

async function held(
  { parts, options, containers }: HoldingOptions,
  image: Image,
  subject: MountSubject,
  lease: Lock,
  claim: Claim | undefined,
  operation: Operation,
): Promise<Held> {
  const { layers, uppers } = parts
  const stack: LayerId[] = image.layers.map(({ diffId, descriptor }) => ({ diffId, descriptor }))
  const files = await treeFiles(parts, stack, operation)
  const upperAt = ({ id, form }: UpperRecord): StandingUpper => {
    const path = uppers.pathOf(id)
    return { id, form, upperDir: join(path, 'upper'), workDir: join(path, 'work'), blocks: uppers.hasBlocks(id) }
  }
  const chain = claim ? frozenBelow(uppers, claim.stands).map(upperAt) : []
  const own = claim && upperAt(claim.stands)
  const written = claim?.held !== undefined
  const standing: Standing = {
    store: { root: parts.layout.root, options },
    subject,
    manifest: image.digest,
    chainId: chainIds(stack.map(({ diffId }) => diffId)).at(-1) ?? null,
    ...files,
    upper: written ? own : undefined,
    frozen: own && !written ? [...chain, own] : chain,
  }
  const open = (readOnly: boolean) =>
    openContainer(containers.freezing, claim!.record, claim!.stands, readOnly ? undefined : borrowed, operation)
  return {
    standing,
    async devices(operation) {
      const paths: string[] = []
      for (const { diffId, spill, path } of standing.devices)
        paths.push(spill ? (await layers.spill(stack.find((one) => one.diffId === diffId)!, operation))! : path)
      return paths
    },
    async isUnwritten(operation = {}) {
      if (claim === undefined) return true
      await using container = await open(true)
      for await (const _ of container.changes(operation)) return false
      return true
    },
    async prepare() {
      if (claim?.held === undefined) return
      await using container = await open(false)
      const { tree } = container
      const { mode, uid, gid, mtime } = tree.stat(tree.root)
      tree.setAttributes(tree.root, { mode, uid, gid, mtime })
      for (const ino of [...tree.inBlocks()]) tree.materialize(ino)
      await container.close()
      uppers.writing(claim.stands.id)
    },
    settle() {
      if (claim?.held) closed(parts, claim.stands.id)
    },
    letGo: () => claim?.held?.release(),
    [Symbol.dispose]() {
      claim?.held?.release()
      lease.release()
    },
  }
}

/** Has an upper that the kernel has written be as one that was closed. */
function closed({ uppers }: StoreParts, upper: string): void {
  syncFileSystem(uppers.pathOf(upper))
  uppers.written(upper)
}

/** Whoever opens it with this one does not hold the container's lock, but knows that somebody does. */
const borrowed: Lock = { release() {}, [Symbol.dispose]() {} }

/** Where the folded tree of a stack lies, and what it points into; it is folded if it is not there yet. */
async function treeFiles(
  { layout, below, layers, trees }: StoreParts,
  stack: readonly LayerId[],
  operation: Operation,
): Promise<{ readonly index: string | undefined; readonly devices: readonly StandingDevice[] }> {
  if (stack.length === 0) return { index: undefined, devices: [] }
  const tree = await trees.open(stack, { folded: true, ...operation })
  try {
    if (!(tree instanceof FoldedTree)) throw new PlyError('EIO', { syscall: 'open', path: layout.treeCache })
    const chainId = chainIds(stack.map(({ diffId }) => diffId)).at(-1)!
    const places = [layout, ...below.map((lower) => lower.layout)].map((one) => one.treeOf(chainId))
    const byDiffId = new Map(stack.map((id) => [id.diffId, id]))
    return {
      index: places.find((path) => existsSync(path)),
      devices: tree.devices.map(({ diffId, size, spill }) => {
        const id = byDiffId.get(diffId)!
        return {
          diffId,
          size,
          spill: spill === true,
          path: spill ? layout.spillOf(diffId) : layers.homeOf(id).pathOfTar(id),
        }
      }),
    }
  } finally {
    tree.close()
  }
}
