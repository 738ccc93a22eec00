import { chmodSync, chownSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import zlib from 'node:zlib'
import { Index } from '../../src/erofs/index.ts'
import { memoryUpper, union } from '../../src/index.ts'
import { memoryBytes } from '../../src/stream/bytes.ts'
import { zstdEncoder } from '../../src/stream/zstd.ts'
import { libc } from '../../src/sys/libc.ts'
import { nodeDisk } from '../../src/sys/node-disk.ts'
import { root as isRoot } from '../support/ability.ts'
import type { Ground, Provocation } from './ground.ts'

/** Errors of stores, containers, mounts and the machine. */
export const storeErrors: readonly Provocation[] = [
  {
    code: 'PLY_CONTAINER_BUSY',
    what: 'a container that somebody else writes to',
    says: /container work is .*; close that one first/,
    async prepare({ store }) {
      await (await store()).containers.open('work')
      return ['rm', 'work:/etc/issue']
    },
  },
  {
    code: 'PLY_CONTAINER_EXISTS',
    what: 'a name that is taken',
    says: /already a container named work.*ply rm work/,
    prepare: async () => ['create', 'base:1', '--name', 'work'],
  },
  {
    code: 'PLY_CONTAINER_NOT_FOUND',
    what: 'a container that is not there',
    says: /no container named nobody; list them with: ply ps/,
    prepare: async () => ['changes', 'nobody'],
  },
  {
    code: 'PLY_SNAPSHOT_EXISTS',
    what: 'a second snapshot of a name',
    says: /container work has a snapshot first already/,
    prepare: async () => ['snapshot', 'work', 'first'],
  },
  {
    code: 'PLY_SNAPSHOT_NOT_FOUND',
    what: 'a snapshot that is not there',
    says: /container work has no snapshot second; it has: first/,
    prepare: async () => ['rollback', 'work', 'second'],
  },
  {
    code: 'PLY_STORE_BUSY',
    what: 'a collection while somebody else collects',
    says: /another process holds the lock on \S+store/,
    async prepare({ root }) {
      await nodeDisk().lock(join(root, 'locks', 'collect'))
      return ['gc']
    },
  },
  {
    code: 'PLY_STORE_FORMAT',
    what: 'a store of a later version',
    says: /the store at \S+store has format 99; this version reads 1/,
    damages: true,
    async prepare({ root }) {
      const record = JSON.parse(readFileSync(join(root, 'ply.json'), 'utf8'))
      writeFileSync(join(root, 'ply.json'), JSON.stringify({ ...record, format: 99 }))
      return ['images']
    },
  },
  {
    code: 'PLY_STORE_OWNER',
    what: 'a store of somebody else',
    says: /belongs to user 65534, and this is user 0.*--root.*--any-owner/,
    unless: !isRoot && 'only root can give a store away',
    async prepare({ root }) {
      chownSync(root, 65534, 65534)
      return ['images']
    },
  },
  {
    code: 'PLY_STORE_READ_ONLY',
    what: 'a tag in a store that is open for reading',
    says: /the store at \S+store is open for reading only/,
    async prepare({ store }) {
      const reader = await store({ readOnly: true })
      return () => reader.tag('base:1', 'other:1')
    },
  },
  {
    code: 'PLY_DAMAGED',
    what: 'a byte of a layer that has turned over',
    says: /blob of layer sha256:.* page 0 does not match its checksum; .*import them again/,
    damages: true,
    async prepare(ground) {
      const blob = await layerOf(ground)
      const bytes = readFileSync(blob)
      bytes[bytes.indexOf('hello')]! ^= 1
      chmodSync(blob, 0o600)
      writeFileSync(blob, bytes)
      return ['cat', 'base:1', '/etc/motd']
    },
  },
  {
    code: 'PLY_BAD_INDEX',
    what: 'an index that is none',
    says: /the index of a test is damaged: .*; it is a cache: open it again/,
    prepare: async () => async () => Index.open(memoryBytes(Buffer.alloc(8192)), { what: 'a test' }),
  },
  {
    code: 'PLY_NO_NATIVE',
    what: 'a system call that no C library has',
    says: /lacks the system calls that surely_no_such_function needs/,
    prepare: async () => async () => libc('int surely_no_such_function(int)')(1),
  },
  {
    code: 'PLY_NO_ZSTD_ENCODER',
    what: 'a Node without zstd, on a machine without libzstd',
    says: /no zstd encoder here; use gzip, or Node 22\.15/,
    prepare: async () => async () => withoutZstd(() => zstdEncoder([])),
  },
  {
    code: 'PLY_MOUNT_NOT_FOUND',
    what: 'a mount that there is not',
    says: /nothing of this store is mounted as nothing; see what is with: ply ps/,
    prepare: async () => ['umount', 'nothing'],
  },
  {
    code: 'PLY_MOUNT_TARGET',
    what: 'a directory that is missing',
    says: /nothing can be mounted on \S+missing: .*mkdir -p/,
    prepare: async ({ at }) => ['mount', 'work', at('missing'), '--via', 'extract'],
  },
  {
    code: 'EOPNOTSUPP',
    what: 'an extended attribute in no namespace',
    says: /operation not supported, setxattr/,
    async prepare() {
      const tree = union([], memoryUpper())
      return async () => tree.setXattr(tree.root, 'nonsense', new Uint8Array())
    },
  },
  {
    code: 'EROFS',
    what: 'a container that is open for reading, and written to',
    says: /read-only file system/,
    async prepare({ store }) {
      const snapshot = await (await store()).containers.open('work', { readOnly: true })
      return async () => snapshot.fs.writeFileSync('/etc/motd', 'x')
    },
  },
]

/** The file of the top layer. */
async function layerOf({ store, root }: Ground): Promise<string> {
  const image = await (await store()).image('base:1')
  return join(root, 'blobs', 'sha256', image.layers.at(-1)!.descriptor.digest.slice(7))
}

async function withoutZstd(act: () => unknown): Promise<unknown> {
  const own = Object.getOwnPropertyDescriptor(zlib, 'createZstdCompress')
  if (own !== undefined) delete (zlib as { createZstdCompress?: unknown }).createZstdCompress
  try {
    return act()
  } finally {
    if (own !== undefined) Object.defineProperty(zlib, 'createZstdCompress', own)
  }
}
