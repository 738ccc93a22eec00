import { PlyError } from '../model/errors.ts'
import { copyRange } from '../union/copy-range.ts'
import type { WritableBytes } from '../union/upper.ts'
import type { Directories } from './directories.ts'
import { refused } from './errnos.ts'
import { HandleTable } from './handle-table.ts'
import { largestTransfer } from './negotiate.ts'
import { OpenFile } from './open-file.ts'
import {
  allocationFlags,
  entrySize,
  openAnswers,
  openFlags,
  openKillsSetId,
  openSize,
  seeks,
  writeKillsSetId,
} from './protocol.ts'
import type { Session } from './session.ts'

/** Nobody else is served while a range is copied: who asked for more asks again. */
const longestCopy = 64 << 20

/** Requests about open files. */
export class Contents {
  readonly #session: Session
  readonly #directories: Directories
  readonly #files = new HandleTable<OpenFile>()

  constructor(session: Session, directories: Directories) {
    this.#session = session
    this.#directories = directories
  }

  /** The inodes that somebody has open. */
  get inUse(): ReadonlySet<number> {
    return new Set([...this.#files.all()].map(({ ino }) => ino))
  }

  open(): number {
    const { request, reply, ino, tree } = this.#session
    const flags = request.u32(0)
    const truncate = (flags & openFlags.truncate) !== 0
    // Only with cutting off does the kernel say whether set-id bits go. How it is written later each write says.
    const kill = truncate ? (request.u32(4) & openKillsSetId) !== 0 : request.uid !== 0
    const writes = (flags & openFlags.accessMode) !== 0
    if (truncate && !writes) this.#session.union.writer(ino, { truncate, killSetId: kill }).close()
    const file = writes
      ? OpenFile.forWriting(this.#session.union, ino, { kill, truncate })
      : OpenFile.forReading(tree, ino)
    reply.opened(0, this.#files.add(file), this.#answers(flags))
    return openSize
  }

  create(): number {
    const { union, request, ino: directory } = this.#session
    const name = request.text(16)
    const creation = this.#session.creation(directory, 'file', request.u32(4), request.u32(8))
    const ino = union.create(directory, name, creation)
    const writes = (request.u32(0) & openFlags.accessMode) !== 0
    let file: OpenFile
    try {
      file = writes
        ? OpenFile.forWriting(union, ino, { kill: request.uid !== 0, truncate: false })
        : OpenFile.forReading(union, ino)
    } catch (error) {
      // The kernel would go on knowing that nothing stands there.
      union.unlink(directory, name)
      throw error
    } finally {
      this.#directories.changed(directory)
    }
    return this.#made(ino, file, request.u32(0))
  }

  temporaryFile(): number {
    const { union, request, ino: directory } = this.#session
    const creation = this.#session.creation(directory, 'file', request.u32(4), request.u32(8))
    const kill = request.uid !== 0
    const exclusive = (request.u32(0) & openFlags.exclusive) !== 0
    const { ino, content } = union.unnamed(directory, creation, { exclusive, killSetId: kill })
    return this.#made(ino, OpenFile.written(union, ino, content, kill), request.u32(0))
  }

  read(): number {
    const { request, reply } = this.#session
    const file = this.#files.get(request.u64(0))
    const size = request.u32(16)
    if (size > largestTransfer) return refused('EINVAL')
    return file.content.read(reply.bytes(0, size), request.u64(8))
  }

  write(): number {
    const { request, reply } = this.#session
    const file = this.#files.get(request.u64(0))
    const size = request.u32(16)
    const position = request.u64(8)
    const data = request.bytes(40, size)
    const writer = file.writer((request.u32(20) & writeKillsSetId) !== 0)
    reply.u32(0, writeWhole(writer, data, position))
    reply.u32(4, 0)
    return 8
  }

  /** The file that a number stands for, of those that are open for writing. */
  writer(handle: number, kill: boolean): WritableBytes {
    return this.#files.get(handle).writer(kill)
  }

  release(): number {
    this.#files.take(this.#session.request.u64(0)).close()
    return 0
  }

  sync(): number {
    const { request, tree, readOnly } = this.#session
    const file = this.#files.get(request.u64(0))
    const writer = file.anyWriter
    if (writer) {
      writer.sync()
      return 0
    }
    // Somebody else may have written what was opened here for reading alone.
    if (!readOnly && this.#session.union.untouched(file.ino) === undefined && tree.stat(file.ino).links > 0)
      this.#session.union.sync()
    return 0
  }

  fallocate(): number {
    const { request } = this.#session
    const position = request.u64(8)
    const length = request.u64(16)
    const mode = request.u32(24)
    // The kernel leaves it to this side to know whether set-id bits go, and says nothing of who may keep them.
    const writer = this.writer(request.u64(0), request.uid !== 0)
    const { keepSize, punchHole, zeroRange } = allocationFlags
    switch (mode) {
      case 0:
        writer.allocate('extend', position, length)
        return 0
      case keepSize:
        writer.allocate('reserve', position, length)
        return 0
      case punchHole | keepSize:
        writer.allocate('punch', position, length)
        return 0
      case zeroRange | keepSize:
        writer.allocate('zero', position, length)
        return 0
      case zeroRange:
        writer.allocate('zero', position, length)
        if (position + length > writer.size) writer.truncate(position + length)
        return 0
      default:
        return refused('EOPNOTSUPP')
    }
  }

  seek(): number {
    const { request, reply } = this.#session
    const { content } = this.#files.get(request.u64(0))
    const { size } = content
    const position = request.u64(8)
    const whence = request.u32(16)
    if (whence !== seeks.data && whence !== seeks.hole) return refused('EINVAL')
    if (position >= size) return refused('ENXIO')
    const run = content.nextData ? content.nextData(position) : { start: position, end: size }
    if (whence === seeks.data) {
      if (!run) return refused('ENXIO')
      reply.u64(0, Math.max(position, run.start))
    } else reply.u64(0, holeFrom(position, size, run, content.nextData))
    return 8
  }

  copyRange(): number {
    const { request, reply } = this.#session
    const from = this.#files.get(request.u64(0)).content
    const to = this.writer(request.u64(24), request.uid !== 0)
    const length = Math.min(request.u64(40), longestCopy)
    reply.u32(0, copyRange(from, request.u64(8), to, request.u64(32), length))
    reply.u32(4, 0)
    return 8
  }

  close(): void {
    for (const file of this.#files.all()) file.close()
  }

  /**
   * Who only writes goes past the kernel's cache: it asks for no file capability before the first write then, and copies once. The
   * writer takes that away itself. Nobody can map such an opening.
   */
  #answers(flags: number): number {
    const onlyWrites = (flags & openFlags.accessMode) === openFlags.writeOnly
    return onlyWrites && this.#session.directWrites
      ? openAnswers.keepCache | openAnswers.directIo
      : openAnswers.keepCache
  }

  #made(ino: number, file: OpenFile, flags: number): number {
    const handle = this.#files.add(file)
    this.#session.entry(0, ino)
    this.#session.reply.opened(entrySize, handle, this.#answers(flags))
    return entrySize + openSize
  }
}

/** Where a hole begins at or after a position; the end of the file is one. */
function holeFrom(
  position: number,
  size: number,
  first: { readonly start: number; readonly end: number } | undefined,
  nextData: ((position: number) => { readonly start: number; readonly end: number } | undefined) | undefined,
): number {
  let at = position
  for (let run = first; run && run.start <= at; run = nextData?.(at)) {
    at = run.end
    if (at >= size) return size
    if (!nextData) return at
  }
  return at
}

/** Answers with what was written, which is less where the disk became full. */
function writeWhole(writer: WritableBytes, data: Uint8Array, position: number): number {
  let done = 0
  while (done < data.length) {
    try {
      const count = writer.write(done === 0 ? data : data.subarray(done), position + done)
      if (count === 0) throw new PlyError('EIO', { syscall: 'write' })
      done += count
    } catch (error) {
      if (done === 0) throw error
      break
    }
  }
  return done
}
