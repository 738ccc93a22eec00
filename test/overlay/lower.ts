import { closeSync, fstatSync, mkdirSync, openSync, readSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Index, IndexBuilder } from '../../src/erofs/index.ts'
import { digestOf } from '../../src/model/digest.ts'
import type { Attributes } from '../../src/model/entry.ts'
import { type FoldedTree, foldedTree } from '../../src/stack/index.ts'
import type { Bytes } from '../../src/stream/bytes.ts'

/** A lower tree as the kernel and the union both read it: an index, and the tar that it points into. */
export interface Lower {
  readonly index: string
  readonly tar: string
  readonly chainId: ReturnType<typeof digestOf>
  /** A new one each time: a union closes what it is given. */
  tree(): FoldedTree
}

const someone = { uid: 1000, gid: 100 }

/** Files, directories, a link group, a symlink, devices and xattrs, three levels deep; and `more` files, by path. */
export async function makeLower(
  folder: string,
  more: ReadonlyMap<string, Buffer> = new Map(),
  owner: Pick<Attributes, 'uid' | 'gid'> = someone,
): Promise<Lower> {
  const owned: Attributes = { mode: 0o644, ...owner, mtime: 1_000_000_000_123_456_789n }
  mkdirSync(folder, { recursive: true })
  const contents = new Map<string, Buffer>([
    ['usr/share/doc', Buffer.alloc(5000, 'doc ')],
    ['etc/passwd', Buffer.from('root:x:0:0::/root:/bin/sh\n')],
    ['etc/group', Buffer.from('root:x:0:\n')],
    ['bin/tool', Buffer.alloc(10_000, '\x7fELF')],
    ['usr/lib/one', Buffer.from('1')],
    ['usr/lib/two', Buffer.from('2')],
    ['var/log/messages', Buffer.alloc(100_000, 'line\n')],
    ['top', Buffer.from('top\n')],
    ...more,
  ])
  const builder = new IndexBuilder()
  const tarParts: Buffer[] = []
  let offset = 0
  const directories = new Map<string, number>([['', builder.root]])
  builder.setInode(builder.root, { kind: 'directory', ...owned, mode: 0o755, uid: 0, gid: 0 })
  const directory = (path: string): number => {
    const known = directories.get(path)
    if (known !== undefined) return known
    const inode = builder.inode({ kind: 'directory', ...owned, mode: 0o750 })
    directories.set(path, inode)
    builder.enter(directory(parentOf(path)), nameOf(path), inode)
    return inode
  }
  const inodes = new Map<string, number>()
  for (const [path, content] of contents) {
    const xattrs = path === 'bin/tool' ? new Map([['user.note', Buffer.from('\0\xff', 'latin1')]]) : undefined
    const extent = { device: 0, offset }
    const inode = builder.inode({ kind: 'file', ...owned, size: content.length, extent, ...(xattrs && { xattrs }) })
    const padded = Buffer.alloc(Math.ceil(content.length / 512) * 512)
    content.copy(padded)
    tarParts.push(padded)
    offset += padded.length
    inodes.set(path, inode)
    builder.enter(directory(parentOf(path)), nameOf(path), inode)
  }
  // A group over two directories.
  builder.enter(directory('bin'), 'alias', inodes.get('bin/tool')!)
  builder.enter(directory('usr/lib'), 'alias', inodes.get('bin/tool')!)
  const node = (path: string, inode: Parameters<IndexBuilder['inode']>[0]) =>
    builder.enter(directory(parentOf(path)), nameOf(path), builder.inode(inode))
  node('etc/link', { kind: 'symlink', ...owned, mode: 0o777, target: 'passwd' })
  node('dev/null', { kind: 'character', ...owned, mode: 0o666, major: 1, minor: 3 })
  node('dev/pipe', { kind: 'fifo', ...owned })
  node('etc/\xff name', { kind: 'file', ...owned, size: 0 })
  directory('usr/empty')
  const tar = Buffer.concat(tarParts)
  const diffId = digestOf(tar)
  const chainId = digestOf(Buffer.from(diffId))
  const image: Buffer[] = []
  await builder.write(
    { write: (chunk) => void image.push(Buffer.from(chunk)) },
    { uuidSeed: chainId, devices: [{ diffId, size: tar.length }] },
  )
  const paths = { index: join(folder, 'lower.erofs'), tar: join(folder, 'lower.tar') }
  writeFileSync(paths.index, Buffer.concat(image))
  writeFileSync(paths.tar, tar)
  return lowerAt({ ...paths, chainId })
}

/** What `makeLower` made, also in another process. */
export function lowerAt({ index, tar, chainId }: Omit<Lower, 'tree'>): Lower {
  return { index, tar, chainId, tree: () => foldedTree(Index.open(bytesOf(index)), () => bytesOf(tar)) }
}

function bytesOf(path: string): Bytes {
  const fd = openSync(path, 'r')
  let open = true
  return {
    size: fstatSync(fd).size,
    read: (into, position) => readSync(fd, into, 0, into.length, position),
    extent: { fd, offset: 0 },
    close() {
      if (open) closeSync(fd)
      open = false
    },
  }
}

const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')))
const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1)
