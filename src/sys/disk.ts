import type * as nodeFs from 'node:fs'
import type { AllocationMode } from './allocate.ts'

/**
 * The part of `node:fs` that plyfs uses for its own files. Node has it, memfs has it; the same code runs on both.
 */
export type Files = Pick<
  typeof nodeFs,
  | 'accessSync'
  | 'chmodSync'
  | 'chownSync'
  | 'closeSync'
  | 'existsSync'
  | 'fchmodSync'
  | 'fdatasyncSync'
  | 'fstatSync'
  | 'fsyncSync'
  | 'ftruncateSync'
  | 'linkSync'
  | 'lstatSync'
  | 'mkdirSync'
  | 'mkdtempSync'
  | 'openSync'
  | 'readdirSync'
  | 'readFileSync'
  | 'readSync'
  | 'readlinkSync'
  | 'renameSync'
  | 'rmSync'
  | 'rmdirSync'
  | 'statSync'
  | 'symlinkSync'
  | 'truncateSync'
  | 'unlinkSync'
  | 'utimesSync'
  | 'writeFileSync'
  | 'writeSync'
> & {
  /** Absent where a disk only reads directories whole. */
  readonly opendirSync?: typeof nodeFs.opendirSync
  readonly promises: Pick<
    typeof nodeFs.promises,
    'open' | 'mkdir' | 'readFile' | 'readdir' | 'rename' | 'rm' | 'stat' | 'unlink' | 'writeFile'
  >
}

/** A lock that is held. Releasing twice is fine; the end of the process releases it too. */
export interface Lock extends Disposable {
  release(): void
}

/**
 * A disk to keep a store on: the real one, or memory.
 *
 * `lock` takes an advisory lock on a file (made if missing): one holder, or many with `shared`. It answers
 * `undefined` at once when somebody else holds it, unless `wait` asks to wait. On the real disk it is `flock(2)`.
 */
export interface Disk {
  readonly kind: 'disk' | 'memory'
  readonly fs: Files
  lock(
    path: string,
    options?: { readonly shared?: boolean; readonly wait?: boolean; readonly signal?: AbortSignal | undefined },
  ): Promise<Lock | undefined>
  /**
   * Locks a file that is open already, and asks nothing else of it: one holder, or many with `shared`. Answers `undefined` at once when
   * somebody else holds it. It is released before the file is closed, or with it.
   *
   * @throws PLY_NO_NATIVE; ENOTSUP, ENOLCK, EBADF and the like where the disk has no such locks
   */
  lockOpen(fd: number, options?: { readonly shared?: boolean }): Lock | undefined
  /** Makes the names in a directory durable. */
  syncDirectory(path: string): void
  /**
   * Copies bytes between descriptors inside the kernel where that is possible (reflink, then copy_file_range), else
   * through memory. `size` bytes from `from` in the source to `to` in the target. `hollow`: the target holds nothing but a hole,
   * however large it is.
   */
  copy(
    source: { readonly fd: number; readonly offset: number },
    target: { readonly fd: number; readonly offset: number },
    size: number,
    options?: { readonly hollow?: boolean },
  ): void
  /**
   * Whether files on the disk of a directory may share the blocks of another from this place on (reflink): then a copy of it takes nothing.
   * Absent where no files share any.
   */
  readonly shares?: (source: { readonly fd: number; readonly offset: number }, directory: string) => boolean
  /** `fallocate(2)`, in bytes. @throws EOPNOTSUPP where the file system cannot, EFBIG, ENOSPC … */
  allocate(fd: number, what: AllocationMode, position: number, length: number): void
  /**
   * The first run of an open file from `position` on that may hold something other than zeros; `undefined` if only a hole is left.
   * Absent where the disk knows of no holes.
   */
  readonly dataFrom?: (
    fd: number,
    position: number,
    size: number,
  ) => { readonly start: number; readonly end: number } | undefined
  /** Room on the disk under a path, as `statfs(2)` tells it. */
  room(path: string): DiskRoom
}

/** Sizes in bytes. */
export interface DiskRoom {
  readonly blockSize: number
  readonly size: bigint
  readonly free: bigint
  /** What of it ordinary users may take. */
  readonly available: bigint
  readonly inodes: bigint
  readonly freeInodes: bigint
}
