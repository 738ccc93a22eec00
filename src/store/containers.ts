import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { type Change, changes } from '../diff/index.ts'
import type { UnionFs } from '../fs/index.ts'
import { fsOf } from '../fs/index.ts'
import type { Digest } from '../model/digest.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import type { Tree } from '../stack/tree.ts'
import type { Disk, Lock } from '../sys/disk.ts'
import type { WritableUnion } from '../union/union.ts'
import { union } from '../union/union-tree.ts'
import type { Upper } from '../union/upper.ts'
import { convertedUpper } from './converted-upper.ts'
import type { Layout } from './layout.ts'
import { escapeName } from './names.ts'
import { namesIn, readJson, writeFileAtomically } from './records.ts'
import type { UpperForm, UpperRecord, Uppers } from './uppers.ts'

export interface ContainerRecord {
  readonly name: string
  /** The name of the image it was made from, as it was given. */
  readonly image: string
  /** The manifest it was made from. */
  readonly manifest: Digest
  /** RFC 3339. */
  readonly created: string
  /** The upper it writes to. */
  readonly upper: string
}

/**
 * A writable union over an image. While it is open for writing, nobody else can open it for writing.
 * `close` (or disposal) syncs what was written and gives the container free; closing twice is fine.
 */
export interface Container extends ContainerRecord, AsyncDisposable {
  readonly tree: WritableUnion
  /** The `node:fs` face. */
  readonly fs: UnionFs
  /** What differs from the image, in path order. Cost grows with what was written, not with the image. */
  changes(operation?: Operation): AsyncIterable<Change>
  close(): Promise<void>
}

/** The containers of a store. */
export interface Containers {
  /** @throws PLY_CONTAINER_EXISTS, PLY_IMAGE_NOT_FOUND */
  create(name: string, image: string, operation?: Operation): Promise<Container>
  /** @throws PLY_CONTAINER_NOT_FOUND, PLY_CONTAINER_BUSY (not with `readOnly`) */
  open(name: string, options?: { readonly readOnly?: boolean } & Operation): Promise<Container>
  list(): Promise<readonly ContainerRecord[]>
  /**
   * Writes what was written in a container anew, in another form (docs/upper-format.md): the container shows the same. One that
   * is interrupted has the form it had. @throws PLY_CONTAINER_NOT_FOUND, PLY_CONTAINER_BUSY; ENOTSUP for what the form cannot store
   */
  convert(name: string, form: UpperForm, operation?: Operation): Promise<ContainerRecord>
  /** Removes the container and what was written in it. @throws PLY_CONTAINER_NOT_FOUND, PLY_CONTAINER_BUSY */
  remove(name: string): Promise<void>
}

