import { dirname } from 'node:path'
import { codeOf, PlyError } from '../model/errors.ts'
import type { Bytes } from '../stream/bytes.ts'
import type { Disk } from '../sys/disk.ts'
import type { Room, WritableBytes } from '../union/upper.ts'
import { type Content, type FiledContent, isFiled } from './change.ts'
import { ContentHandle, type LiveContent } from './content-handle.ts'
import { copyContent } from './copy-content.ts'

/** With more contents open than so many, each has its file at once: to be out of descriptors is for who opens to hear, not who writes. */
const manyOpen = 16

/**
 * The files of a portable upper: `inodes/<number>`, mode 0600, one for the content of each file that has some.
 *
 * A number is used once. What is removed goes from the disk at the next `sync`, after the log that says so is durable:
 * a file must not be missing while an old log still names it.
 */
export class ContentFiles {
  readonly #disk: Disk
  readonly #folder: string
  #readOnly: boolean
  readonly #live = new Map<number, LiveContent>()
  #removed: number[] = []
  #removedBytes = 0
  /** Numbers of which there is no file yet, as far as is known here: the disk need not be asked. */
  readonly #unmade = new Set<number>()
  /** How many contents have handles, and those of them that have no file. */
  #opened = 0
  readonly #openUnmade = new Set<LiveContent>()
  /** Names in the folder that are not known to be durable. */
  #named = false

  constructor(disk: Disk, folder: string, readOnly: boolean) {
    this.#disk = disk
    this.#folder = folder
    this.#readOnly = readOnly
    if (!readOnly) disk.fs.mkdirSync(folder, { recursive: true, mode: 0o700 })
  }

  /** Makes durable what says that files were removed, and frees them: called where the disk is full. */
  onFull: () => void = () => {}

  /** Nothing is written any more. */
  freeze(): void {
    this.#readOnly = true
  }

  /** The files that no inode has, left by a process that died, wait to be removed from now on. */
  sweep(used: ReadonlySet<number>): void {
    for (const name of this.#disk.fs.readdirSync(this.#folder) as string[]) {
      const number = Number(name)
      if (!used.has(number)) this.#removed.push(number)
    }
  }

