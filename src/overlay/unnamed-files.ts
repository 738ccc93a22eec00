import type { ByteString } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'
import type { Disk } from '../sys/disk.ts'
import type { Unnamed } from '../union/upper.ts'
import { RealContent } from './real-content.ts'
import type { UpperDisk } from './upper-disk.ts'
import type { WorkArea } from './work-area.ts'

interface UnnamedFile {
  readonly fd: number
  /** Its name in the work directory: it has one where the disk knows no files without names, and while it is adopted. */
  path: ByteString | undefined
}

/** Files that are open and have no name yet, by number. One that is closed without a name is gone. */
export class UnnamedFiles {
  readonly #files: UpperDisk
  readonly #disk: Disk
  readonly #work: WorkArea
  readonly #open = new Map<number, UnnamedFile>()

  constructor(files: UpperDisk, disk: Disk, work: WorkArea) {
    this.#files = files
    this.#disk = disk
    this.#work = work
  }

  open(ino: number, onChange: (ino: number) => void): Unnamed {
    const unnamed = this.#files.openUnnamed(this.#work.path)
    const path = unnamed === undefined ? this.#work.fresh() : undefined
    const fd = unnamed ?? this.#files.open(path!, 'wx+', 0o600)
    const file = { fd, path }
    this.#open.set(ino, file)
    const content = new RealContent(this.#disk, fd, {
      onChange: () => onChange(ino),
      onClose: () => {
        this.#open.delete(ino)
        if (file.path !== undefined) this.#work.discard(file.path)
      },
    })
    return { ino, content }
  }

  /** Names a file: `dress` gives it what an inode has, `install` moves it from a path to its place. @throws ENOENT if it was closed */
  adopt<Dress>(ino: number, dress: (fd: number) => Dress, install: (path: ByteString) => void): Dress {
    const file = this.#open.get(ino)
    if (!file) throw new PlyError('ENOENT', { syscall: 'link' })
    const dressed = dress(file.fd)
    if (file.path === undefined) {
      const path = this.#work.fresh()
      this.#files.nameUnnamed(file.fd, path)
      file.path = path
    }
    install(file.path)
    file.path = undefined
    this.#open.delete(ino)
    return dressed
  }
}