/** What the containers need of the store around them. */
export interface Ground {
  readonly disk: Disk
  readonly layout: Layout
  readonly uppers: Uppers
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

const namePattern = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/

export function containersOf(ground: Ground): Containers {
  const { disk, layout, uppers } = ground
  const pathOf = (name: string) => join(layout.containers, escapeName(name))

  const record = (name: string): ContainerRecord => {
    const found = readJson<ContainerRecord>(disk, join(pathOf(name), 'record.json'))
    if (found === undefined) throw new PlyError('PLY_CONTAINER_NOT_FOUND', { name })
    return found
  }

  /** The record and the lock of its upper. The record is read again under the lock: the name may be another's by then. */
  const lock = async (name: string): Promise<{ readonly found: ContainerRecord; readonly held: Lock }> => {
    for (;;) {
      const { upper } = record(name)
      const held = await disk.lock(uppers.lockOf(upper))
      if (held === undefined) throw new PlyError('PLY_CONTAINER_BUSY', { name })
      try {
        const found = record(name)
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

  return {
    async create(name, image, operation = {}) {
      if (!namePattern.test(name))
        throw new PlyError('PLY_USAGE', {
          reason: `${JSON.stringify(name)} cannot name a container: use letters, digits, '_', '.', '-', at most 128`,
        })
      using _ = await ground.lease(operation)
      if (disk.fs.existsSync(pathOf(name))) throw new PlyError('PLY_CONTAINER_EXISTS', { name })
      const { manifest, chainId, tree } = await ground.stand(image, operation)
      let upper: UpperRecord | undefined
      let held: Lock | undefined
      let opened: Container | undefined
      try {
        upper = uppers.create({ parent: null, form: ground.form(), chainId, manifest })
        const made: ContainerRecord = { name, image, manifest, created: new Date().toISOString(), upper: upper.id }
        held = await disk.lock(uppers.lockOf(upper.id))
        opened = container(made, tree, uppers.open(upper, { readOnly: false }), held)
        // The name comes last: a container without its upper would be damage.
        publish(disk, layout, pathOf(name), made)
        return opened
      } catch (error) {
        ;(opened?.tree ?? tree).close()
        if (upper !== undefined) uppers.remove(upper.id)
        held?.release()
        // Somebody else was faster.
        if (codeOf(error) === 'ENOTEMPTY' || codeOf(error) === 'EEXIST')
          throw new PlyError('PLY_CONTAINER_EXISTS', { name })
        throw error
      }
    },

    async open(name, { readOnly = false, ...operation } = {}) {
      if (!readOnly) ground.writing()
      const { found, held } = readOnly ? { found: record(name), held: undefined } : await lock(name)
      let tree: Tree | undefined
      try {
        const stands = uppers.record(found.upper)
        tree = await ground.lower(stands, operation)
        return container(found, tree, uppers.open(stands, { readOnly }), held)
      } catch (error) {
        tree?.close()
        held?.release()
        throw error
      }
    },

    async list() {
      const found: ContainerRecord[] = []
      for (const file of namesIn(disk, layout.containers)) {
        const one = readJson<ContainerRecord>(disk, join(layout.containers, file, 'record.json'))
        if (one !== undefined) found.push(one)
      }
      return found
    },

    async convert(name, form, operation = {}) {
      using _ = await ground.lease(operation)
      const { found, held } = await lock(name)
      using __ = held
      const stands = uppers.record(found.upper)
      if (stands.form === form) return found
      const made = await convertedUpper(ground, stands, form, operation)
      const record: ContainerRecord = { ...found, upper: made.id }
      // The record is the moment of the change: before it the new upper is litter, after it the old one.
      writeFileAtomically({ disk, tmp: layout.tmp }, join(pathOf(name), 'record.json'), `${JSON.stringify(record)}\n`)
      uppers.remove(found.upper)
      return record
    },

    async remove(name) {
      using _ = await ground.lease({})
      const { found, held } = await lock(name)
      using __ = held
      // The name goes first: an upper without a container is litter, a container without its upper is damage.
      const doomed = join(layout.tmp, `removed-${randomBytes(8).toString('hex')}`)
      disk.fs.renameSync(pathOf(name), doomed)
      disk.syncDirectory(layout.containers)
      uppers.remove(found.upper)
      disk.fs.rmSync(doomed, { recursive: true, force: true })
    },
  }
}

function publish(disk: Disk, layout: Layout, path: string, record: ContainerRecord): void {
  const making = join(layout.tmp, `container-${randomBytes(8).toString('hex')}`)
  try {
    disk.fs.mkdirSync(making, { mode: 0o700 })
    writeFileAtomically({ disk, tmp: layout.tmp }, join(making, 'record.json'), `${JSON.stringify(record)}\n`)
    // Renaming a directory over one that is not empty fails: that makes the name exclusive. In memory it does not, but
    // there nothing comes in between.
    if (disk.kind === 'memory' && disk.fs.existsSync(path)) throw new PlyError('EEXIST', { syscall: 'rename', path })
    disk.fs.renameSync(making, path)
  } catch (error) {
    disk.fs.rmSync(making, { recursive: true, force: true })
    throw error
  }
  disk.syncDirectory(layout.containers)
}

function container(record: ContainerRecord, lower: Tree, upper: Upper, lock: Lock | undefined): Container {
  const tree = union(lower, upper)
  let open = true
  const close = async () => {
    if (!open) return
    open = false
    try {
      if (lock !== undefined) tree.sync()
    } finally {
      tree.close()
      lock?.release()
    }
  }
  return {
    ...record,
    tree,
    fs: fsOf(tree),
    changes: (operation) => changes(tree, operation),
    close,
    [Symbol.asyncDispose]: close,
  }
}
