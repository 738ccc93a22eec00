import { describe, expect, test } from 'vitest'
import { fsOf } from '../../src/fs/index.ts'
import { codeOf } from '../../src/model/errors.ts'
import { memoryUpper } from '../../src/union/memory-upper.ts'
import { type PlainEntry, plainLayer } from '../../src/union/plain-layer.ts'
import { union } from '../../src/union/union-tree.ts'
import { treeEntries } from '../support/plain-tree.ts'
import { caught } from './upper-contract.ts'

const paths = (...layers: Record<string, PlainEntry>[]) =>
  treeEntries(union(layers.map(plainLayer))).map(({ path }) => path)

describe('a layer made from a plain object', () => {
  test('has everything that it was told, and is one of any number that a union stands on', () => {
    const base = plainLayer({
      '/': { directory: true, mode: 0o700, uid: 1 },
      '/bin/busybox': { content: new Uint8Array([1, 2, 3]), mode: 0o4755, uid: 2, gid: 3, mtime: 4n },
      'bin/sh': { symlink: 'busybox' },
      '/bin/more': { hardlink: '/bin/busybox' },
      '/bin': { directory: true, mode: 0o711, xattrs: { 'user.ä': 'ö' } },
      '/dev/null': { kind: 'character', major: 1, minor: 3, mode: 0o666 },
      '/run/pipe': { kind: 'fifo' },
      '/etc/motd': 'hällo\n',
      '/etc/issue': 'x',
    })
    const middle = plainLayer({ '/etc/issue': { whiteout: true }, '/etc/new': 'new' })
    const fs = fsOf(union([base, middle], memoryUpper()))
    expect(fs.readdirSync('/', { recursive: true }).sort()).toEqual([
      'bin',
      'bin/busybox',
      'bin/more',
      'bin/sh',
      'dev',
      'dev/null',
      'etc',
      'etc/motd',
      'etc/new',
      'run',
      'run/pipe',
    ])
    expect(fs.statSync('/')).toMatchObject({ mode: 0o40700, uid: 1 })
    expect(fs.statSync('/bin/sh')).toMatchObject({ mode: 0o104755, uid: 2, gid: 3, nlink: 2, size: 3 })
    expect(fs.statSync('/bin')).toMatchObject({ mode: 0o40711, nlink: 2 })
    expect(fs.statSync('/dev/null').isCharacterDevice()).toBe(true)
    expect(fs.readFileSync('/etc/motd', 'utf8')).toBe('hällo\n')
    fs.appendFileSync('/bin/more', 'and')
    expect(fs.readFileSync('/bin/busybox', 'latin1')).toBe('\x01\x02\x03and')
    const bare = union([plainLayer({ d: { directory: true, xattrs: { 'user.ä': 'ö' } } })])
    expect(bare.xattrs(bare.lookup(bare.root, 'd')!)).toEqual(new Map([['user.\xc3\xa4', Buffer.from('ö')]]))
  })

  test('directories that only lie on the way have the attributes of what stands below', () => {
    const described = { '/': { directory: true, mode: 0o711 }, '/d': { directory: true, mode: 0o750, uid: 5 } } as const
    const fs = fsOf(union([plainLayer(described), plainLayer({ '/d/new': '' })]))
    expect([fs.statSync('/').mode & 0o777, fs.statSync('/d').mode & 0o777, fs.statSync('/d').uid]).toEqual([
      0o711, 0o750, 5,
    ])
    expect(fsOf(union([plainLayer({ '/d/new': '' })])).statSync('/d').mode).toBe(0o40755)
  })

  test('whiteouts remove, opaque directories hide, and neither makes anything', () => {
    const base = { '/d/a': 'a', '/d/b': 'b', '/e': 'e' }
    expect(paths(base, { '/d/a': { whiteout: true } })).toEqual(['', 'd', 'd/b', 'e'])
    expect(paths(base, { '/d': { whiteout: true }, '/x/y/z': { whiteout: true } })).toEqual(['', 'e'])
    expect(paths(base, { '/d': { directory: true, opaque: true }, '/d/c': 'c' })).toEqual(['', 'd', 'd/c', 'e'])
    expect(paths(base, { '/': { directory: true, opaque: true }, '/n': '' })).toEqual(['', 'n'])
    expect(paths({ '/x/y': { whiteout: true } })).toEqual([''])
  })

  test('is not changed by what happens to what it was made from, nor by what is written above it', () => {
    const content = Buffer.from('text')
    const layer = plainLayer({ f: content })
    content.fill('x')
    fsOf(union([layer], memoryUpper())).writeFileSync('/f', 'above')
    expect(fsOf(union([layer])).readFileSync('/f', 'utf8')).toBe('text')
  })

  test.each<[string, Record<string, PlainEntry>]>([
    ['a path out of the root', { '/a/../../b': '' }],
    ['one place under two paths', { '/a': '', a: '' }],
    ['one place under two paths, one of them removing it', { '/a': '', 'a/': { whiteout: true } }],
    ['a path through a file', { '/a': '', '/a/b': '' }],
    ['a path through a file that comes later', { '/a/b': '', '/a': '' }],
    ['a path through what is removed', { '/a': { whiteout: true }, '/a/b': '' }],
    ['a root that is no directory', { '/': 'text' }],
    ['a root that is removed', { '/': { whiteout: true } }],
    ['a hardlink to nothing', { '/a': { hardlink: '/b' } }],
    ['a hardlink to a directory', { '/a': { hardlink: '/b' }, '/b': { directory: true } }],
    ['a name that is too long', { [`/${'x'.repeat(256)}`]: '' }],
    ['a name with NUL', { '/a\0b': '' }],
    ['the device that whiteouts are', { '/a': { kind: 'character', major: 0, minor: 0 } }],
  ])('%s is refused', (_, files) => {
    expect(codeOf(caught(() => plainLayer(files)))).toBe('PLY_UNREPRESENTABLE')
  })
})

test('a union that can be written cannot lie below another: numbers of what is new would meet', () => {
  const below = union([], memoryUpper())
  expect(codeOf(caught(() => union(below, memoryUpper())))).toBe('PLY_UNSUPPORTED')
  expect(union(below).root).toBe(below.root)
})
