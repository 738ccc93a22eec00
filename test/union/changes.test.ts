import { describe, expect, test } from 'vitest'
import { bytesOf } from '../../src/model/bytes.ts'
import { codeOf } from '../../src/model/errors.ts'
import { accessAcl, aclTag, defaultAcl, parseAcl, serializeAcl } from '../../src/union/acl.ts'
import { memoryUpper } from '../../src/union/memory-upper.ts'
import type { WritableUnion } from '../../src/union/union.ts'
import { contentAt } from '../support/plain-tree.ts'
import { directory, file, ino, make, write } from './make.ts'
import { caught } from './upper-contract.ts'

const mode = (tree: WritableUnion, path: string) => tree.stat(ino(tree, path)).mode

describe('set-id bits', () => {
  test('stay when content is written, and go when it is written without CAP_FSETID', () => {
    for (const killSetId of [false, true]) {
      const tree = make({ both: { content: 'x', mode: 0o6755 }, locking: { content: 'x', mode: 0o6745 } })
      for (const path of ['both', 'locking']) {
        const writer = tree.writer(ino(tree, path), { killSetId })
        expect(mode(tree, path) & 0o6000).toBe(0o6000)
        writer.write(bytesOf('y'), 0)
        writer.close()
      }
      expect(mode(tree, 'both')).toBe(killSetId ? 0o755 : 0o6755)
      expect(mode(tree, 'locking')).toBe(killSetId ? 0o2745 : 0o6745)
    }
  })

  test('go with truncating and allocating as with writing, and again if they were given meanwhile', () => {
    const tree = make({ a: { content: 'content', mode: 0o4755 } })
    const writer = tree.writer(ino(tree, 'a'), { truncate: true, killSetId: true })
    expect(mode(tree, 'a')).toBe(0o755)
    for (const change of [
      () => writer.write(bytesOf('x'), 0),
      () => writer.truncate(5),
      () => writer.allocate('extend', 0, 100),
    ]) {
      tree.setAttributes(ino(tree, 'a'), { mode: 0o4711 })
      change()
      expect(mode(tree, 'a')).toBe(0o711)
    }
    writer.write(bytesOf(''), 0)
    writer.close()
  })

  test('go by a change of attributes that is told so, which else changes nothing', () => {
    const tree = make({ a: { mode: 0o6755, content: 'x' }, plain: 'x', 'd/': { mode: 0o6755 } })
    tree.setAttributes(ino(tree, 'a'), {}, { killSetId: true })
    expect(mode(tree, 'a')).toBe(0o755)
    for (const path of ['plain', 'd']) {
      tree.setAttributes(ino(tree, path), {}, { killSetId: true })
      expect(tree.upper.has(ino(tree, path))).toBe(false)
    }
    tree.setAttributes(ino(tree, 'a'), { mode: 0o6755 }, { killSetId: true })
    expect(mode(tree, 'a')).toBe(0o6755)
    tree.setAttributes(ino(tree, 'a'), { uid: 1 })
    expect(mode(tree, 'a')).toBe(0o755)
  })

  test('a change of owner leaves the capability of a directory, as Linux does', () => {
    const tree = make({ 'd/': { xattrs: { 'security.capability': 'c' } } })
    tree.setAttributes(ino(tree, 'd'), { uid: 7 })
    expect(tree.xattrs(ino(tree, 'd')).has('security.capability')).toBe(true)
  })

  test('capabilities go with any change of content, also when they were given to a file that is open', () => {
    const tree = make({ a: { content: 'x', xattrs: { 'security.capability': 'c' } } })
    const number = ino(tree, 'a')
    const writer = tree.writer(number)
    for (const change of [() => writer.write(bytesOf('y'), 0), () => writer.allocate('punch', 0, 1)]) {
      tree.setXattr(number, 'security.capability', bytesOf('c'))
      change()
      expect(tree.xattrs(number).has('security.capability')).toBe(false)
    }
    writer.close()
  })
})

