import { expect, test } from 'vitest'
import { IdMapping } from '../../src/model/id-mapping.ts'
import { mappedTree } from '../../src/stack/index.ts'
import { plainTree, treeEntries } from '../support/plain-tree.ts'

const mapping = IdMapping.parse('0:100000:65536,70000:1000:1')

/** Version 2; user 5 may read, group 6 may read, everybody else as the mode says. */
function acl(user: number, group: number): Buffer {
  const bytes = Buffer.alloc(4 + 5 * 8)
  bytes.writeUInt32LE(2, 0)
  const entries = [
    [0x01, 6, 0xffffffff],
    [0x02, 4, user],
    [0x04, 4, 0xffffffff],
    [0x08, 4, group],
    [0x20, 4, 0xffffffff],
  ] as const
  entries.forEach(([tag, permissions, id], at) => {
    bytes.writeUInt16LE(tag, 4 + at * 8)
    bytes.writeUInt16LE(permissions, 6 + at * 8)
    bytes.writeUInt32LE(id, 8 + at * 8)
  })
  return bytes
}

const tree = () =>
  plainTree({
    'd/': { uid: 1, gid: 2 },
    'd/f': { uid: 70000, gid: 5, content: 'x', xattrs: { 'system.posix_acl_access': acl(5, 6), 'user.k': 'v' } },
    'd/g': { hardlink: 'd/f' },
  })

test('O-01, O-02: owners are shifted when a tree is read, and the tree itself stays as it was', () => {
  const own = tree()
  const mapped = mappedTree(own, { uids: mapping, gids: mapping })
  const entries = treeEntries(mapped)
  expect(entries.map(({ path, uid, gid }) => [path, uid, gid])).toEqual([
    ['', 100_000, 100_000],
    ['d', 100_001, 100_002],
    ['d/f', 1000, 100_005],
    ['d/g', 1000, 100_005],
  ])
  const back = mappedTree(mapped, { uids: mapping.reversed(), gids: mapping.reversed() })
  expect(treeEntries(back)).toEqual(treeEntries(tree()))
  expect(treeEntries(own)).toEqual(treeEntries(tree()))
})

test('X-06: numbers inside access control lists follow the mapping, other attributes stay', () => {
  const mapped = mappedTree(tree(), { uids: mapping, gids: mapping })
  const file = mapped.lookup(mapped.lookup(mapped.root, 'd')!, 'f')!
  expect(Buffer.from(mapped.xattrs(file).get('system.posix_acl_access')!)).toEqual(acl(100_005, 100_006))
  expect(Buffer.from(mapped.xattrs(file).get('user.k')!).toString()).toBe('v')
})

test('O-02: a number outside the mapping is refused with path and number, or squashed, or recorded', () => {
  const narrow = new IdMapping([{ from: 0, to: 100_000, count: 2 }])
  const refusing = mappedTree(tree(), { uids: narrow, gids: narrow })
  expect(() => treeEntries(refusing)).toThrow(/\/d.*group 2.*O-02/s)
  const squashing = mappedTree(tree(), { uids: narrow, gids: narrow, outside: { uid: 7, gid: 8 } })
  expect(treeEntries(squashing).map(({ uid, gid }) => [uid, gid])).toEqual([
    [100_000, 100_000],
    [100_001, 8],
    [7, 8],
    [7, 8],
  ])
  const recording = mappedTree(tree(), { uids: narrow, gids: narrow, outside: 'record' })
  expect(treeEntries(recording)[2]).toMatchObject({ uid: 0xffffffff, gid: 0xffffffff })
})

test('O-02: a mapping is refused where two numbers would become one, or one two', () => {
  for (const text of ['0:1000:2,1:5000:1', '0:1000:2,5:1001:1', '0:4294967295:1', '0:0:0', '0:0', 'x', '-1:0:1'])
    expect(() => IdMapping.parse(text), text).toThrow(expect.objectContaining({ code: 'PLY_USAGE' }))
  expect(mapping.get(65_535)).toBe(165_535)
  expect(mapping.get(65_536)).toBeUndefined()
})
