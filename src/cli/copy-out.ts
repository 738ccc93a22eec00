import { chmod, lchown, link, lstat, lutimes, mkdir, open, rename, symlink, unlink, utimes } from 'node:fs/promises'
import { temporaryBeside, withPath } from './host-files.ts'
import type { Library, Operation, Stat, Tree } from './library.ts'

interface Copying {
  readonly tree: Tree
  readonly library: Library
  readonly operation: Operation
  /** Where on this machine an inode with more than one name is already. */
  readonly links: Map<number, string>
  done: number
}

const chunkSize = 1 << 20
const root = process.getuid?.() === 0

/**
 * Copies a file or a directory with everything under it out of a tree to a path on this machine. Mode and time are kept, the
 * owner when this process is root. A directory is merged into one that is there; anything else replaces what is there, at once; no
 * symlink below the target is followed.
 *
 * @param to a path as a byte string
 * @throws PLY_UNREPRESENTABLE for devices, fifos and sockets
 */
export async function copyOut(
  tree: Tree,
  ino: number,
  to: string,
  library: Library,
  operation: Operation,
): Promise<void> {
  await copyOne({ tree, library, operation, links: new Map(), done: 0 }, ino, to)
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
      for (const entry of tree.list(ino)) await copyOne(copying, entry.ino, `${to}/${entry.name}`)
      return setAttributes(to, stat)
    }
    case 'file':
    case 'symlink': {
      const linked = stat.links > 1 ? links.get(ino) : undefined
      await replace(to, async (temporary) => {
        if (linked !== undefined) return link(bytes(linked), bytes(temporary))
        if (stat.kind === 'symlink') await symlink(bytes(tree.readlink(ino)), bytes(temporary))
        else await writeFile(copying, ino, temporary, to)
        await setAttributes(temporary, stat)
      })
      if (stat.links > 1) links.set(ino, to)
      return
    }
    default:
      throw new library.PlyError('PLY_UNREPRESENTABLE', {
        path: library.displayText(to),
        where: 'a directory of this machine',
        reason: `cp copies files, directories and symlinks, and this is a ${stat.kind}`,
      })
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
    throw error
  }
}

async function writeFile(copying: Copying, ino: number, temporary: string, to: string): Promise<void> {
  const { signal, onProgress } = copying.operation
  const file = await open(bytes(temporary), 'wx', 0o600)
  try {
    for (const chunk of contentOf(copying.tree, ino)) {
      if (signal?.aborted) throw new copying.library.PlyError('PLY_ABORTED', {}, { cause: signal.reason })
      for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at, chunk.length - at)).bytesWritten
      copying.done += chunk.length
      onProgress?.({ what: copying.library.displayText(to), done: copying.done })
    }
  } catch (error) {
    throw withPath(error, copying.library.displayText(to))
  } finally {
    await file.close()
  }
}

/** The owner first: changing it clears set-id bits. The time last: everything before moves it. */
async function setAttributes(path: string, stat: Stat): Promise<void> {
  const seconds = timeOf(stat.mtime)
  if (root) await lchown(bytes(path), stat.uid, stat.gid)
  if (stat.kind === 'symlink') return lutimes(bytes(path), seconds, seconds)
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
