import type { ByteString } from '../model/bytes.ts'
import type { Bytes } from '../stream/bytes.ts'
import type { Disk } from '../sys/disk.ts'
import type { Creation } from '../union/upper.ts'
import { copyContent } from './copy-content.ts'
import type { Dress, RealFacts } from './real-facts.ts'
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

/**
 * Makes an inode at a path of the work directory: data first, then what `dress` gives it. What fails half-way is the caller's to
 * discard.
 *
 * @throws ENOTSUP for what this process or this disk cannot store.
 */
export function buildInode({ files, disk, facts }: Builder, path: ByteString, plan: Blueprint): Dress {
  const { creation, content } = plan
  switch (creation.kind) {
    case 'file':
      buildFile(files, disk, path, content, creation.size)
      break
    case 'directory':
      files.makeDirectory(path, 0o700)
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
  return facts.dress(path, creation, plan.marks)
}

/** `size`: of a file whose content stays below. */
function buildFile(files: UpperDisk, disk: Disk, path: ByteString, content: Bytes | undefined, size = 0): void {
  const fd = files.open(path, 'wx', 0o600)
  try {
    if (content) copyContent(disk, content, fd)
    else if (size > 0) disk.fs.ftruncateSync(fd, size)
  } finally {
    files.close(fd)
  }
}
