import { dirname } from 'node:path'
import { codeOf, PlyError } from '../model/errors.ts'
import type { Bytes } from '../stream/bytes.ts'
import type { Disk } from '../sys/disk.ts'
import { bootId } from '../sys/processes.ts'
import { BlockContent, BlockHandle } from '../union/block-content.ts'
import { BlockMap } from '../union/block-map.ts'
import type { WritableBytes } from '../union/upper.ts'
import { ContentHandle, type LiveContent } from './content-handle.ts'

/** A file that is open here. */
interface Opened {
  readonly map: BlockMap
  readonly content: BlockContent
  handles: number
  /** No inode has it any more; only handles that were open do. */
  removed: boolean
  readonly close: () => void
}

/** What whoever opens one wants to be told. */
export interface BlockEvents {
  /** Before content changes. */
  readonly onChange: () => void
  /** A handle has put its content on the disk: what says that there are blocks is to follow. */
  readonly onSync: () => void
}

/**
 * The files of which an upper has some blocks: `<number of the inode>.map` and `.data` in one folder, mode 0600, beside what says so of
 * the inode. That is written after both are on the disk; and what goes is removed after the disk has what says so no more.
 */
export class ExtentFiles {
  /** Told before the first file is made. */
  onFirst: () => void = () => {}
  readonly #disk: Disk
  readonly #folder: string
  #readOnly: boolean
  readonly #boot: Buffer
  readonly #open = new Map<number, Opened>()
  readonly #sizes = new Map<number, number>()
  /** Those that may say something young. */
  readonly #unsynced = new Set<number>()
  #removed: number[] = []
  #removedBytes = 0

  constructor(disk: Disk, folder: string, readOnly: boolean) {
    this.#disk = disk
    this.#folder = folder
    this.#readOnly = readOnly
    this.#boot = Buffer.from((disk.kind === 'disk' ? bootId() : '').replaceAll('-', '').padEnd(32, '0'), 'hex')
  }

  /** Numbers of which there is any file. */
  numbers(): number[] {
    try {
      const names = this.#disk.fs.readdirSync(this.#folder) as string[]
      return [...new Set(names.filter((name) => /^\d+\.(?:map|data)$/.test(name)).map(Number.parseFloat))]
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return []
      throw error
    }
  }

  /** What a process left that died: files that no inode has wait to be removed, those of others to be synced. */
  sweep(isUsed: (ino: number) => boolean): void {
    for (const ino of this.numbers()) {
      if (isUsed(ino)) this.#unsynced.add(ino)
      else this.#removed.push(ino)
    }
  }

  /** Whether a copy of this content beside the upper shares its blocks. */
  takesNothing({ extent }: Bytes): boolean {
    return extent !== undefined && this.#disk.shares?.(extent, dirname(this.#folder)) === true
  }

