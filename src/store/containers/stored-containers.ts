import { join } from 'node:path'
import { codeOf, PlyError } from '../../model/errors.ts'
import { checkAborted, type Operation } from '../../model/operation.ts'
import type { Tree } from '../../stack/tree.ts'
import type { Disk, Lock } from '../../sys/disk.ts'
import type { Layout } from '../layout.ts'
import type { MountGround } from '../mounts/ground.ts'
import type { Claim } from '../mounts/holding.ts'
import type { MountRecords } from '../mounts/mount-records.ts'
import type { Container } from './container.ts'
import {
  type ContainerRecord,
  ContainerRecords,
  type Snapshot,
  snapshotOf,
  splitSnapshot,
} from './container-records.ts'
import type { Containers } from './containers.ts'
import { convertedUpper } from './converted-upper.ts'
import { Freezing, freeUpper, withSnapshot } from './freezing.ts'
import { letGo } from './letting-go.ts'
import { openContainer } from './open-container.ts'
import { checkUpperForm, type UpperForm, type UpperRecord, type Uppers } from './uppers.ts'

/** What the containers need of the store around them. */
export interface Ground {
  readonly disk: Disk
  readonly layout: Layout
  readonly uppers: Uppers
  readonly mounts: MountRecords
  /** What mounting needs of the store. */
  mounting(): MountGround
  /** The form that new uppers take on this disk. */
  form(): UpperForm
  /** Finds the image and answers its manifest, its chain and the folded tree of it. */
  stand(
    image: string,
    operation: Operation,
  ): Promise<Pick<UpperRecord, 'manifest' | 'chainId'> & { readonly tree: Tree }>
  /** The folded tree that an upper was made on. */
  lower(record: UpperRecord, operation: Operation): Promise<Tree>
  /** Holds off collection while something is being written or removed. @throws PLY_STORE_READ_ONLY */
  lease(operation: Operation): Promise<Lock>
  /** @throws PLY_STORE_READ_ONLY */
  writing(): void
}

/** What the rest of the store asks of them besides. */
export interface StoredContainers extends Containers {
  readonly freezing: Freezing
  /**
   * Keeps others from writing a container, for who will write it in another way; of a snapshot (`work@before`) only finds it. The caller
   * releases what is held. @throws PLY_CONTAINER_NOT_FOUND, PLY_SNAPSHOT_NOT_FOUND, PLY_CONTAINER_BUSY
   */
  claim(name: string): Promise<Claim>
}

