import { IndexBuilder } from '../../src/erofs/index.ts'
import { bytesOf } from '../../src/model/bytes.ts'
import type { Xattrs } from '../../src/model/entry.ts'

/** Files whose content is written into a tar at 512-byte steps. */
export interface Content {
  readonly offset: number
  readonly bytes: Buffer
}

const second = 1_000_000_000n

/** One file system with everything in it that an index may have to hold, and the contents of its tar. */
export function everyKind(): { builder: IndexBuilder; contents: Content[]; tarSize: number } {
  const builder = new IndexBuilder()
  const contents: Content[] = []
  let offset = 1024
  const common = { mode: 0o644, uid: 0, gid: 0, mtime: 1_600_000_000n * second }
  const file = (size: number, xattrs?: Xattrs, attributes = {}) => {
    const bytes = Buffer.alloc(size, `content of ${size} at ${offset} `)
    const extent = { device: 0, offset }
    contents.push({ offset, bytes })
    offset += Math.ceil(size / 512) * 512 + 512
    return builder.inode({ kind: 'file', ...common, ...attributes, size, extent, ...(xattrs && { xattrs }) })
  }
  const folder = (directory: number, name: string, xattrs?: Xattrs) => {
    const id = builder.inode({ kind: 'directory', ...common, mode: 0o3755, ...(xattrs && { xattrs }) })
    builder.enter(directory, name, id)
    return id
  }
  const { root } = builder
  builder.setInode(root, { kind: 'directory', mode: 0o751, uid: 1, gid: 2, mtime: 123_456_789n })

  for (const size of [0, 1, 511, 512, 513, 4096, 70_000]) builder.enter(root, `size ${size}`, file(size))

  const large = folder(root, 'large')
  for (let i = 0; i < 3000; i++) builder.enter(large, `${'n'.repeat(200)}${i * 7919}`, file(i % 3))
  // From one name to more than fit in a block, so that every way a last block can be placed occurs.
  const filled = folder(root, 'filled')
  for (let names = 0; names < 44; names++) {
    const directory = folder(filled, `with ${names}`)
    for (let i = 0; i < names; i++) builder.enter(directory, `name${i}${'x'.repeat(names % 7)}`, file(1))
  }
  const odd = folder(root, 'odd names')
  for (const name of [
    '!x',
    '+x',
    ',x',
    '-x',
    '..x',
    '...',
    '.x',
    '\x01',
    'ü',
    '𝒳',
    'z',
    'a b',
    'é\ufffd',
    'n'.repeat(255),
  ]) {
    builder.enter(odd, Buffer.from(name).toString('latin1'), file(3))
  }
  builder.enter(odd, '\xff\xfe\x80', file(4))

  const links = folder(root, 'links')
  for (const length of [1, 63, 447, 448, 449, 511, 512, 513, 4000, 4095]) {
    const target = 't'.repeat(length)
    builder.enter(links, `to ${length}`, builder.inode({ kind: 'symlink', ...common, target }))
  }

  const devices = folder(root, 'devices')
  const special = (name: string, kind: 'character' | 'block' | 'fifo' | 'socket', major = 0, minor = 0) =>
    builder.enter(devices, name, builder.inode({ kind, ...common, mode: 0o600, major, minor }))
  special('null', 'character', 1, 3)
  special('large minor', 'character', 4095, 1_048_575)
  special('disk', 'block', 259, 300)
  special('pipe', 'fifo')
  special('socket', 'socket')
  special('zero', 'character', 0, 0)

  const attributes = folder(root, 'attributes')
  builder.enter(attributes, 'owner', file(1, undefined, { uid: 70_000, gid: 4_294_967_294 }))
  builder.enter(attributes, 'set-id', file(1, undefined, { mode: 0o7777 }))
  builder.enter(attributes, 'old', file(1, undefined, { mtime: -5n * second - 1n }))
  builder.enter(attributes, 'older', file(1, undefined, { mtime: -4_000_000_000n * second + 7n }))
  builder.enter(attributes, 'late', file(1, undefined, { mtime: 9_999_999_999n * second + 999_999_999n }))

  const groups = folder(root, 'groups')
  const shared = file(1000)
  for (const name of ['a', 'b', 'c']) builder.enter(groups, name, shared)
  builder.enter(root, 'also in groups', shared)

  const xattrs = folder(root, 'xattrs', new Map([['user.on', bytesOf('a directory')]]))
  builder.enter(xattrs, 'one', file(5, new Map([['user.x', bytesOf('y')]])))
  builder.enter(xattrs, 'same', file(5, new Map([['user.x', bytesOf('y')]])))
  const many = new Map(Array.from({ length: 30 }, (_, i) => [`user.name${i}`, bytesOf('v'.repeat(i * 20 + 1))]))
  builder.enter(xattrs, 'many', file(600, many))
  builder.enter(xattrs, 'more', file(0, new Map([...many, ['user.binary', Buffer.from([0, 255, 10, 61])]])))
  builder.enter(xattrs, 'long', file(1, new Map([['user.long', Buffer.alloc(60_000, 'long')]])))
  const security = Buffer.from('0100000200040000000000000000000000000000', 'hex')
  builder.enter(xattrs, 'capability', file(1, new Map([['security.capability', security]])))
  const acl = Buffer.from(
    '0200000001000600ffffffff02000400e803000004000400ffffffff10000400ffffffff20000400ffffffff',
    'hex',
  )
  builder.enter(xattrs, 'acl', file(1, new Map([['system.posix_acl_access', acl]])))
  const trusted = new Map([['trusted.t', bytesOf('z')]])
  builder.enter(xattrs, 'link', builder.inode({ kind: 'symlink', ...common, target: 'l'.repeat(440), xattrs: trusted }))

  let deep = folder(root, 'deep')
  for (let depth = 0; depth < 100; depth++) deep = folder(deep, `level ${depth}`)

  return { builder, contents, tarSize: offset }
}
