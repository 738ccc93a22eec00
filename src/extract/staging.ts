import {
  closeSync,
  fsyncSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmdirSync,
} from 'node:fs'
import { rm } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { codeOf, PlyError } from '../model/errors.ts'
import { makePrivate, type Private, sweepLeftBehind } from './left-behind.ts'

/**
 * Where a directory is built before anybody may see it (layer-semantics D-01, D-06).
 *
 * It is a new directory beside the target, mode 0700, renamed into place at the end; if the process dies before, nothing
 * has the target's name. Where no such rename is possible (the target is a mount point, or its parent may not be written)
 * it lies inside the empty target, and its content moves up when it is complete.
 */
export class Staging {
  /** The target, an absolute path without symlinks. */
  readonly target: string
  readonly #private: Private
  readonly #beside: boolean
  #settled = false

  /**
   * What others left behind there when they were killed is removed first.
   * @throws PLY_EXISTS if something is in the target; ENOTDIR; ENOENT if its parent is missing
   */
  static async at(target: string): Promise<Staging> {
    const absolute = resolve(target)
    const exists = standsAt(absolute)
    const place = exists ? realpathSync(absolute) : join(realpathSync(dirname(absolute)), basename(absolute))
    for (const directory of [dirname(place), ...(exists ? [place] : [])]) await sweepLeftBehind(directory)
    if (exists && readdirSync(place).length > 0) throw new PlyError('PLY_EXISTS', { path: place })
    return new Staging(place, exists)
  }

  private constructor(target: string, exists: boolean) {
    this.target = target
    const beside = exists && isMountPoint(target) ? undefined : makeBeside(target, exists)
    this.#beside = beside !== undefined
    this.#private = beside ?? makePrivate(target)
  }

  /** Where the tree's root is now. */
  get path(): string {
    return this.#settled ? this.target : this.#private.path
  }

  /** All objects are there: from now on `path` stays what it is until `publish`. */
  settle(): void {
    if (this.#beside) return
    const { path } = this.#private
    for (const name of readdirSync(path, { encoding: 'buffer' }))
      renameSync(below(path, name), below(this.target, name))
    rmdirSync(path)
    this.#settled = true
  }

  /** Gives the directory its name; returns when that is on the disk. */
  publish(): void {
    this.#private.letGo()
    if (!this.#beside) return
    renameSync(this.#private.path, this.target)
    this.#settled = true
    const parent = openSync(dirname(this.target), 'r')
    try {
      fsyncSync(parent)
    } finally {
      closeSync(parent)
    }
  }

  /** Takes away what was made; the target is as it was before. Directories in it must be open to their owner. */
  async discard(): Promise<void> {
    using _ = { [Symbol.dispose]: () => this.#private.letGo() }
    if (this.#beside) return await rm(this.path, { recursive: true, force: true })
    // It was empty before: whatever is in it is ours.
    for (const name of readdirSync(this.target, { encoding: 'buffer' })) {
      await rm(below(this.target, name), { recursive: true, force: true })
    }
  }
}

function standsAt(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined
}

function below(directory: string, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${directory}/`), name])
}

/** A private directory beside the target; `undefined` if it has to be inside. */
function makeBeside(target: string, exists: boolean): Private | undefined {
  try {
    return makePrivate(dirname(target))
  } catch (error) {
    if (exists && ['EACCES', 'EPERM', 'EROFS'].includes(codeOf(error) ?? '')) return undefined
    throw error
  }
}

/** Nothing can be renamed onto a mount point, not even where both sides are one file system. */
function isMountPoint(path: string): boolean {
  if (path === '/') return true
  let table: string
  try {
    table = readFileSync('/proc/self/mountinfo', 'latin1')
  } catch {
    // No such table on this platform: the device numbers tell most cases.
    return lstatSync(path).dev !== lstatSync(dirname(path)).dev
  }
  // Spaces and such are written as \040 (proc(5)).
  const written = Buffer.from(path)
    .toString('latin1')
    .replace(/[ \t\n\\]/g, (c) => `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}`)
  return table.split('\n').some((line) => line.split(' ')[4] === written)
}
