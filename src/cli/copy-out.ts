import { chmod, lchown, link, lstat, lutimes, mkdir, open, rename, symlink, unlink, utimes } from 'node:fs/promises'
import { filledParts } from './holes.ts'
import type { LostAttributes } from './host-attributes.ts'
import { temporaryBeside, withoutTemporary, withPath } from './host-files.ts'
import type { Kind, Library, Operation, Stat, Tree } from './library.ts'

/** What copies out of a tree go with. */
export interface CopyOutOptions {
  readonly library: Library
  readonly operation: Operation
  readonly lost: LostAttributes
  /** Told of each device, fifo and socket under the directory that was not made, by its path (a byte string). */
  readonly onSkipped: (path: string, kind: Kind) => void
}

interface Copying extends CopyOutOptions {
  readonly tree: Tree
  /** Where on this machine an inode with more than one name is already. */
  readonly links: Map<number, string>
  done: number
}

type DeviceKind = Kind & ('character' | 'block' | 'fifo')

const chunkSize = 1 << 20
const root = process.getuid?.() === 0

/**
 * Copies a file or a directory with everything under it out of a tree to a path on this machine. Mode, time and
 * extended attributes are kept, the owner when this process is root. Root makes devices and fifos too; a socket, and what may not
 * be made, is skipped. A directory is merged into one that is there; anything else replaces what is there, at once; no
 * symlink below the target is followed.
 *
 * @param to a path as a byte string
 * @throws PLY_UNREPRESENTABLE if it is itself what would be skipped
 */
export async function copyOut(tree: Tree, ino: number, to: string, options: CopyOutOptions): Promise<void> {
  const { library } = options
  const onSkipped = (path: string, kind: Kind) => {
    if (path !== to) return options.onSkipped(path, kind)
    throw new library.PlyError('PLY_UNREPRESENTABLE', {
      path: library.displayText(to),
      where: 'this machine',
      reason: `it is a ${kind}; cp makes files, directories and symlinks, and as root devices and fifos`,
    })
  }
  await copyOne({ tree, ...options, onSkipped, links: new Map(), done: 0 }, ino, to)
}

/** The content of a file in chunks. */
export function* contentOf(tree: Tree, ino: number): Generator<Uint8Array> {
  const content = tree.open(ino)
  try {
    for (let position = 0; position < content.size; ) {
      const chunk = Buffer.allocUnsafe(Math.min(chunkSize, content.size - position))
      const got = content.read(chunk, position)
      if (got === 0) return
      yield chunk.subarray(0, got)
      position += got
    }
  } finally {
    content.close()
  }
}

async function copyOne(copying: Copying, ino: number, to: string): Promise<void> {
  const { tree, library, operation, links } = copying
  if (operation.signal?.aborted) throw new library.PlyError('PLY_ABORTED', {}, { cause: operation.signal.reason })
  const stat = tree.stat(ino)
  switch (stat.kind) {
    case 'directory': {
      await makeDirectory(to, library)
      try {
        for (const entry of tree.list(ino)) await copyOne(copying, entry.ino, `${to}/${entry.name}`)
      } catch (error) {
        // What was copied so far is there to be read, not behind the mode in which it was made.
        await setAttributes(copying, to, stat).catch(() => {})
        throw error
      }
      return setAttributes(copying, to, stat)
    }
    case 'socket':
      return copying.onSkipped(to, stat.kind)
    case 'character':
    case 'block':
    case 'fifo':
      if (!root) return copying.onSkipped(to, stat.kind)
      return makeDevice(copying, stat as Stat & { kind: DeviceKind }, to)
    case 'file':
    case 'symlink': {
      const linked = stat.links > 1 ? links.get(ino) : undefined
      await replace(to, async (temporary) => {
        if (linked !== undefined) return link(bytes(linked), bytes(temporary))
        if (stat.kind === 'symlink') await symlink(bytes(tree.readlink(ino)), bytes(temporary))
        else await writeFile(copying, ino, temporary, to)
        await setAttributes(copying, temporary, stat, to)
      })
      if (stat.links > 1) links.set(ino, to)
      return
    }
    default:
      return stat.kind satisfies never
  }
}

/** A container without the right to make devices may be run by somebody who is called root. */
async function makeDevice(copying: Copying, stat: Stat & { readonly kind: DeviceKind }, to: string): Promise<void> {
  const { library, onSkipped } = copying
  try {
    await replace(to, async (temporary) => {
      library.makeNode(temporary, { ...stat, mode: 0o600 })
      await setAttributes(copying, temporary, stat, to)
    })
  } catch (error) {
    if (!['EPERM', 'EACCES', 'EINVAL', 'PLY_NO_NATIVE'].includes(library.codeOf(error) ?? '')) throw error
    onSkipped(to, stat.kind)
  }
}

async function makeDirectory(to: string, library: Library): Promise<void> {
  try {
    await mkdir(bytes(to), 0o700)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    if (!(await lstat(bytes(to))).isDirectory()) {
      throw new library.PlyError('ENOTDIR', { syscall: 'mkdir', path: library.displayText(to) })
    }
  }
}

async function replace(to: string, make: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = temporaryBeside(to)
  try {
    await make(temporary)
    await rename(bytes(temporary), bytes(to))
    // Renaming one name of a file over another name of it does nothing.
    await unlink(bytes(temporary)).catch(ignoreMissing)
  } catch (error) {
    await unlink(bytes(temporary)).catch(ignoreMissing)
    throw withoutTemporary(error)
  }
}

async function writeFile(copying: Copying, ino: number, temporary: string, to: string): Promise<void> {
  const { signal, onProgress } = copying.operation
  const file = await open(bytes(temporary), 'wx', 0o600)
  let position = 0
  try {
    for (const chunk of contentOf(copying.tree, ino)) {
      if (signal?.aborted) throw new copying.library.PlyError('PLY_ABORTED', {}, { cause: signal.reason })
      for (const { start, end } of filledParts(chunk)) {
        for (let at = start; at < end; ) at += (await file.write(chunk, at, end - at, position + at)).bytesWritten
      }
      position += chunk.length
      copying.done += chunk.length
      onProgress?.({ what: copying.library.displayText(to), done: copying.done })
    }
    // A hole at the end.
    await file.truncate(position)
  } catch (error) {
    throw withPath(error, copying.library.displayText(to))
  } finally {
    await file.close()
  }
}

/** The owner first: changing it clears set-id bits and capabilities. The time last: everything before moves it. */
async function setAttributes({ tree, library, lost }: Copying, path: string, stat: Stat, shown = path): Promise<void> {
  const seconds = timeOf(stat.mtime)
  if (root) await lchown(bytes(path), stat.uid, stat.gid)
  if (stat.kind === 'symlink') return lutimes(bytes(path), seconds, seconds)
  lost.give(tree.xattrs(stat.ino), stat.kind, shown, (name, value) => library.setXattr(path, name, value))
  await chmod(bytes(path), stat.mode)
  await utimes(bytes(path), seconds, seconds)
}

/** Node takes a negative number for the present time, but not a date before 1970. */
function timeOf(nanoseconds: bigint): number | Date {
  return nanoseconds < 0n ? new Date(Math.floor(Number(nanoseconds) / 1e6)) : Number(nanoseconds) / 1e9
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}

function bytes(path: string): Buffer {
  return Buffer.from(path, 'latin1')
}