  /** Whether there are any files: a log that is missing beside them is a loss, not a new upper. */
  any(): boolean {
    try {
      return (this.#disk.fs.readdirSync(this.#folder) as string[]).length > 0
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return false
      throw error
    }
  }

  /** Content has got a number that was never used: its file is made when somebody writes it. */
  expect(number: number): void {
    this.#unmade.add(number)
  }

  /** Writes content under a new number, durably. Nothing is left if it fails. */
  write(number: number, content: Bytes): void {
    const { fs } = this.#disk
    const path = this.#path(number)
    const fd = fs.openSync(path, 'w', 0o600)
    try {
      this.roomy(() => copyContent(this.#disk, content, fd))
    } catch (error) {
      fs.closeSync(fd)
      fs.unlinkSync(path)
      throw error
    }
    fs.closeSync(fd)
    this.#disk.syncDirectory(this.#folder)
  }

  /** Takes back what `write` or `open` made, when no record came to name it. */
  discard(number: number): void {
    this.#live.delete(number)
    if (!this.#unmade.delete(number)) this.#disk.fs.rmSync(this.#path(number), { force: true })
  }

  /** Room on the disk. */
  room(): Room {
    return this.#disk.room(this.#disk.fs.existsSync(this.#folder) ? this.#folder : dirname(this.#folder))
  }

  /** Does what takes room; where there is none, once more when what was removed has gone. */
  roomy<T>(act: () => T): T {
    try {
      return act()
    } catch (error) {
      if (!this.makesRoom(error)) throw error
      return act()
    }
  }

  /** Whether something failed for lack of room, and there is more now that what was removed has gone. */
  makesRoom(error: unknown): boolean {
    const code = codeOf(error)
    if ((code !== 'ENOSPC' && code !== 'EDQUOT') || this.#removed.length === 0) return false
    this.onFull()
    return true
  }

  /** Bytes. */
  size(content: Content): number {
    if (!isFiled(content)) return 0
    const live = this.#live.get(content.number)
    if (live) return live.size
    if (this.#unmade.has(content.number)) return 0
    try {
      return this.#disk.fs.lstatSync(this.#path(content.number)).size
    } catch (error) {
      if (codeOf(error) === 'ENOENT' && content.is === 'fresh') return 0
      throw this.#missing(error, this.#path(content.number))
    }
  }

  /**
   * Content for reading or writing. `onSync` is called when a handle has put its content on the disk, `onClose` when it is closed.
   *
   * @throws EIO if content that was durable is missing; ENOENT where the whole upper is, since somebody has removed it.
   */
  open(
    content: FiledContent,
    { onSync, onClose }: { readonly onSync: () => void; readonly onClose?: () => void },
  ): WritableBytes {
    const { number } = content
    const live = this.#live.get(number) ?? { number, fd: undefined, size: -1, handles: 0, dirty: false, removed: false }
    if (live.handles === 0) {
      const many = this.#opened >= manyOpen && !this.#readOnly
      if (many) for (const other of this.#openUnmade) this.#make(other)
      live.fd = this.#open(content)
      if (live.fd === undefined && many) this.#make(live)
      else if (live.fd === undefined) this.#openUnmade.add(live)
      if (live.size < 0) live.size = live.fd === undefined ? 0 : this.#disk.fs.fstatSync(live.fd).size
      this.#opened++
    }
    live.handles++
    this.#live.set(number, live)
    const closed = (): void => {
      this.#release(live)
      onClose?.()
    }
    const makesRoom = (error: unknown): boolean => this.makesRoom(error)
    return new ContentHandle(this.#disk, live, { make: () => this.#make(live), onClose: closed, onSync, makesRoom })
  }

  /** The file is no longer any inode's. Handles on it stay usable. */
  remove(number: number): void {
    const live = this.#live.get(number)
    if (live) {
      live.removed = true
      live.dirty = false
    }
    this.#removed.push(number)
    this.#removedBytes += live?.size ?? this.#sizeOf(number)
  }

  /** How many files wait to be removed. */
  get waiting(): number {
    return this.#removed.length
  }

  get waitingBytes(): number {
    return this.#removedBytes
  }

  /** Returns when all content is on the disk. */
  sync(): void {
    const { fs } = this.#disk
    for (const live of [...this.#live.values()]) {
      if (!live.dirty) continue
      const fd = live.fd ?? fs.openSync(this.#path(live.number), 'r+')
      try {
        fs.fdatasyncSync(fd)
      } finally {
        if (live.fd === undefined) fs.closeSync(fd)
      }
      live.dirty = false
      this.#retire(live)
    }
    this.syncNames()
  }

  /** Returns when the names of all files are on the disk. */
  syncNames(): void {
    if (!this.#named) return
    this.#disk.syncDirectory(this.#folder)
    this.#named = false
  }

  /** Frees what was removed. Only when the log that says so is durable. */
  collect(): void {
    for (const number of this.#removed) this.discard(number)
    this.#removed = []
    this.#removedBytes = 0
  }

  #release(live: LiveContent): void {
    if (--live.handles > 0) return
    this.#opened--
    this.#openUnmade.delete(live)
    if (live.fd !== undefined) this.#disk.fs.closeSync(live.fd)
    live.fd = undefined
    this.#retire(live)
  }

  #retire(live: LiveContent): void {
    if (live.handles === 0 && !live.dirty) this.#live.delete(live.number)
  }

  /** The file of some content; `undefined` where nobody has made it yet. */
  #open(content: FiledContent): number | undefined {
    const { number } = content
    if (this.#unmade.has(number)) return undefined
    const path = this.#path(number)
    try {
      return this.#disk.fs.openSync(path, this.#readOnly ? 'r' : 'r+')
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
      if (content.is === 'kept') throw this.#missing(error, path)
      return undefined
    }
  }

  #make(live: LiveContent): number {
    if (this.#readOnly) throw new PlyError('EROFS', { syscall: 'write' })
    const { number } = live
    const fd = this.roomy(() => this.#disk.fs.openSync(this.#path(number), 'wx+', 0o600))
    live.fd = fd
    this.#unmade.delete(number)
    this.#openUnmade.delete(live)
    this.#named = true
    // What had no file when it was removed has one to be removed now.
    if (live.removed) this.#removed.push(number)
    return fd
  }

  #sizeOf(number: number): number {
    if (this.#unmade.has(number)) return 0
    return this.#disk.fs.lstatSync(this.#path(number), { throwIfNoEntry: false })?.size ?? 0
  }

  #path(number: number): string {
    return `${this.#folder}/${number}`
  }

  /** Who only reads holds no lock: what is read may be removed meanwhile, which is no damage. */
  #missing(cause: unknown, path: string): PlyError {
    const code = this.#readOnly && !this.#disk.fs.existsSync(this.#folder) ? 'ENOENT' : 'EIO'
    return new PlyError(code, { syscall: 'open', path }, { cause })
  }
}