describe('times', () => {
  test('a write gives a new modify and change time, at once and after closing', () => {
    const tree = make({ a: { content: 'x', mtime: 5n } })
    const number = ino(tree, 'a')
    const writer = tree.writer(number)
    tree.setAttributes(number, { atime: 3n, mtime: 4n })
    writer.write(bytesOf('y'), 0)
    const { mtime, atime, ctime } = tree.stat(number)
    expect(mtime).toBeGreaterThanOrEqual(1000n)
    expect(ctime).toBeGreaterThanOrEqual(mtime)
    expect(atime).toBe(3n)
    writer.close()
    expect(tree.stat(number)).toMatchObject({ mtime, atime: 3n })
  })

  test('each of access and modify time changes without the other, from below too', () => {
    const tree = make({ a: { content: 'x', mtime: 5n } })
    const number = ino(tree, 'a')
    tree.setAttributes(number, { mtime: 9n })
    expect(tree.stat(number)).toMatchObject({ mtime: 9n, atime: 5n })
    tree.setAttributes(number, { atime: -1n })
    expect(tree.stat(number)).toMatchObject({ mtime: 9n, atime: -1n })
  })

  test('the change time follows attributes, xattrs and names', () => {
    const tree = make({ a: 'x' })
    const number = ino(tree, 'a')
    let last = tree.stat(number).ctime ?? 0n
    for (const change of [
      () => tree.setAttributes(number, { mode: 0o600 }),
      () => tree.setAttributes(number, { mtime: 1n, atime: 1n }),
      () => tree.setXattr(number, 'user.a', bytesOf('1')),
      () => tree.link(tree.root, 'b', number),
      () => tree.rename(tree.root, 'b', tree.root, 'c'),
      () => tree.unlink(tree.root, 'c'),
    ]) {
      change()
      const { ctime = 0n } = tree.stat(number)
      expect(ctime > last).toBe(true)
      last = ctime
    }
  })

  test('an implied root shows the times of below until it has its own', () => {
    const tree = make({ '/': { mtime: 5n } })
    expect(tree.stat(tree.root).mtime).toBe(5n)
    expect(tree.stat(tree.root).ctime ?? 5n).toBe(5n)
    tree.create(tree.root, 'a', file)
    expect(tree.stat(tree.root).mtime).toBeGreaterThanOrEqual(1000n)
    expect(tree.stat(tree.root).atime).toBe(5n)
  })
})

describe('allocating', () => {
  test('grows, reserves, punches and zeroes through a writer, and counts as a change of content', () => {
    const tree = make({ a: { content: 'x'.repeat(200_000), mtime: 5n } })
    const number = ino(tree, 'a')
    const writer = tree.writer(number)
    writer.allocate('reserve', 0, 500_000)
    expect(writer.size).toBe(200_000)
    expect(tree.stat(number).mtime).toBeGreaterThanOrEqual(1000n)
    writer.allocate('extend', 250_000, 50_000)
    writer.allocate('punch', 10, 150_000)
    writer.close()
    expect(tree.stat(number).size).toBe(300_000)
    expect(contentAt(tree, 'a')).toBe(
      `${'x'.repeat(10)}${'\0'.repeat(150_000)}${'x'.repeat(49_990)}${'\0'.repeat(100_000)}`,
    )
  })

  test('refuses what is no range', () => {
    const tree = make({ a: 'x' })
    const writer = tree.writer(ino(tree, 'a'))
    expect(codeOf(caught(() => writer.allocate('extend', 0, 0)))).toBe('EINVAL')
    expect(codeOf(caught(() => writer.allocate('punch', -1, 5)))).toBe('EINVAL')
    expect(codeOf(caught(() => writer.allocate('extend', 2 ** 53 - 5, 10)))).toBe('EFBIG')
    writer.close()
    expect(codeOf(caught(() => writer.allocate('extend', 0, 1)))).toBe('EBADF')
  })

  test('a full upper says ENOSPC, and room says how much is left', () => {
    const tree = make({}, memoryUpper({ room: 1 << 20 }))
    const number = tree.create(tree.root, 'a', file)
    const writer = tree.writer(number)
    expect(codeOf(caught(() => writer.allocate('extend', 0, 2 << 20)))).toBe('ENOSPC')
    expect(writer.size).toBe(0)
    writer.allocate('extend', 0, 1 << 19)
    expect(tree.room()).toMatchObject({ size: 1n << 20n, free: 1n << 19n })
    writer.close()
  })
})