export function containersOf(ground: Ground): StoredContainers {
  const { disk, layout, uppers, mounts } = ground
  const records = new ContainerRecords(disk, layout)
  const freezing = new Freezing(ground, records, () => all)

  /** The record and the lock of its upper. The record is read again under the lock: the name may be another's by then. */
  const lock = async (name: string): Promise<{ readonly found: ContainerRecord; readonly held: Lock }> => {
    for (;;) {
      const { upper } = records.read(name)
      const held = await disk.lock(uppers.lockOf(upper))
      if (held === undefined) {
        mounts.checkFree(name)
        const state = 'being written by another process'
        throw new PlyError('PLY_CONTAINER_BUSY', { name, state, advice: 'close that one first' })
      }
      try {
        const found = records.read(name)
        mounts.checkFree(name)
        if (found.upper === upper) return { found, held }
      } catch (error) {
        forget(upper, held)
        throw error
      }
      forget(upper, held)
    }
  }
  /** Nobody looks for the lock of an upper that is gone. */
  const forget = (upper: string, held: Lock) => {
    if (!disk.fs.existsSync(uppers.pathOf(upper))) disk.fs.rmSync(uppers.lockOf(upper), { force: true })
    held.release()
  }
  /** Has a container stand on a new upper from now on, over a frozen one. */
  const restand = (record: ContainerRecord, parent: string): ContainerRecord => {
    const made = uppers.createOver(parent)
    const next = { ...record, upper: made.id }
    let failure: unknown
    try {
      failure = freezing.decide(next)
    } catch (error) {
      freezing.undo(record.name, made.id)
      throw error
    }
    if (failure !== undefined) throw failure
    return next
  }

  const all: StoredContainers = {
    freezing,

    async claim(text) {
      const { container: name, snapshot } = splitSnapshot(text)
      const { found, held } = snapshot === undefined ? await lock(name) : { found: records.read(name), held: undefined }
      try {
        const upper = snapshot === undefined ? found.upper : snapshotOf(found, snapshot).upper
        return { record: { ...found, upper }, stands: uppers.record(upper), snapshot, held }
      } catch (error) {
        held?.release()
        throw error
      }
    },

    async create(name, image, operation = {}) {
      freezing.checkFree(name)
      using _ = await ground.lease(operation)
      freezing.checkFree(name)
      const { manifest, chainId, tree } = await ground.stand(image, operation)
      let upper: UpperRecord | undefined
      let held: Lock | undefined
      let opened: Container | undefined
      try {
        upper = uppers.create({ parent: null, form: ground.form(), chainId, manifest })
        held = await freeUpper({ disk, uppers }, upper.id)
        const made = { name, image, manifest, created: new Date().toISOString(), upper: upper.id, snapshots: [] }
        opened = await openContainer(freezing, made, upper, held, { ...operation, base: tree })
        // What opening has set on the upper's root.
        disk.syncDirectory(join(uppers.pathOf(upper.id), 'upper'))
        // The name comes last: a container without its upper would be damage.
        records.publish(made)
        return opened
      } catch (error) {
        if (opened) await opened.close()
        else held?.release()
        tree.close()
        if (upper) freezing.undo(name, upper.id)
        throw error
      }
    },

    async open(text, { readOnly = false, ...operation } = {}) {
      const { container: name, snapshot } = splitSnapshot(text)
      if (!readOnly) ground.writing()
      if (!readOnly && snapshot !== undefined)
        throw new PlyError('PLY_USAGE', {
          reason: `${text} is a snapshot, which never changes; clone it: ply clone ${text} NAME`,
        })
      const upperOf = (found: ContainerRecord) => (snapshot === undefined ? found : snapshotOf(found, snapshot)).upper
      for (;;) {
        const { found, held } = readOnly ? { found: records.read(name), held: undefined } : await lock(name)
        const upper = upperOf(found)
        try {
          if (readOnly && snapshot === undefined) mounts.sync(name)
          return await openContainer(freezing, { ...found, upper }, uppers.record(upper), held, operation)
        } catch (error) {
          held?.release()
          // Who reads holds no lock: the upper may have been removed since the record was read.
          if (!readOnly || codeOf(error) !== 'ENOENT' || upperOf(records.read(name)) === upper) throw error
        }
      }
    },

    async list() {
      return records.readable()
    },

    async convert(name, form, operation = {}) {
      checkUpperForm(form)
      using _ = await ground.lease(operation)
      const { found, held } = await lock(name)
      using __ = held
      const stands = uppers.record(found.upper)
      if (stands.form === form) return found
      const made = await convertedUpper(ground, stands, form, operation)
      using ___ = await records.lock(operation)
      // The record is the moment of the change: before it the new upper is litter, after it the old one.
      const next = { ...records.read(name), upper: made.id }
      let failure: unknown
      try {
        failure = freezing.decide(next)
      } catch (error) {
        freezing.undo(name, made.id)
        throw error
      }
      uppers.remove(found.upper)
      if (failure !== undefined) throw failure
      return next
    },

    async materialize(name, operation = {}) {
      ground.writing()
      using _ = await ground.lease(operation)
      const { found, held } = await lock(name)
      let opened: Awaited<ReturnType<typeof openContainer>>
      try {
        opened = await openContainer(freezing, found, uppers.record(found.upper), held, operation)
      } catch (error) {
        held.release()
        throw error
      }
      await using container = opened
      let files = 0
      let bytes = 0
      for (const ino of [...container.tree.inBlocks()]) {
        checkAborted(operation.signal)
        container.tree.materialize(ino)
        files++
        bytes += container.tree.stat(ino).size
      }
      await container.close()
      return { files, bytes }
    },

    async snapshot(name, wanted, operation = {}) {
      const asked = mounts.asked(name, { ask: 'snapshot', name: wanted })
      if (asked) {
        await mounts.follow(name, records.read(name).upper, operation)
        return asked.answer as Snapshot
      }
      using _ = await ground.lease(operation)
      const { held } = await lock(name)
      using __ = held
      using ___ = await records.lock(operation)
      const { record, snapshot } = withSnapshot(records.read(name), wanted)
      uppers.secure(snapshot.upper)
      restand(record, snapshot.upper)
      disk.fs.rmSync(uppers.lockOf(snapshot.upper), { force: true })
      return snapshot
    },

    async rollback(name, wanted, operation = {}) {
      using _ = await ground.lease(operation)
      const { held } = await lock(name)
      using __ = held
      using ___ = await records.lock(operation)
      const found = records.read(name)
      const next = restand(found, snapshotOf(found, wanted).upper)
      freezing.leave(next, found.upper)
      return next
    },

    async clone(from, name, operation = {}) {
      const { container, snapshot } = splitSnapshot(from)
      freezing.checkFree(name)
      const asked = snapshot === undefined ? mounts.asked(container, { ask: 'clone', name }) : undefined
      if (asked) {
        await mounts.follow(container, records.read(container).upper, operation)
        return asked.answer as ContainerRecord
      }
      using _ = await ground.lease(operation)
      using __ = snapshot === undefined ? (await lock(container)).held : undefined
      using ___ = await records.lock(operation)
      freezing.checkFree(name)
      const found = records.read(container)
      const { upper: frozen } = snapshot === undefined ? found : snapshotOf(found, snapshot)
      if (snapshot === undefined) {
        uppers.secure(frozen)
        restand(found, frozen)
        disk.fs.rmSync(uppers.lockOf(frozen), { force: true })
      }
      const made = uppers.createOver(frozen)
      const twin = freezing.cloned(found, name, made.id)
      try {
        records.publish(twin)
      } catch (error) {
        freezing.undo(name, made.id)
        throw error
      }
      return twin
    },

    async remove(text) {
      const { container: name, snapshot } = splitSnapshot(text)
      using _ = await ground.lease({})
      if (snapshot !== undefined) {
        using __ = await records.lock({})
        const found = records.read(name)
        const { upper } = snapshotOf(found, snapshot)
        mounts.checkSnapshotsFree(name, snapshot)
        records.replace({ ...found, snapshots: found.snapshots.filter((one) => one.name !== snapshot) })
        letGo(freezing, [upper])
        return
      }
      const { held } = await lock(name)
      using __ = held
      using ___ = await records.lock({})
      const found = records.read(name)
      mounts.checkSnapshotsFree(name)
      const { parent } = uppers.record(found.upper)
      // The name goes first: an upper without a container is litter, a container without its upper is damage.
      records.remove(name)
      uppers.remove(found.upper)
      const below = found.snapshots.map((one) => one.upper)
      letGo(freezing, parent === null ? below : [parent, ...below])
    },
  }
  return all
}
