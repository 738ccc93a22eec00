/** The numbers of `<linux/fuse.h>`, protocol 7.45: all that this server speaks of. */

/** What a request asks for (`enum fuse_opcode`). */
export const opcodes = {
  lookup: 1,
  forget: 2,
  getAttributes: 3,
  setAttributes: 4,
  readlink: 5,
  symlink: 6,
  mknod: 8,
  mkdir: 9,
  unlink: 10,
  rmdir: 11,
  rename: 12,
  link: 13,
  open: 14,
  read: 15,
  write: 16,
  statfs: 17,
  release: 18,
  fsync: 20,
  setXattr: 21,
  getXattr: 22,
  listXattrs: 23,
  removeXattr: 24,
  flush: 25,
  init: 26,
  openDirectory: 27,
  readDirectory: 28,
  releaseDirectory: 29,
  syncDirectory: 30,
  getLock: 31,
  setLock: 32,
  waitForLock: 33,
  access: 34,
  create: 35,
  interrupt: 36,
  destroy: 38,
  ioctl: 39,
  poll: 40,
  batchForget: 42,
  fallocate: 43,
  readDirectoryPlus: 44,
  rename2: 45,
  lseek: 46,
  copyFileRange: 47,
  syncFileSystem: 50,
  temporaryFile: 51,
  statx: 52,
} as const

export const requestHeaderSize = 40
export const replyHeaderSize = 16
export const attributesSize = 88
export const entrySize = 128
export const openSize = 16
export const initSize = 64
export const ioctlSize = 16

/** The kernel's number of the root. */
export const rootNode = 1

/** What is agreed on at the start, by bit: `FUSE_INIT_…`. */
export const features = {
  asyncRead: 1 << 0,
  posixLocks: 1 << 1,
  truncateOnOpen: 1 << 3,
  bigWrites: 1 << 5,
  dontMask: 1 << 6,
  flocks: 1 << 10,
  readDirectoryPlus: 1 << 13,
  readDirectoryPlusAuto: 1 << 14,
  asyncDirect: 1 << 15,
  writebackCache: 1 << 16,
  parallelDirectories: 1 << 18,
  posixAcl: 1 << 20,
  maxPages: 1 << 22,
  cacheSymlinks: 1 << 23,
  handleKillPrivileges: 1 << 28,
  setXattrExtended: 1 << 29,
  extended: 1 << 30,
} as const

/** Which members of `fuse_setattr_in` count: `FATTR_…`. */
export const attributeBits = {
  mode: 1,
  uid: 2,
  gid: 4,
  size: 8,
  atime: 16,
  mtime: 32,
  handle: 64,
  atimeNow: 128,
  mtimeNow: 256,
  killSetId: 2048,
} as const

/** Answers to opening: `FOPEN_…`. */
export const openAnswers = { directIo: 1, keepCache: 2, cacheDirectory: 8 } as const

/** `FUSE_OPEN_KILL_SUIDGID` */
export const openKillsSetId = 1
/** `FUSE_WRITE_KILL_SUIDGID` */
export const writeKillsSetId = 4
/** `FUSE_SETXATTR_ACL_KILL_SGID` */
export const aclKillsSetGroup = 1
/** `FUSE_LK_FLOCK` */
export const isFlock = 1
/** `FUSE_RELEASE_FLOCK_UNLOCK` */
export const releaseUnlocks = 2

/** Open flags of Linux as the protocol carries them: the same on every architecture that is served. */
export const openFlags = { accessMode: 3, writeOnly: 1, exclusive: 0o200, truncate: 0o1000 } as const

/** Flags of `renameat2(2)`. */
export const renameFlags = { noReplace: 1, exchange: 2 } as const

/** Flags of `fallocate(2)`. */
export const allocationFlags = { keepSize: 1, punchHole: 2, zeroRange: 16 } as const

/** Flags of `setxattr(2)`. */
export const xattrFlags = { create: 1, replace: 2 } as const

/** Places of `lseek(2)` that the kernel asks for: the others it knows. */
export const seeks = { data: 3, hole: 4 } as const

/** Kinds of lock of `fcntl(2)`. */
export const lockTypes = { read: 0, write: 1, none: 2 } as const