describe('ACLs and modes are the same thing', () => {
  const acl = (user: number, named: number, group: number, mask: number, other: number) =>
    serializeAcl([
      { tag: aclTag.owner, permissions: user, id: -1 },
      { tag: aclTag.user, permissions: named, id: 1000 },
      { tag: aclTag.group, permissions: group, id: -1 },
      { tag: aclTag.mask, permissions: mask, id: -1 },
      { tag: aclTag.other, permissions: other, id: -1 },
    ])
  const masks = (tree: WritableUnion, path: string) =>
    parseAcl(tree.xattrs(ino(tree, path)).get(accessAcl)!)!.map(({ permissions }) => permissions)

  test('setting one changes the mode, and chmod changes its owner, mask and other', () => {
    const tree = make({ a: { content: 'x', mode: 0o4644 } })
    tree.setXattr(ino(tree, 'a'), accessAcl, acl(7, 5, 4, 6, 1))
    expect(mode(tree, 'a')).toBe(0o4761)
    tree.setAttributes(ino(tree, 'a'), { mode: 0o640 })
    expect(masks(tree, 'a')).toEqual([6, 5, 4, 4, 0])
    expect(mode(tree, 'a')).toBe(0o640)
    expect(tree.upper.hasContent(ino(tree, 'a'))).toBe(false)
  })

  test('one that the mode says alone is not kept', () => {
    const tree = make({ a: { content: 'x', mode: 0o644 } })
    const plain = serializeAcl([
      { tag: aclTag.owner, permissions: 7, id: -1 },
      { tag: aclTag.group, permissions: 5, id: -1 },
      { tag: aclTag.other, permissions: 0, id: -1 },
    ])
    tree.setXattr(ino(tree, 'a'), accessAcl, acl(7, 5, 4, 6, 1))
    tree.setXattr(ino(tree, 'a'), accessAcl, plain)
    expect(mode(tree, 'a')).toBe(0o750)
    expect(tree.xattrs(ino(tree, 'a')).has(accessAcl)).toBe(false)
  })

  test('removing one leaves the mode; where there is none only the lower side minds', () => {
    const tree = make({ a: { content: 'x', mode: 0o644 }, 'd/': {} })
    expect(codeOf(caught(() => tree.setXattr(ino(tree, 'a'), accessAcl, undefined)))).toBe('ENODATA')
    expect(codeOf(caught(() => tree.setXattr(ino(tree, 'd'), defaultAcl, undefined)))).toBe('ENODATA')
    tree.setXattr(ino(tree, 'a'), defaultAcl, undefined)
    expect(tree.upper.has(ino(tree, 'a'))).toBe(false)
    tree.setXattr(ino(tree, 'a'), accessAcl, acl(6, 5, 4, 6, 1))
    tree.setXattr(ino(tree, 'a'), accessAcl, undefined)
    expect(mode(tree, 'a')).toBe(0o661)
    tree.setXattr(ino(tree, 'a'), accessAcl, undefined)
    tree.setXattr(ino(tree, 'a'), accessAcl, bytesOf(''))
    expect(codeOf(caught(() => tree.setXattr(ino(tree, 'a'), defaultAcl, acl(6, 5, 4, 6, 1))))).toBe('EACCES')
    tree.setXattr(ino(tree, 'd'), defaultAcl, acl(6, 5, 4, 6, 1))
    expect(mode(tree, 'd')).toBe(0o755)
  })

  test('holds for a file that has no name any more', () => {
    const tree = make({ a: { content: 'x', mode: 0o644 } })
    const number = ino(tree, 'a')
    const reader = tree.open(number)
    tree.unlink(tree.root, 'a')
    tree.setXattr(number, accessAcl, acl(7, 5, 4, 6, 1))
    expect(tree.stat(number).mode).toBe(0o761)
    tree.setAttributes(number, { mode: 0o600 })
    expect(parseAcl(tree.xattrs(number).get(accessAcl)!)!.map(({ permissions }) => permissions)).toEqual([
      6, 5, 4, 0, 0,
    ])
    reader.close()
  })
})

test('an xattr has at most 64 KiB', () => {
  const tree = make({ a: 'x' })
  tree.setXattr(ino(tree, 'a'), 'user.a', Buffer.alloc(65536))
  expect(codeOf(caught(() => tree.setXattr(ino(tree, 'a'), 'user.a', Buffer.alloc(65537))))).toBe('E2BIG')
})

describe('exchange', () => {
  test('is one step of the upper: nothing is left under a third name if it fails', () => {
    const upper = memoryUpper()
    const tree = make({ 'a/x': '1', 'b/y': '2' }, upper)
    upper.exchange = () => {
      throw new Error('full')
    }
    expect(caught(() => tree.rename(tree.root, 'a', tree.root, 'b', { exchange: true }))).toBeInstanceOf(Error)
    expect([...tree.list(tree.root)].map(({ name }) => name)).toEqual(['a', 'b'])
    expect(contentAt(tree, 'a/x')).toBe('1')
  })

  test('of a directory and its own parent is refused, and of one inode with itself is nothing', () => {
    const tree = make({ 'a/b/': {}, f: 'x', g: { hardlink: 'f' } })
    const exchange = { exchange: true }
    expect(codeOf(caught(() => tree.rename(tree.root, 'a', ino(tree, 'a'), 'b', exchange)))).toBe('EINVAL')
    expect(codeOf(caught(() => tree.rename(ino(tree, 'a'), 'b', tree.root, 'a', exchange)))).toBe('EINVAL')
    tree.rename(tree.root, 'f', tree.root, 'g', exchange)
    expect(tree.upper.has(ino(tree, 'f'))).toBe(false)
  })

  test('of a new directory onto a name of below hides what is there, and counts move with directories', () => {
    const tree = make({ 'low/x': 'below', 'd/f': 'x' })
    const own = tree.create(ino(tree, 'd'), 'own', directory)
    tree.create(own, 'y', file)
    tree.rename(ino(tree, 'd'), 'own', tree.root, 'low', { exchange: true })
    expect([...tree.list(ino(tree, 'low'))].map(({ name }) => name)).toEqual(['y'])
    expect([...tree.list(ino(tree, 'd/own'))].map(({ name }) => name)).toEqual(['x'])
    tree.rename(ino(tree, 'd'), 'f', tree.root, 'low', { exchange: true })
    expect(tree.stat(ino(tree, 'd')).links).toBe(4)
    expect(tree.stat(tree.root).links).toBe(3)
    write(tree, 'low', 'still a file')
    expect(contentAt(tree, 'low')).toBe('still a file')
  })
})
