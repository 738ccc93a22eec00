import { dirname, join, resolve } from 'node:path'
import { indexUuid } from '../erofs/superblock.ts'
import { type MarkSpace, marks } from '../layer/overlay-marks.ts'
import { encodeText } from '../model/bytes.ts'
import type { ChainId } from '../model/digest.ts'
import type { Disk } from '../sys/disk.ts'
import { nodeDisk } from '../sys/node-disk.ts'
import { firstNewInode } from '../union/upper.ts'
import { FrozenBelow } from './frozen-below.ts'
import type { OverlayPlace } from './overlay-view.ts'
import type { StoredUpper } from './stored-upper.ts'
import { OverlayUpper } from './writable-overlay.ts'

/** Where an upper lies in overlayfs’s own form, and what it stands on. */
export interface OverlayUpperOptions {
  /** The directory that overlayfs calls `upperdir`, as text. It exists. */
  readonly upperDir: string
  /** `workdir`, on the same file system. It exists. */
  readonly workDir: string
  /** The namespace of the marks, once for the whole upper (layer-semantics D-11). */
  readonly xattr: MarkSpace
  /** The disk that both directories are on, and the content that is copied up. Default: the real one. */
  readonly disk?: Disk
  /** The stack that the upper stands on: the uuid of its index is in the origins. */
  readonly chainId?: ChainId
  /** The uuid itself (16 bytes), where there is no chainID. */
  readonly lowerUuid?: Uint8Array
  /** Every change is refused with EROFS, and nothing on the disk is touched. */
  readonly readOnly?: boolean
  /** Told before the first file is kept in blocks: versions of before do not know what they are. */
  readonly onBlocks?: (() => void) | undefined
  /** New inodes are numbered from here on: above every number of a frozen upper below. Default: 2^40. */
  readonly numbersFrom?: number
  /** The frozen uppers that this one stands on, the topmost last, on the same file system: the kernel names what it copies up from them. */
  readonly below?: readonly StoredUpper[]
  /**
   * Changes of attributes alone copy no content (`overlay.metacopy`). Whoever mounts such an upper says `metacopy=on`, or these files
   * are EPERM. Default: false; what others wrote so is read all the same.
   */
  readonly metacopy?: boolean
  /**
   * Lower files of so many bytes or more are not copied whole when they are first written: their blocks are kept in `extents/` beside
   * `upperDir`, and no kernel mount sees them (`materialize` of the union gives such files all their content). Only with `metacopy` and
   * `redirects`. Default: none are; what was kept so before is read and written all the same.
   */
  readonly blocksFrom?: number | undefined
  /**
   * Directories that move keep their lower part by `overlay.redirect`. Without it everything in them is copied up first, since a mount
   * with `userxattr` follows no redirects. Default: true in `trusted`, false in `user`; what others redirected is read all the same.
   */
  readonly redirects?: boolean
  /**
   * Who wrote it last did not close it: all of it is read at once, so that no number is given that a power cut has left on an inode while
   * it took what was noted of numbers. Default: false; such numbers are known then when they are come by.
   */
  readonly unclean?: boolean
}

/**
 * Opens an upper in the form of the kernel's overlayfs, which can mount it afterwards, or wrote it before
 * (docs/upper-format.md). Needs xattrs of the namespace: for `trusted` a process that may set them, and own everything. `user` is
 * for everybody: what this process cannot store as it is goes into the override xattr that the rootless tools share.
 *
 * Whoever opens it for writing holds the lock of its container, and no kernel mount may use it. What is refused with
 * ENOTSUP cannot be stored in this form: in `trusted` a device 0:0, and whatever this process may not make or mark.
 *
 * @throws PLY_UNSUPPORTED if a volatile mount left its mark: what it wrote may be incomplete. PLY_BAD_DOCUMENT for an override xattr
 * that says nothing.
 */
export function openOverlayUpper(options: OverlayUpperOptions): StoredUpper {
  const { upperDir, workDir, xattr, chainId, lowerUuid } = options
  const {
    readOnly = false,
    numbersFrom = 0,
    metacopy = false,
    redirects = xattr === 'trusted',
    unclean = false,
  } = options
  const place: OverlayPlace = {
    upperDir: encodeText(resolve(upperDir)),
    workDir: encodeText(resolve(workDir)),
    marks: marks[xattr],
    uuid: lowerUuid ?? (chainId ? indexUuid(chainId) : new Uint8Array(16)),
    firstOwn: Math.max(firstNewInode, numbersFrom),
    frozen: new FrozenBelow(options.below ?? [], encodeText(resolve(upperDir))),
    disk: options.disk ?? nodeDisk(),
    extents: join(dirname(resolve(upperDir)), 'extents'),
    blocksFrom: options.blocksFrom ?? Number.POSITIVE_INFINITY,
  }
  return new OverlayUpper(place, { readOnly, numbersFrom, metacopy, redirects, unclean, onBlocks: options.onBlocks })
}
