import { describe, expect, test } from 'vitest'
import type { Stat } from '../../src/model/entry.ts'
import { codeOf } from '../../src/model/errors.ts'
import {
  type Acl,
  accessAcl,
  aclAfterChmod,
  aclTag,
  defaultAcl,
  fromDefault,
  grants,
  modeOfAcl,
  parseAcl,
  serializeAcl,
  settingAcl,
  withMode,
} from '../../src/union/acl.ts'
import { memoryUpper } from '../../src/union/memory-upper.ts'
import { union } from '../../src/union/union-tree.ts'
import { caught } from './upper-contract.ts'

const { owner, user, group, namedGroup, mask, other } = aclTag
const acl = (...entries: [tag: Acl[number]['tag'], permissions: number, id?: number][]): Acl =>
  entries.map(([tag, permissions, id = -1]) => ({ tag, permissions, id }))
const minimal = acl([owner, 6], [group, 4], [other, 0])
const extended = acl([owner, 7], [user, 6, 1000], [group, 5], [namedGroup, 7, 2000], [mask, 6], [other, 1])
const directory: Stat = {
  kind: 'directory',
  ino: 1,
  mode: 0o2755,
  uid: 0,
  gid: 0,
  mtime: 0n,
  size: 0,
  links: 2,
  major: 0,
  minor: 0,
}

describe('the form of the kernel', () => {
  test('an ACL comes back as it was, and is laid out as the kernel has it', () => {
    expect(parseAcl(serializeAcl(extended))).toEqual(extended)
    expect(Buffer.from(serializeAcl(minimal)).toString('hex')).toBe(
      '0200000001000600ffffffff04000400ffffffff20000000ffffffff',
    )
  })

  test('no entries are no ACL', () => {
    expect(parseAcl(new Uint8Array())).toBeUndefined()
    expect(parseAcl(Buffer.from('02000000', 'hex'))).toBeUndefined()
  })

  test.each([
    ['another version', 'EOPNOTSUPP', Buffer.from('01000000', 'hex')],
    ['a header cut off', 'EINVAL', Buffer.from('0200', 'hex')],
    ['an entry cut off', 'EINVAL', serializeAcl(minimal).subarray(0, -1)],
    ['an unknown tag', 'EINVAL', Buffer.from('0200000003000600ffffffff', 'hex')],
    ['a user without a number', 'EINVAL', Buffer.from('0200000002000600ffffffff', 'hex')],
    ['more than read, write and execute', 'EINVAL', serializeAcl(acl([owner, 8], [group, 0], [other, 0]))],
    ['no owner', 'EINVAL', serializeAcl(acl([group, 4], [other, 0]))],
    ['the owner twice', 'EINVAL', serializeAcl(acl([owner, 6], [owner, 6], [group, 4], [other, 0]))],
    ['a wrong order', 'EINVAL', serializeAcl(acl([owner, 6], [other, 0], [group, 4]))],
    ['a user without a mask', 'EINVAL', serializeAcl(acl([owner, 6], [user, 4, 5], [group, 4], [other, 0]))],
    ['nothing for others', 'EINVAL', serializeAcl(acl([owner, 6], [group, 4]))],
  ])('%s is refused with %s', (_, code, value) => {
    expect(codeOf(caught(() => parseAcl(value)))).toBe(code)
  })
})

describe('an ACL and a mode', () => {
  test('the group bits are the mask, where there is one', () => {
    expect(modeOfAcl(minimal)).toEqual({ mode: 0o640, exact: true })
    expect(modeOfAcl(extended)).toEqual({ mode: 0o761, exact: false })
    expect(modeOfAcl(withMode(extended, 0o4530))).toEqual({ mode: 0o530, exact: false })
    expect(withMode(extended, 0o530)[2]).toEqual({ tag: group, permissions: 5, id: -1 })
  })

  test('setting one changes the mode, and it is kept only where it says more', () => {
    expect(settingAcl(directory, accessAcl, serializeAcl(minimal))).toMatchObject({ mode: 0o2640, value: undefined })
    expect(settingAcl(directory, accessAcl, serializeAcl(extended))).toMatchObject({ mode: 0o2761, removes: false })
    expect(settingAcl(directory, defaultAcl, serializeAcl(minimal)).value).toEqual(serializeAcl(minimal))
    expect(settingAcl(directory, accessAcl, undefined)).toMatchObject({ mode: 0o2755, removes: true })
    const file = { ...directory, kind: 'file' } as const
    expect(codeOf(caught(() => settingAcl(file, defaultAcl, serializeAcl(minimal))))).toBe('EACCES')
    const symlink = { ...directory, kind: 'symlink' } as const
    expect(codeOf(caught(() => settingAcl(symlink, accessAcl, serializeAcl(minimal))))).toBe('EOPNOTSUPP')
  })

  test('a union keeps the two the same', () => {
    const tree = union([], memoryUpper())
    const ino = tree.create(tree.root, 'f', { kind: 'file', mode: 0o644, uid: 0, gid: 0, mtime: 0n })
    tree.setXattr(ino, accessAcl, serializeAcl(extended))
    expect(tree.stat(ino).mode).toBe(0o761)
    tree.setAttributes(ino, { mode: 0o4700 })
    expect(modeOfAcl(parseAcl(tree.xattrs(ino).get(accessAcl)!)!).mode).toBe(0o700)
    tree.setXattr(ino, accessAcl, serializeAcl(minimal))
    expect([tree.stat(ino).mode, tree.xattrs(ino).size]).toEqual([0o4640, 0])
    expect(aclAfterChmod(tree.xattrs(ino), 0o600)).toBeUndefined()
  })
})

test('a new inode gets what both its mode and the default ACL allow', () => {
  expect(fromDefault(minimal, 0o6666)).toEqual({ mode: 0o6640, access: undefined })
  const { mode, access } = fromDefault(extended, 0o644)
  expect(mode).toBe(0o640)
  expect(modeOfAcl(access!)).toEqual({ mode: 0o640, exact: false })
  expect(access!.find(({ tag }) => tag === user)).toEqual({ tag: user, permissions: 6, id: 1000 })
})

test.each([
  ['the user who is named, up to the mask', 1000, [], 6, true],
  ['nobody beyond the mask', 1000, [], 1, false],
  ['a member of the owning group', 7, [50], 4, true],
  ['a member of a named group', 7, [2000], 2, true],
  ['not what two groups grant together', 7, [50], 6, false],
  ['others, who are in none', 7, [], 1, true],
  ['not as others, who is in a group', 7, [50], 3, false],
])('grants go to %s', (_, uid, groups: number[], wanted, granted) => {
  expect(grants(extended, uid, (gid) => groups.includes(gid), 50, wanted)).toBe(granted)
})
