import { randomBytes } from 'node:crypto'
import type { BigIntStats } from 'node:fs'
import { lstat, open, readdir, readlink } from 'node:fs/promises'
import type { LostAttributes } from './host-attributes.ts'
import type { Kind, Library, Operation, WritableUnion } from './library.ts'

/** What copies into a container go with. */
export interface CopyInOptions {
  readonly library: Library
  readonly operation: Operation
  readonly lost: LostAttributes
}

interface Copying extends CopyInOptions {
  readonly union: WritableUnion
  /** Names of one inode stay names of one inode. */
  readonly links: Map<string, number>
  done: number
}

const chunkSize = 1 << 20

/**
 * Copies a file or a directory with everything under it from this machine into a container, under a name in a directory. Mode,
 * time and extended attributes are kept; the owner when this process is root, else it is 0:0. A directory is merged into one that is there; anything else
 * replaces what is there, at once.
 *
 * @param from a path as a byte string
 */
export async function copyIn(
  union: WritableUnion,
  directory: number,
  name: string,
  from: string,
  options: CopyInOptions,
): Promise<void> {
  await copyOne({ union, ...options, links: new Map(), done: 0 }, directory, name, from)
}

/** Copies what is in a directory of this machine into a directory that is there; the directory itself stays as it is. */
export async function copyContentIn(
  union: WritableUnion,
  directory: number,
  from: string,
  options: CopyInOptions,
): Promise<void> {
  const copying: Copying = { union, ...options, links: new Map(), done: 0 }
  for (const child of await readdir(Buffer.from(from, 'latin1'), { encoding: 'latin1' })) {
    await copyOne(copying, directory, child, `${from}/${child}`)
  }
}

/** The content of a stream as a file of mode 0644. */
export async function copyStreamIn(
  union: WritableUnion,
  directory: number,
  name: string,
  content: AsyncIterable<Uint8Array>,
  options: CopyInOptions,
): Promise<void> {
  const copying: Copying = { union, ...options, links: new Map(), done: 0 }
  const mtime = BigInt(Date.now()) * 1_000_000n
  await place(copying, directory, name, { kind: 'file', mode: 0o644, uid: 0, gid: 0, mtime }, (ino) =>
    writeAll(copying, ino, content, name),
  )
}

async function copyOne(copying: Copying, directory: number, name: string, from: string): Promise<void> {
  const { union, library, links, lost } = copying
  check(copying)
  const path = Buffer.from(from, 'latin1')
  const stat = await lstat(path, { bigint: true })
  const kind = kindOf(stat)
  const xattrs = lost.read(from, kind)
  const giveXattrs = (ino: number) => lost.give(xattrs, kind, from, (name, value) => union.setXattr(ino, name, value))
  const attributes = { mode: Number(stat.mode & 0o7777n), ...ownerOf(stat), mtime: stat.mtimeNs }
  if (kind === 'directory') {
    const existing = union.lookup(directory, name)
    if (existing !== undefined && union.stat(existing).kind !== 'directory') {
      throw new library.PlyError('ENOTDIR', { syscall: 'mkdir', path: library.displayText(name) })
    }
    const ino = existing ?? union.create(directory, name, { kind, ...attributes })
    for (const child of await readdir(path, { encoding: 'latin1' }))
      await copyOne(copying, ino, child, `${from}/${child}`)
    giveXattrs(ino)
    union.setAttributes(ino, attributes)
    return
  }
  const key = `${stat.dev}:${stat.ino}`
  const linked = stat.nlink > 1n ? links.get(key) : undefined
  if (linked !== undefined) {
    if (union.lookup(directory, name) !== undefined) union.unlink(directory, name)
    union.link(directory, name, linked)
    return
  }
  const creation = {
    kind,
    ...attributes,
    ...(kind === 'symlink' && { target: (await readlink(path, { encoding: 'buffer' })).toString('latin1') }),
    ...((kind === 'character' || kind === 'block') && deviceOf(stat.rdev)),
  }
  const ino = await place(copying, directory, name, creation, async (made) => {
    if (kind === 'file') await writeAll(copying, made, contentOf(path), from)
    giveXattrs(made)
  })
  if (stat.nlink > 1n) links.set(key, ino)
}

/** Makes the inode under a name nobody knows, fills it, and puts it in its place: what was there stays until then. */
async function place(
  { union }: Copying,
  directory: number,
  name: string,
  creation: Parameters<WritableUnion['create']>[2],
  fill: (ino: number) => Promise<void>,
): Promise<number> {
  const temporary = `.ply-cp-${randomBytes(6).toString('hex')}`
  const ino = union.create(directory, temporary, creation)
  try {
    await fill(ino)
    // Writing moved the time.
    union.setAttributes(ino, { mode: creation.mode, mtime: creation.mtime })
    union.rename(directory, temporary, directory, name)
  } catch (error) {
    union.unlink(directory, temporary)
    throw error
  }
  return ino
}

async function writeAll(
  copying: Copying,
  ino: number,
  content: AsyncIterable<Uint8Array>,
  what: string,
): Promise<void> {
  const writer = copying.union.writer(ino)
  try {
    let position = 0
    for await (const chunk of content) {
      check(copying)
      for (let at = 0; at < chunk.length; ) at += writer.write(at === 0 ? chunk : chunk.subarray(at), position + at)
      position += chunk.length
      copying.done += chunk.length
      copying.operation.onProgress?.({ what: copying.library.displayText(what), done: copying.done })
    }
  } finally {
    writer.close()
  }
}

async function* contentOf(path: Buffer): AsyncGenerator<Uint8Array> {
  const file = await open(path, 'r')
  try {
    const buffer = Buffer.allocUnsafe(chunkSize)
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, chunkSize)
      if (bytesRead === 0) return
      yield buffer.subarray(0, bytesRead)
    }
  } finally {
    await file.close()
  }
}

function check({ operation, library }: Copying): void {
  if (operation.signal?.aborted) throw new library.PlyError('PLY_ABORTED', {}, { cause: operation.signal.reason })
}

function ownerOf(stat: BigIntStats): { uid: number; gid: number } {
  return process.getuid?.() === 0 ? { uid: Number(stat.uid), gid: Number(stat.gid) } : { uid: 0, gid: 0 }
}

function kindOf(stat: BigIntStats): Kind {
  if (stat.isFile()) return 'file'
  if (stat.isDirectory()) return 'directory'
  if (stat.isSymbolicLink()) return 'symlink'
  if (stat.isCharacterDevice()) return 'character'
  if (stat.isBlockDevice()) return 'block'
  return stat.isFIFO() ? 'fifo' : 'socket'
}

/** Linux packs a device's numbers as in `makedev(3)`. */
function deviceOf(rdev: bigint): { major: number; minor: number } {
  const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n)
  const minor = (rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n)
  return { major: Number(major), minor: Number(minor) }
}
