import type { Disk } from '../sys/disk.ts'
import { nodeDisk } from '../sys/node-disk.ts'
import { type Clock, systemClock } from '../union/clock.ts'
import { isFiled } from './change.ts'
import { ChangeLog } from './change-log.ts'
import { readChangeTimes, writeChangeTimes } from './change-times.ts'
import { ContentFiles } from './content-files.ts'
import { ExtentFiles } from './extent-files.ts'
import { PortableState } from './portable-state.ts'
import { damaged } from './record-bytes.ts'
import type { StoredUpper } from './stored-upper.ts'
import { PortableUpper } from './writable-portable.ts'

/** Where an upper lies in the portable form, and what it stands on. */
export interface PortableUpperOptions {
  /** The disk that it is on. Default: the real one. */
  readonly disk?: Disk
  /** The directory of this upper. Made if missing, unless `readOnly`. */
  readonly root: string
  /** Every change is refused with EROFS, and nothing on the disk is touched: a torn tail stays. */
  readonly readOnly?: boolean
  /** New inodes are numbered from here on: above every number of a frozen upper below. Default: 2^40. */
  readonly numbersFrom?: number
  /**
   * Lower files of so many bytes or more are not copied whole when they are first written: their blocks are kept in `extents/`. Default:
   * none are; what was kept so before is read and written all the same.
   */
  readonly blocksFrom?: number | undefined
  /** Told before the first file is kept in blocks. */
  readonly onBlocks?: (() => void) | undefined
  /** Where change times come from, in nanoseconds. Default: the machine's clock. */
  readonly now?: Clock
}

/**
 * Opens an upper in the portable form, or makes an empty one: content in `inodes/<n>`, facts in one log
 * (docs/upper-format.md). It needs no privileges and no xattrs, and works in memory as on a disk.
 *
 * Whoever opens it for writing holds the lock of its container: two writers destroy each other's log.
 * A change is atomic when its verb returns and durable after `sync`; content of copied-up files is durable before
 * the record that names it is written. Inode numbers of the upper itself start at 2^40, which is its root.
 *
 * @throws PLY_BAD_DOCUMENT if the log is damaged before its end; PLY_UNSUPPORTED if a later version wrote it.
 */
export function openPortableUpper(options: PortableUpperOptions): StoredUpper {
  const { disk = nodeDisk(), root, readOnly = false, numbersFrom = 0, now = systemClock() } = options
  const { blocksFrom = Number.POSITIVE_INFINITY, onBlocks } = options
  if (!readOnly) disk.fs.mkdirSync(root, { recursive: true, mode: 0o700 })
  const files = new ContentFiles(disk, `${root}/inodes`, readOnly)
  if (!disk.fs.existsSync(`${root}/log`) && files.any()) throw damaged(`there is none in ${root}, but there is content`)
  const state = new PortableState()
  if (numbersFrom > state.nextInode) state.nextInode = numbersFrom
  const log = ChangeLog.open({ disk, root, readOnly }, (change) => state.apply(change))
  const extents = new ExtentFiles(disk, `${root}/extents`, readOnly)
  if (onBlocks) extents.onFirst = onBlocks
  if (!readOnly) {
    const used = new Set<number>()
    for (const { content } of state.inodes.values()) if (isFiled(content)) used.add(content.number)
    files.sweep(used)
    extents.sweep((ino) => state.inodes.get(ino)?.content.is === 'blocks')
    if (files.waiting > 0 || extents.waiting > 0) {
      log.sync()
      files.collect()
      extents.collect()
    }
  }
  readChangeTimes(disk, root, (ino, time) => {
    const inode = state.inodes.get(ino)
    if (inode) inode.ctime = time
  })
  return new PortableUpper({
    state,
    log,
    files,
    extents,
    blocksFrom,
    readOnly,
    now,
    onClose: (times) => writeChangeTimes(disk, root, times),
  })
}
