import { type Change, changes, diff } from '../../diff/index.ts'
import type { UnionFs } from '../../fs/index.ts'
import { fsOf } from '../../fs/index.ts'
import { PlyError } from '../../model/errors.ts'
import type { Operation } from '../../model/operation.ts'
import type { StoredUpper } from '../../overlay/stored-upper.ts'
import type { Tree } from '../../stack/tree.ts'
import type { Lock } from '../../sys/disk.ts'
import type { RestackableUnion } from '../../union/union.ts'
import { unionOver } from '../../union/union-tree.ts'
import { mountGround } from '../mounts/ground.ts'
import type { Container } from './container.ts'
import { type ContainerRecord, type Snapshot, snapshotOf } from './container-records.ts'
import { type Freezing, freeUpper, withSnapshot } from './freezing.ts'
import { asSeen, type HandedOver, handOver, sidesElsewhere } from './handing-over.ts'
import { type Level, openBelow } from './upper-stack.ts'
import type { UpperRecord } from './uppers.ts'

/** The sides of an open container. */
interface Sides {
  readonly base: Tree
  readonly levels: readonly Level[]
  readonly upper: StoredUpper
  /** Absent: open for reading only. */
  readonly held: Lock | undefined
}

/** Opens an upper of a container, with all that it stands on. The lock is the container's from then on, not if this fails. */
export async function openContainer(
  around: Freezing,
  record: ContainerRecord,
  stands: UpperRecord,
  held: Lock | undefined,
  operation: { readonly base?: Tree } & Operation,
): Promise<OpenContainer> {
  const below = await openBelow(around, stands, operation)
  try {
    const upper = openUpper(around, stands, below.levels, held)
    return new OpenContainer(around, record, below.tree, { base: below.base, levels: below.levels, upper, held })
  } catch (error) {
    below.tree.close()
    throw error
  }
}

function openUpper(
  { uppers }: Freezing,
  stands: UpperRecord,
  levels: readonly Level[],
  held: Lock | undefined,
): StoredUpper {
  if (held) uppers.writing(stands.id)
  return uppers.open(stands, { readOnly: !held, below: levels.map(({ upper }) => upper) })
}

class OpenContainer implements Container {
  readonly tree: RestackableUnion
  readonly fs: UnionFs
  readonly #around: Freezing
  #record: ContainerRecord
  #sides: Sides
  #open = true
  /** It is written there for now. */
  #elsewhere = false

  constructor(around: Freezing, record: ContainerRecord, lower: Tree, sides: Sides) {
    this.#around = around
    this.#record = record
    this.#sides = sides
    this.tree = unionOver(lower, sides.upper)
    this.fs = fsOf(this.tree)
  }

  get name() {
    return this.#record.name
  }

  get image() {
    return this.#record.image
  }

  get manifest() {
    return this.#record.manifest
  }

  get created() {
    return this.#record.created
  }

  get upper() {
    return this.#record.upper
  }

  get snapshots() {
    return this.#record.snapshots
  }

  get base() {
    return this.#sides.base
  }

  get [mountGround]() {
    return this.#around.mounting()
  }

  changes({ since, ...operation }: { readonly since?: Snapshot | string | undefined } & Operation = {}) {
    if (this.#elsewhere) return this.#changesElsewhere(since, operation)
    if (since === undefined) return changes(this.tree, { since: this.base, ...operation })
    const { upper } = this.#kept(this.#record, since)
    const level = this.#sides.levels.find(({ id }) => id === upper)
    return level ? changes(this.tree, { since: level.tree, ...operation }) : this.#changesBeside(upper, operation)
  }

  async snapshot(name?: string, operation: Operation = {}): Promise<Snapshot> {
    if (this.#elsewhere) return this.#around.containers().snapshot(this.name, name, operation)
    let made: Snapshot | undefined
    using _ = await this.#around.lease(operation)
    using __ = await this.#around.records.lock(operation)
    await this.#freeze((found) => {
      const next = withSnapshot(found, name)
      made = next.snapshot
      return next.record
    })
    return made!
  }

