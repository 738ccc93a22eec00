import type { ByteString } from '../model/bytes.ts'
import type { Bytes } from '../stream/bytes.ts'
import type { Disk } from '../sys/disk.ts'
import type { ExactStat } from '../sys/exact-stat.ts'
import type { Creation } from '../union/upper.ts'
import { copyContent } from './copy-content.ts'
import { type Dress, ifPossible, type RealFacts } from './real-facts.ts'
import type { UpperDisk } from './upper-disk.ts'

export interface Blueprint {
  readonly creation: Creation
  readonly content: Bytes | undefined
  /** Marks that the inode has from its first moment, by stored name. */
  readonly marks: ReadonlyMap<ByteString, Uint8Array>
}

export interface Builder {
  readonly files: UpperDisk
  readonly disk: Disk
  readonly facts: RealFacts
}

/** An inode that was made. */
export interface Built extends Dress {
  /** The real inode number, where it is known. */
  readonly real?: number
  /** Files: open for reading and writing. The caller closes it. */
  readonly fd?: number
}

/**
 * Makes an inode at a path of the work directory: data first, then what `dress` gives it. What fails half-way is the caller's to
 * discard.
 *
 * @throws ENOTSUP for what this process or this disk cannot store.
 */
export function buildInode({ files, disk, facts }: Builder, path: ByteString, plan: Blueprint): Built {
  const { creation } = plan
  switch (creation.kind) {
    case 'file':
      return buildFile({ files, disk, facts }, path, plan)
    case 'directory':
      files.makeDirectory(path, facts.firstMode(creation))
      break
    case 'symlink':
      files.symlink(creation.target ?? '', path)
      break
    case 'character':
    case 'block':
    case 'fifo':
    case 'socket':
      facts.makeNode(path, creation)
      break
    default:
      creation.kind satisfies never
  }
  const real = files.exactStat(path)
  return { ...facts.dress(path, creation, plan.marks, real), real: real.ino }
}

/**
 * Makes a new empty file in its place, with what it is born with and the mark that it is known by. Nothing is left if it fails, or if
 * the disk gives it another owner, which answers `undefined`.
 */
export function makeFile(
  { files, facts }: Pick<Builder, 'files' | 'facts'>,
  path: ByteString,
  creation: Creation,
  mark: ByteString,
  value: Uint8Array,
): { readonly fd: number; readonly real: ExactStat } | undefined {
  const fd = files.make(path, creation.mode)
  const discard = () => {
    files.close(fd)
    ifPossible(() => files.unlink(path))
  }
  try {
    facts.setMarkOf(fd, mark, value)
    let real = files.exactStat(fd)
    // The mask of this process took bits that the other one's did not.
    if ((real.mode & 0o7777) !== creation.mode) {
      files.chmod(fd, creation.mode)
      real = files.exactStat(fd)
    }
    if (real.uid === creation.uid && real.gid === creation.gid) return { fd, real }
  } catch (error) {
    discard()
    throw error
  }
  discard()
  return undefined
}

function buildFile({ files, disk, facts }: Builder, path: ByteString, { creation, content, marks }: Blueprint): Built {
  const fd = files.make(path, facts.firstMode(creation))
  try {
    if (content) copyContent(disk, content, fd)
    // Its content stays below.
    else if (creation.size !== undefined && creation.size > 0) disk.fs.ftruncateSync(fd, creation.size)
    const real = files.exactStat(fd)
    return { ...facts.dress(fd, creation, marks, real), real: real.ino, fd }
  } catch (error) {
    files.close(fd)
    throw error
  }
}
