/**
 * What an index holds of one inode, all in numbers, as the columns of a builder take them. Who goes over millions of inodes has
 * one of these filled again and again (`Index.load`): an object for each, with times in a bigint, would take longer than the rest.
 */
export class InodeRow {
  /** Full `st_mode`. */
  mode = 0
  uid = 0
  gid = 0
  /** The 64 bits of the seconds. */
  secondsLow = 0
  secondsHigh = 0
  nanoseconds = 0
  /** Files and symlinks: bytes. */
  size = 0
  links = 0
  /** Files: start block in the device, or `noBlock`. Devices: the encoded number. */
  place = 0
  /** 0-based. */
  device = 0
  hasXattrs = false
  /** As `factBits` has them. */
  flags = 0
  /** 0-based. */
  layer = 0
  /** -1: no entry describes the inode. */
  header = -1
}