  async rollback(snapshot: Snapshot | string, operation: Operation = {}): Promise<void> {
    const around = this.#around
    if (this.#elsewhere) around.mounting().records.checkFree(this.name)
    this.#writing('rollback')
    using _ = await around.lease(operation)
    using __ = await around.records.lock(operation)
    const found = around.records.read(this.name)
    const { upper: parent } = this.#kept(found, snapshot)
    const { held: before } = this.#sides
    const made = around.uppers.createOver(parent)
    let held: Lock | undefined
    let next: OpenContainer | undefined
    let failure: unknown
    try {
      held = await freeUpper(around, made.id)
      next = await openContainer(around, { ...found, upper: made.id }, made, held, operation)
      failure = this.#goOn(next)
    } catch (error) {
      if (next) await next.close()
      else held?.release()
      around.undo(this.name, made.id)
      throw error
    }
    // It has happened: what is left behind goes now, or with the next collection.
    try {
      around.leave(this.#record, found.upper)
    } finally {
      around.forget(found.upper, before!)
    }
    if (failure !== undefined) throw failure
  }

  async clone(name: string, operation: Operation = {}): Promise<Container> {
    const around = this.#around
    if (this.#elsewhere) {
      await around.containers().clone(this.name, name, operation)
      return around.containers().open(name, operation)
    }
    this.#writing('clone')
    using _ = await around.lease(operation)
    using __ = await around.records.lock(operation)
    around.checkFree(name)
    await this.#freeze((found) => found)
    const { base, levels } = this.#sides
    const frozen = levels.at(-1)!
    const made = around.uppers.createOver(frozen.id)
    let held: Lock | undefined
    let twin: Container | undefined
    try {
      held = await freeUpper(around, made.id)
      const record = around.cloned(this.#record, name, made.id)
      const sides = { base, levels, upper: openUpper(around, made, levels, held), held }
      twin = new OpenContainer(around, record, frozen.tree.retain(), sides)
      around.records.publish(record)
      return twin
    } catch (error) {
      if (twin) await twin.close()
      else held?.release()
      around.undo(name, made.id)
      throw error
    }
  }

  async close(): Promise<void> {
    if (!this.#open) return
    this.#open = false
    const { held } = this.#sides
    let written = false
    try {
      if (held !== undefined) this.tree.sync()
      written = held !== undefined
    } finally {
      this.tree.close()
      // Until here closing itself has written.
      if (written) this.#around.uppers.written(this.upper)
      held?.release()
    }
  }

  [handOver](where: string): HandedOver {
    const around = this.#around
    this.#writing('mount')
    const { held, upper: was } = this.#sides
    this.tree.sync()
    const { lower, upper } = sidesElsewhere(where, this.tree.lower, was)
    this.tree.restack(lower, upper, () => {})
    this.#sides = { base: lower, levels: [], upper, held: undefined }
    this.#elsewhere = true
    around.uppers.written(this.upper)
    held!.release()
    return {
      back: async () => {
        if (!this.#open || !this.#elsewhere) return
        const { record, stands, held } = await around.containers().claim(this.name)
        let next: OpenContainer
        try {
          next = await openContainer(around, record, stands, held, {})
        } catch (error) {
          held?.release()
          throw error
        }
        this.tree.restack(next.tree.lower, next.#sides.upper, () => {})
        this.#record = record
        this.#sides = next.#sides
        this.#elsewhere = false
      },
    }
  }

  async [asSeen](operation: Operation = {}): Promise<Container> {
    return this.#elsewhere ? this.#around.containers().open(this.name, { readOnly: true, ...operation }) : this
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Freezes what was written so far, under an empty upper; `change` says what else the record says from then on. */
  async #freeze(change: (found: ContainerRecord) => ContainerRecord): Promise<void> {
    const around = this.#around
    this.#writing('snapshot')
    const { records, uppers } = around
    const found = records.read(this.name)
    const next = change(found)
    const made = uppers.createOver(found.upper)
    let held: Lock | undefined
    let upper: StoredUpper | undefined
    let failure: unknown
    const was = this.#sides
    try {
      held = await freeUpper(around, made.id)
      this.#writing('snapshot')
      // Nobody comes in between from here on: there is nothing to wait for.
      const { base, levels, upper: frozen } = was
      this.tree.sync()
      frozen.settle()
      uppers.writing(made.id)
      const open = uppers.open(made, { readOnly: false, below: [...levels.map((level) => level.upper), frozen] })
      upper = open
      const record = { ...next, upper: made.id }
      const tree = this.tree.freeze(open, () => {
        failure = around.decide(record)
      })
      this.#record = record
      this.#sides = { base, levels: [...levels, { id: found.upper, upper: frozen, tree }], upper: open, held }
    } catch (error) {
      upper?.close()
      held?.release()
      around.undo(this.name, made.id)
      throw error
    }
    // It has happened.
    try {
      was.upper.freeze()
      uppers.written(found.upper)
    } finally {
      around.forget(found.upper, was.held!)
    }
    if (failure !== undefined) throw failure
  }

  /** Goes on as another one that was opened for it, and is nothing without it. Answers as `decide`. */
  #goOn(next: OpenContainer): unknown {
    const around = this.#around
    this.#writing('rollback')
    let failure: unknown
    this.tree.restack(next.tree.lower, next.#sides.upper, () => {
      failure = around.decide(next.#record)
    })
    this.#record = next.#record
    this.#sides = next.#sides
    return failure
  }

  async *#changesBeside(upper: string, operation: Operation): AsyncGenerator<Change> {
    const around = this.#around
    const stands = around.uppers.record(upper)
    await using before = await openContainer(around, this.#record, stands, undefined, operation)
    yield* diff(before.tree, this.tree, operation)
  }

  async *#changesElsewhere(since: Snapshot | string | undefined, operation: Operation): AsyncGenerator<Change> {
    await using seen = await this[asSeen](operation)
    yield* seen.changes({ since, ...operation })
  }

  #kept(record: ContainerRecord, snapshot: Snapshot | string): Snapshot {
    return snapshotOf(record, typeof snapshot === 'string' ? snapshot : snapshot.name)
  }

  /** @throws EROFS, EBADF */
  #writing(syscall: string): void {
    if (!this.#sides.held) throw new PlyError('EROFS', { syscall })
    if (!this.#open) throw new PlyError('EBADF', { syscall })
  }
}
