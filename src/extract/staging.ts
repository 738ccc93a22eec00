import {
  closeSync,
  fsyncSync,
  lstatSync,
  mkdtempSync,
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
  readonly #private: string
  readonly #beside: boolean
  #settled = false

  /** @throws PLY_EXISTS if something is in the target; ENOTDIR; ENOENT if its parent is missing */
  constructor(target: string) {
    const absolute = resolve(target)
    const exists = standsAt(absolute)
    this.target = exists ? realpathSync(absolute) : join(realpathSync(dirname(absolute)), basename(absolute))
    if (exists && readdirSync(this.target).length > 0) throw new PlyError('PLY_EXISTS', { path: this.target })
    const beside = exists && isMountPoint(this.target) ? undefined : makeBeside(this.target, exists)
    this.#beside = beside !== undefined
    this.#private = beside ?? mkdtempSync(join(this.target, '.ply-extract-'))
  }

  /** Where the tree's root is now. */
  get path(): string {
    return this.#settled ? this.target : this.#private
  }

  /** All objects are there: from now on `path` stays what it is until `publish`. */
  settle(): void {
    if (this.#beside) return
    for (const name of readdirSync(this.#private, { encoding: 'buffer' })) {
      renameSync(below(this.#private, name), below(this.target, name))
    }
    rmdirSync(this.#private)
    this.#settled = true
  }

  /** Gives the directory its name; returns when that is on the disk. */
  publish(): void {
    if (!this.#beside) return
    renameSync(this.#private, this.target)
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
    if (this.#beside) return rm(this.path, { recursive: true, force: true })
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
function makeBeside(target: string, exists: boolean): string | undefined {
  try {
    return mkdtempSync(join(dirname(target), '.ply-extract-'))
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