  /** Makes the files of an inode, durably; `size`: that of the content below. Nothing is left if it fails. */
  make(ino: number, size: number): void {
    const { fs } = this.#disk
    if (!fs.existsSync(this.#folder)) {
      this.onFirst()
      fs.mkdirSync(this.#folder, { recursive: true, mode: 0o700 })
      this.#disk.syncDirectory(dirname(this.#folder))
    }
    // An inode that goes and comes again: what it had goes now.
    this.#removed = this.#removed.filter((one) => one !== ino)
    this.#sizes.delete(ino)
    this.discard(ino)
    const map = this.#file(ino, 'map', 'w+')
    try {
      BlockMap.make(map, this.#boot, size)
      this.#file(ino, 'data', 'w+').close()
      this.#disk.syncDirectory(this.#folder)
    } catch (error) {
      this.discard(ino)
      throw error
    } finally {
      map.close()
    }
  }

  /** Bytes that a file has. @throws EIO */
  size(ino: number): number {
    const open = this.#open.get(ino)
    if (open) return open.map.size
    const known = this.#sizes.get(ino)
    if (known !== undefined) return known
    const map = this.#file(ino, 'map', 'r')
    try {
      const { size } = BlockMap.open(map, this.#boot)
      this.#sizes.set(ino, size)
      return size
    } finally {
      map.close()
    }
  }

  /** Whether what is known of the blocks of a file can be read, and the blocks are there. */
  isWhole(ino: number): boolean {
    try {
      this.size(ino)
      this.#file(ino, 'data', 'r').close()
      return true
    } catch (error) {
      if (codeOf(error) !== 'EIO') throw error
      return false
    }
  }

  /** @throws EIO if there is none, or what there is says nothing */
  open(ino: number, below: () => Bytes, { onChange, onSync }: BlockEvents): WritableBytes {
    const opened = this.#open.get(ino) ?? this.#opened(ino, below)
    this.#open.set(ino, opened)
    opened.handles++
    const change = () => {
      if (this.#readOnly) throw new PlyError('EROFS', { syscall: 'write' })
      if (!opened.removed) this.#unsynced.add(ino)
      onChange()
    }
    const close = () => {
      if (--opened.handles > 0) return
      if (this.#open.get(ino) === opened) this.#open.delete(ino)
      this.#sizes.delete(ino)
      opened.close()
    }
    return new BlockHandle(opened.content, { change, sync: onSync, close })
  }

  /** An inode has no blocks any more. Handles on it stay usable. */
  remove(ino: number): void {
    const open = this.#open.get(ino)
    if (open) open.removed = true
    this.#unsynced.delete(ino)
    this.#open.delete(ino)
    this.#sizes.delete(ino)
    this.#removed.push(ino)
    this.#removedBytes +=
      (this.#disk.fs.lstatSync(this.#path(ino, 'data'), { throwIfNoEntry: false })?.blocks ?? 0) * 512
  }

  /** Returns when all blocks, and what says which there are, are on the disk. */
  sync(): void {
    for (const ino of this.#unsynced) {
      const open = this.#open.get(ino)
      if (open) open.content.sync()
      else this.#fold(ino)
      this.#unsynced.delete(ino)
    }
  }

  /** Frees what was removed. Only when the disk has what says so. */
  collect(): void {
    for (const ino of this.#removed) this.discard(ino)
    this.#removed = []
    this.#removedBytes = 0
  }

  /** How many files wait to be removed. */
  get waiting(): number {
    return this.#removed.length
  }

  /** What they take of the disk. */
  get waitingBytes(): number {
    return this.#removedBytes
  }

  /** Nothing is written any more. */
  freeze(): void {
    this.#readOnly = true
  }

  discard(ino: number): void {
    for (const what of ['map', 'data'] as const) this.#disk.fs.rmSync(this.#path(ino, what), { force: true })
  }

  #opened(ino: number, below: () => Bytes): Opened {
    const files: Bytes[] = []
    const close = () => {
      for (const file of files) file.close()
    }
    const flags = this.#readOnly ? 'r' : 'r+'
    try {
      const file = this.#file(ino, 'map', flags)
      files.push(file)
      const map = BlockMap.open(file, this.#boot)
      const data = this.#file(ino, 'data', flags)
      files.push(data)
      // A loss of power may have left what was written behind an end that came later.
      if (!this.#readOnly && data.size > map.size) data.truncate(map.size)
      const lower = below()
      files.push(lower)
      return { map, content: new BlockContent(lower, map, data), handles: 0, removed: false, close }
    } catch (error) {
      close()
      throw error
    }
  }

  /** Makes durable what nobody has open. */
  #fold(ino: number): void {
    const file = this.#file(ino, 'map', 'r+')
    try {
      const map = BlockMap.open(file, this.#boot)
      const data = this.#file(ino, 'data', 'r+')
      try {
        data.sync()
      } finally {
        data.close()
      }
      map.sync()
    } finally {
      file.close()
    }
  }

  /** @throws EIO where it is missing: it was on the disk before anything spoke of it */
  #file(ino: number, what: 'map' | 'data', flags: 'r' | 'r+' | 'w+'): WritableBytes {
    const { fs } = this.#disk
    const path = this.#path(ino, what)
    let fd: number
    try {
      fd = fs.openSync(path, flags, 0o600)
    } catch (error) {
      if (codeOf(error) !== 'ENOENT' || flags === 'w+') throw error
      throw new PlyError('EIO', { syscall: 'open', path }, { cause: error })
    }
    const live: LiveContent = { number: ino, fd, size: fs.fstatSync(fd).size, handles: 1, dirty: false, removed: false }
    const calls = { make: () => fd, onClose: () => fs.closeSync(fd), onSync: () => {}, makesRoom: () => false }
    return new ContentHandle(this.#disk, live, calls)
  }

  #path(ino: number, what: 'map' | 'data'): string {
    return `${this.#folder}/${ino}.${what}`
  }
}
