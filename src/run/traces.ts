import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { codeOf } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import { mountGround } from '../store/mounts/ground.ts'
import type { Store } from '../store/store.ts'
import type { Lock } from '../sys/disk.ts'
import { nodeDisk } from '../sys/node-disk.ts'
import { removeOwned } from './remove-owned.ts'

/**
 * What is to go when somebody who runs something has ended, however he ended: `locks/run-<id>`, which is locked, by several perhaps, as
 * long as anybody needs it. It is there before what it names, and goes after that.
 */
export interface Trace {
  /** A directory of this machine, `…/ply-run-<id>`. */
  readonly scratch?: string
  /** A container that was made to be removed. */
  readonly container?: {
    readonly name: string
    /** Milliseconds since the epoch: it was made then, or up to a few seconds later. */
    readonly since: number
    /** What it stands on, once it is there. */
    readonly upper?: string
  }
}

/** A place for files, until it is disposed of. */
export interface Scratch extends AsyncDisposable {
  /** A directory that is empty, and open to this user alone. */
  readonly path: string
  /** A file: who holds a shared lock on it keeps the directory. */
  readonly lock: string
}

/** A container that goes when it is disposed of. */
export interface TemporaryContainer extends AsyncDisposable {
  readonly name: string
}

/** Milliseconds. */
const patience = 1000

export const tracePattern = /^run-[0-9a-f]{16}$/
export const scratchPattern = /^ply-run-[0-9a-f]{16}$/

/** Makes a directory outside of the store, which goes with this process: what is left of it is cleared away with the next run of anything. */
export async function scratchFor(store: Store): Promise<Scratch> {
  const id = randomBytes(8).toString('hex')
  const path = join(tmpdir(), `ply-run-${id}`)
  const trace = await traced(store, id, { scratch: path })
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    trace.end()
    throw error
  }
  return {
    path,
    lock: trace.file,
    async [Symbol.asyncDispose]() {
      removeScratch(path)
      trace.end()
    },
  }
}

/** The control group of a container that has such a directory. */
export function groupOf({ path }: Pick<Scratch, 'path'>): string {
  return `/${basename(path)}`
}

/** Removes such a directory, and the control group with it. @throws EACCES, EPERM for what belongs to others */
export function removeScratch(path: string): void {
  removeOwned(path)
  const groups = '/sys/fs/cgroup'
  for (const place of [groups, ...hierarchies(groups)]) {
    try {
      rmdirSync(join(place, groupOf({ path })))
    } catch (error) {
      // It had none, it has gone, or somebody in it is just going: an empty one does nobody harm.
      if (codeOf(error) === undefined) throw error
    }
  }
}

/** Before the second version every kind of group had a hierarchy of its own. */
function hierarchies(groups: string): string[] {
  try {
    return readdirSync(groups, { withFileTypes: true })
      .filter((one) => one.isDirectory())
      .map(({ name }) => join(groups, name))
  } catch (error) {
    if (codeOf(error) === undefined) throw error
    return []
  }
}

/**
 * Makes a container that goes with this process.
 *
 * @param image as `Containers.create` takes it
 * @throws as `Containers.create`
 */
export async function temporaryContainer(
  store: Store,
  image: string,
  { name, ...operation }: { readonly name?: string | undefined } & Operation = {},
): Promise<TemporaryContainer> {
  const id = randomBytes(8).toString('hex')
  const container = { name: name ?? `run-${id}`, since: Date.now() }
  const trace = await traced(store, id, { container })
  try {
    await using made = await store.containers.create(container.name, image, operation)
    trace.write({ container: { ...container, upper: made.upper } })
  } catch (error) {
    trace.end()
    throw error
  }
  return {
    name: container.name,
    async [Symbol.asyncDispose]() {
      if (await isRemoved(store, container.name, patience)) trace.end()
      else trace.leave()
    },
  }
}

/**
 * Removes a container, and answers whether it is gone, through this or somebody who was faster. Whoever was killed may still be on his way
 * out: he is waited for so many milliseconds.
 */
export async function isRemoved(store: Store, name: string, patience: number): Promise<boolean> {
  for (const end = Date.now() + patience; ; await sleep(20)) {
    try {
      await store.containers.remove(name)
      return true
    } catch (error) {
      if (codeOf(error) === 'PLY_CONTAINER_NOT_FOUND') return true
      if (codeOf(error) !== 'PLY_CONTAINER_BUSY') throw error
      if (Date.now() >= end) return false
    }
  }
}

interface Traced {
  readonly file: string
  write(trace: Trace): void
  /** What it names is gone. */
  end(): void
  /** What it names is there for somebody else to clear away. */
  leave(): void
}

async function traced(store: Store, id: string, trace: Trace): Promise<Traced> {
  const file = join(store[mountGround].layout.locks, `run-${id}`)
  // Who looks for what was left may have found it in the moment before: he is waited for.
  const lock: Lock = (await nodeDisk().lock(file, { shared: true, wait: true }))!
  // In one call, over what is there, which is never longer: who is killed leaves what was there or what comes, and not an empty file.
  const write = (said: Trace) => writeFileSync(file, JSON.stringify(said), { flag: 'r+' })
  write(trace)
  return {
    file,
    write,
    end() {
      rmSync(file, { force: true })
      lock.release()
    },
    leave: () => lock.release(),
  }
}
