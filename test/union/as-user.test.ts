import { describe, expect, test } from 'vitest'
import { codeOf } from '../../src/model/errors.ts'
import { type Acl, accessAcl, aclTag, defaultAcl, parseAcl, serializeAcl } from '../../src/union/acl.ts'
import { inherited } from '../../src/union/inheritance.ts'
import { asUser, type UserUnion } from '../../src/union/permissions.ts'
import { type Capability, type Credentials, capabilities, User } from '../../src/union/user.ts'
import { plainTree } from '../support/plain-tree.ts'
import { directory, file, ino, make, upperPaths } from './make.ts'

const alice = { uid: 1000, gid: 1000, groups: [50] } as const
const bob = { uid: 1001, gid: 1001 } as const
const root = { uid: 0, gid: 0 } as const
const having = (...held: readonly Capability[]): Credentials => ({ ...bob, capabilities: held })
const but = (...lacking: readonly Capability[]): Credentials => ({
  ...root,
  capabilities: capabilities.filter((one) => !lacking.includes(one)),
})

const named = (uid: number, permissions: number, mask = 7): Acl => [
  { tag: aclTag.owner, permissions: 7, id: 0xffffffff },
  { tag: aclTag.user, permissions, id: uid },
  { tag: aclTag.group, permissions: 0, id: 0xffffffff },
  { tag: aclTag.mask, permissions: mask, id: 0xffffffff },
  { tag: aclTag.other, permissions: 0, id: 0xffffffff },
]

const mine = { uid: 1000, gid: 1000 }
const start = {
  '': { mode: 0o777 },
  'open/': { mode: 0o777 },
  'open/mine': { ...mine, content: 'text', mode: 0o640 },
  'open/other': { uid: 1001, gid: 1001, content: 'text', mode: 0o640 },
  'sticky/': { mode: 0o1777 },
  'sticky/mine': { ...mine, content: 'm' },
  'sticky/other': { uid: 1001, gid: 1001, content: 'o' },
  'sticky/dir/': { ...mine },
  'shut/': { mode: 0o755 },
  'shut/f': { content: 'f' },
  'blind/': { mode: 0o711 },
  'blind/f': { content: 'f', mode: 0o604 },
  'dark/': { mode: 0o744 },
  'dark/f': { content: 'f' },
} as const

const as = (who: Credentials, spec: Parameters<typeof make>[0] = start): UserUnion => asUser(make(spec), who)
const errno = (act: () => unknown) => {
  try {
    act()
  } catch (error) {
    return codeOf(error) ?? error
  }
  return 'done'
}

describe('what a mode grants', () => {
  const may = (who: Credentials, mode: number, kind: 'file' | 'directory' = 'file') => {
    const user = new User(who)
    const tree = plainTree({ [kind === 'file' ? 'x' : 'x/']: { kind, mode, uid: 1000, gid: 50 } })
    const found = tree.lookup(tree.root, 'x')!
    return [4, 2, 1, 7].filter((wanted) => user.may(tree.stat(found), wanted, () => tree.xattrs(found))).join('')
  }

  test('to the owner, to members of the group, to others: the first of them that one is, and no other', () => {
    expect([0o700, 0o070, 0o007, 0o421].map((mode) => may(alice, mode))).toEqual(['4217', '', '', '4'])
    const member = { uid: 7, gid: 7, groups: [3, 50] }
    expect([0o700, 0o070, 0o007, 0o421].map((mode) => may(member, mode))).toEqual(['', '4217', '', '2'])
    expect(may({ uid: 7, gid: 50 }, 0o070)).toBe('4217')
    expect([0o700, 0o070, 0o007, 0o421].map((mode) => may(bob, mode))).toEqual(['', '', '4217', '1'])
  })

  test('to who may override it: everything but running what nobody may run', () => {
    expect(may(root, 0)).toBe('42')
    expect([0o100, 0o010, 0o001].map((mode) => may(root, mode))).toEqual(['4217', '4217', '4217'])
    expect(may(root, 0, 'directory')).toBe('4217')
    expect(may(having('CAP_DAC_OVERRIDE'), 0)).toBe('42')
    expect(may(having('CAP_DAC_READ_SEARCH'), 0)).toBe('4')
    expect(may(having('CAP_DAC_READ_SEARCH'), 0, 'directory')).toBe('41')
    expect(may(having('CAP_DAC_OVERRIDE'), 0, 'directory')).toBe('4217')
    expect(may({ ...root, capabilities: [] }, 0o770)).toBe('')
  })

  test('and what an access control list grants, where the group has rights at all', () => {
    const user = new User(bob)
    const may = (mode: number, acl: Acl, wanted: number, kind: 'file' | 'symlink' = 'file') => {
      const tree = plainTree({ x: { kind, ...(kind === 'symlink' && { target: 't' }), mode, uid: 5, gid: 6 } })
      const stat = { ...tree.stat(tree.lookup(tree.root, 'x')!), mode }
      return user.may(stat, wanted, () => new Map([[accessAcl, serializeAcl(acl)]]))
    }
    expect(may(0o670, named(1001, 6), 6)).toBe(true)
    expect(may(0o670, named(1001, 4), 6)).toBe(false)
    expect(may(0o670, named(1001, 6, 4), 6)).toBe(false)
    expect(may(0o670, named(7, 6), 4)).toBe(false)
    expect(may(0o607, named(1001, 0), 4)).toBe(true)
    expect(may(0o677, named(1001, 0), 4, 'symlink')).toBe(true)
  })
})

test('credentials say nothing that they need not: the umask, the capabilities of uid 0, the own group', () => {
  const plain = new User({ uid: 5, gid: 6 })
  expect([plain.umask, plain.protectedHardlinks, plain.inGroup(6), plain.inGroup(5)]).toEqual([
    0o022,
    true,
    true,
    false,
  ])
  expect(capabilities.filter((one) => plain.can(one))).toEqual([])
  expect(capabilities.filter((one) => new User(root).can(one))).toEqual([...capabilities])
  const given = new User({ ...root, umask: 0, protectedHardlinks: false, capabilities: ['CAP_CHOWN'] })
  expect([given.umask, given.protectedHardlinks]).toEqual([0, false])
  expect(capabilities.filter((one) => given.can(one))).toEqual(['CAP_CHOWN'])
})

describe('looking', () => {
  test('directories are passed with search, listed with read, and say what they are to anybody', () => {
    const tree = as(alice)
    const [blind, dark, open] = ['blind', 'dark', 'open'].map((name) => ino(tree, name))
    expect(errno(() => tree.lookup(dark!, 'f'))).toBe('EACCES')
    expect(errno(() => tree.search(dark!))).toBe('EACCES')
    expect(errno(() => tree.parent(dark!))).toBe('EACCES')
    expect([...tree.list(dark!)].map(({ name }) => name)).toEqual(['f'])
    expect(errno(() => tree.list(blind!))).toBe('EACCES')
    expect(tree.lookup(blind!, 'f')).toBeDefined()
    expect([tree.parent(open!), errno(() => tree.search(open!))]).toEqual([tree.root, 'done'])
    expect([tree.stat(dark!).mode, tree.kind!(dark!)]).toEqual([0o744, 'directory'])
    const f = ino(tree, 'shut/f')
    for (const act of [() => tree.lookup(f, 'x'), () => [...tree.list(f)]]) expect(errno(act)).toBe('ENOTDIR')
    expect(errno(() => tree.search(f))).toBe('done')
  })

  test('content is opened with read, unless that was granted already', () => {
    const tree = as(alice)
    const other = ino(tree, 'open/other')
    expect(errno(() => tree.open(other))).toBe('EACCES')
    expect(errno(() => tree.open(other, { granted: true }))).toBe('done')
    expect(errno(() => tree.open(ino(tree, 'open/mine')))).toBe('done')
    expect(errno(() => tree.open(ino(tree, 'shut')))).toBe('EISDIR')
  })

  test('access is asked for in bits, and a tree that nobody writes has none to give', () => {
    const tree = as(alice)
    const [mine, other] = [ino(tree, 'open/mine'), ino(tree, 'open/other')]
    expect([4, 2, 6, 1, 7].map((wanted) => errno(() => tree.access(mine, wanted)))).toEqual([
      'done',
      'done',
      'done',
      'EACCES',
      'EACCES',
    ])
    expect(errno(() => tree.access(other, 4))).toBe('EACCES')
    const still = asUser(
      plainTree({ ...start, p: { kind: 'fifo', mode: 0o666 }, l: { kind: 'symlink', target: 'x' } }),
      alice,
    )
    const at = (name: string) => still.lookup(still.root, name)!
    expect(errno(() => still.access(at('open'), 2))).toBe('EROFS')
    expect(errno(() => still.access(at('l'), 2))).toBe('EROFS')
    expect(errno(() => still.access(still.lookup(at('open'), 'mine')!, 6))).toBe('EROFS')
    expect(errno(() => still.access(at('p'), 6))).toBe('done')
    expect(errno(() => still.access(at('open'), 5))).toBe('done')
    expect('create' in still).toBe(false)
  })

  test('of xattrs one sees those of users with read, and trusted ones with a capability', () => {
    const xattrs = { 'user.a': 'x', 'trusted.a': 'x', 'security.a': 'x' }
    const spec = { readable: { xattrs, mode: 0o644 }, shut: { xattrs, mode: 0o600 }, none: {} }
    const names = (who: Credentials, name: string) => {
      const tree = as(who, spec)
      return [...tree.xattrs(ino(tree, name)).keys()].sort()
    }
    expect(names(alice, 'readable')).toEqual(['security.a', 'user.a'])
    expect(names(alice, 'shut')).toEqual(['security.a'])
    expect(names(having('CAP_SYS_ADMIN'), 'shut')).toEqual(['security.a', 'trusted.a'])
    expect(names(having('CAP_SYS_ADMIN'), 'readable')).toEqual(['security.a', 'trusted.a', 'user.a'])
    expect(names(root, 'shut')).toEqual(['security.a', 'trusted.a', 'user.a'])
    expect(names(alice, 'none')).toEqual([])
  })
})

describe('making and removing', () => {
  test('a name is made with write and search, and one that is there is there, whatever the directory allows', () => {
    const tree = as(alice)
    const dir = (name: string) => ino(tree, name)
    expect(errno(() => tree.create(dir('shut'), 'new', file))).toBe('EACCES')
    expect(errno(() => tree.create(dir('shut'), 'f', file))).toBe('EEXIST')
    expect(errno(() => tree.create(dir('dark'), 'f', file))).toBe('EACCES')
    expect(errno(() => tree.create(ino(tree, 'shut/f'), 'x', file))).toBe('ENOTDIR')
    expect(errno(() => tree.create(dir('open'), 'new', file))).toBe('done')
    expect(tree.stat(ino(tree, 'open/new'))).toMatchObject({ uid: 1000, gid: 1000, mode: 0o644 })
    expect(upperPaths(tree)).toEqual(['open', 'open/new'])
    expect(errno(() => tree.unnamed(dir('shut'), file))).toBe('EACCES')
    const { ino: made, content } = tree.unnamed(dir('open'), { ...file, mode: 0o200 })
    expect(tree.stat(made)).toMatchObject({ uid: 1000, mode: 0o200, links: 0 })
    content.write(Buffer.from('abc'), 0)
    const read = Buffer.alloc(3)
    expect([content.read(read, 0), read.toString()]).toEqual([3, 'abc'])
    content.close()
  })

  test('devices need a capability, other kinds none, nor a character device of no number', () => {
    const tree = as(alice)
    const open = ino(tree, 'open')
    const made = (kind: 'block' | 'character' | 'fifo' | 'socket', major: number, minor: number) =>
      errno(() => tree.create(open, `${kind}${major}${minor}`, { ...file, kind, major, minor }))
    expect([made('block', 1, 3), made('character', 1, 0), made('character', 0, 3)]).toEqual(['EPERM', 'EPERM', 'EPERM'])
    expect([made('fifo', 0, 0), made('socket', 0, 0)]).toEqual(['done', 'done'])
    const able = as(having('CAP_MKNOD'))
    expect(errno(() => able.create(ino(able, 'open'), 'b', { ...file, kind: 'block', major: 1, minor: 3 }))).toBe(
      'done',
    )
  })

  test('a name is removed with write and search, and from a sticky directory by who owns it or the directory', () => {
    const tree = as(alice)
    const [shut, sticky] = [ino(tree, 'shut'), ino(tree, 'sticky')]
    expect(errno(() => tree.unlink(shut, 'f'))).toBe('EACCES')
    expect(errno(() => tree.unlink(shut, 'none'))).toBe('ENOENT')
    expect(errno(() => tree.unlink(ino(tree, 'dark'), 'f'))).toBe('EACCES')
    expect(errno(() => tree.unlink(sticky, 'other'))).toBe('EPERM')
    expect(errno(() => tree.unlink(sticky, 'mine'))).toBe('done')
    expect(errno(() => tree.rmdir(sticky, 'dir'))).toBe('done')
    const other = as(bob)
    expect(errno(() => other.rmdir(ino(other, 'sticky'), 'dir'))).toBe('EPERM')
    expect(errno(() => other.rmdir(ino(other, 'dark'), 'f'))).toBe('EACCES')
    const owner = as(alice, { ...start, 'sticky/': { mode: 0o1777, uid: 1000 } })
    expect(errno(() => owner.unlink(ino(owner, 'sticky'), 'other'))).toBe('done')
    const able = as(having('CAP_FOWNER'))
    expect(errno(() => able.unlink(ino(able, 'sticky'), 'mine'))).toBe('done')
    const plain = as(alice)
    expect(errno(() => plain.unlink(ino(plain, 'open'), 'other'))).toBe('done')
  })

  test("what is another's is linked to where it may be read and written anyway, or links are not protected", () => {
    const files = {
      ...start,
      'open/both': { mode: 0o666 },
      'open/read': { mode: 0o644 },
      'open/setuid': { mode: 0o4777 },
      'open/setgid': { mode: 0o2777 },
      'open/locking': { mode: 0o2767 },
      'open/pipe': { kind: 'fifo', mode: 0o666 },
    } as const
    const linked = (name: string, who: Credentials = alice) => {
      const tree = as(who, files)
      return errno(() => tree.link(ino(tree, 'open'), 'new', ino(tree, `open/${name}`)))
    }
    expect(['mine', 'both', 'locking'].map((name) => linked(name))).toEqual(['done', 'done', 'done'])
    expect(['read', 'other', 'setuid', 'setgid', 'pipe'].map((name) => linked(name))).toEqual(Array(5).fill('EPERM'))
    expect(linked('read', { ...alice, protectedHardlinks: false })).toBe('done')
    expect(linked('setuid', having('CAP_FOWNER'))).toBe('done')
    const tree = as(alice, files)
    const mine = ino(tree, 'open/mine')
    expect(errno(() => tree.link(ino(tree, 'shut'), 'new', mine))).toBe('EACCES')
    expect(errno(() => tree.link(ino(tree, 'shut'), 'f', mine))).toBe('EEXIST')
    expect(errno(() => tree.link(ino(tree, 'dark'), 'f', mine))).toBe('EACCES')
  })

  describe('moving', () => {
    const spec = {
      ...start,
      'open/dir/': { ...mine },
      'open/dir/in/': { ...mine },
      'open/theirs/': { uid: 1001 },
      'open/full/': { ...mine },
      'open/full/f': {},
      'to/': { mode: 0o777 },
      'to/other': {},
      'to/dir/': { ...mine },
      'to/theirs/': { uid: 1001 },
    } as const
    const moved = (from: string, to: string, flags = {}, who: Credentials = alice) => {
      const tree = as(who, spec)
      const [fromDir, fromName] = from.split(/\/(?=[^/]*$)/) as [string, string]
      const [toDir, toName] = to.split(/\/(?=[^/]*$)/) as [string, string]
      return errno(() => tree.rename(ino(tree, fromDir), fromName, ino(tree, toDir), toName, flags))
    }

    test('needs write and search of both directories, and minds sticky ones', () => {
      expect(moved('open/mine', 'to/new')).toBe('done')
      expect(moved('open/other', 'to/new')).toBe('done')
      expect(moved('shut/f', 'to/new')).toBe('EACCES')
      expect(moved('open/mine', 'shut/new')).toBe('EACCES')
      expect(moved('dark/f', 'to/new')).toBe('EACCES')
      expect(moved('open/mine', 'dark/new')).toBe('EACCES')
      expect(moved('sticky/other', 'to/new')).toBe('EPERM')
      expect(moved('sticky/mine', 'to/new')).toBe('done')
      expect(moved('open/mine', 'sticky/other')).toBe('EPERM')
      expect(moved('open/mine', 'sticky/new')).toBe('done')
      expect(moved('open/none', 'to/new')).toBe('ENOENT')
      expect(moved('open/mine', 'shut/f')).toBe('EACCES')
    })

    test('a directory that gets another parent has to be writable itself, and both of two that change places', () => {
      expect(moved('open/theirs', 'to/new')).toBe('EACCES')
      expect(moved('open/theirs', 'open/new')).toBe('done')
      expect(moved('open/dir', 'to/new')).toBe('done')
      expect(moved('open/theirs', 'to/new', {}, having('CAP_DAC_OVERRIDE'))).toBe('done')
      expect(moved('open/dir', 'to/theirs', { exchange: true })).toBe('EACCES')
      expect(moved('open/dir', 'to/dir', { exchange: true })).toBe('done')
      expect(moved('open/mine', 'to/theirs', { exchange: true })).toBe('EACCES')
      expect(moved('open/mine', 'to/dir', { exchange: true })).toBe('done')
      expect(moved('open/dir', 'open/theirs', { exchange: true })).toBe('done')
    })

    test('what nobody may do is refused as nobody may do it', () => {
      expect(moved('shut/f', 'to/none', { exchange: true })).toBe('ENOENT')
      expect(moved('shut/f', 'to/other', { noReplace: true })).toBe('EEXIST')
      expect(moved('open/dir', 'open/dir/in/new')).toBe('EINVAL')
      expect(moved('open/mine', 'to/dir')).toBe('EISDIR')
      expect(moved('open/dir', 'to/other')).toBe('ENOTDIR')
      expect(moved('open/dir/in', 'open/dir')).toBe('ENOTEMPTY')
      expect(moved('open/dir', 'open/full')).toBe('ENOTEMPTY')
      expect(moved('open/mine', 'open/mine')).toBe('done')
    })
  })
})

describe('changing attributes', () => {
  const spec = {
    ...start,
    set: { ...mine, mode: 0o6755 },
    setgid: { ...mine, gid: 77, mode: 0o2755 },
    'd/': { ...mine, mode: 0o2755 },
    l: { kind: 'symlink', target: 'x', ...mine },
  } as const
  const change = (who: Credentials, name: string, what: object) => {
    const tree = as(who, spec)
    const found = ino(tree, name)
    const answer = errno(() => tree.setAttributes(found, what))
    const { mode, uid, gid } = tree.stat(found)
    return answer === 'done' ? `${mode.toString(8)} ${uid} ${gid}` : answer
  }

  test("modes and times are the owner's", () => {
    expect(change(alice, 'open/mine', { mode: 0o600 })).toBe('600 1000 1000')
    expect(change(alice, 'open/other', { mode: 0o600 })).toBe('EPERM')
    expect(change(having('CAP_FOWNER'), 'open/mine', { mode: 0o600 })).toBe('600 1000 1000')
    for (const what of [{ mtime: 1n }, { atime: 1n }]) {
      expect(change(bob, 'open/mine', what)).toBe('EPERM')
      expect(change(alice, 'open/mine', what)).toBe('640 1000 1000')
    }
  })

  test('owners are given away with a capability alone, groups to those that one is in', () => {
    expect(change(alice, 'open/mine', { uid: 1001 })).toBe('EPERM')
    expect(change(alice, 'open/mine', { uid: 1000 })).toBe('640 1000 1000')
    expect(change(alice, 'open/other', { uid: 1001 })).toBe('EPERM')
    expect(change(alice, 'open/mine', { gid: 50 })).toBe('640 1000 50')
    expect(change(alice, 'open/mine', { gid: 51 })).toBe('EPERM')
    expect(change(alice, 'setgid', { gid: 77 })).toMatch(/ 1000 77$/)
    expect(change(alice, 'open/other', { gid: 50 })).toBe('EPERM')
    expect(change(having('CAP_CHOWN'), 'open/mine', { uid: 5, gid: 6 })).toBe('640 5 6')
    expect(change(having('CAP_CHOWN', 'CAP_FOWNER'), 'set', { uid: 5, gid: 6 })).toBe('755 5 6')
    expect(change(having('CAP_CHOWN'), 'set', { uid: 5 })).toBe('EPERM')
  })

  test('set-id bits go with an owner, and a set-group-id bit is had for groups that one is in', () => {
    expect(change(alice, 'set', { gid: 50 })).toBe('755 1000 50')
    expect(change(alice, 'd', { gid: 50 })).toBe('2755 1000 50')
    expect(change(alice, 'setgid', { mode: 0o2700 })).toBe('700 1000 77')
    expect(change(alice, 'set', { mode: 0o2700 })).toBe('2700 1000 1000')
    expect(change(root, 'setgid', { mode: 0o2700 })).toBe('2700 1000 77')
    expect(change(but('CAP_FSETID'), 'setgid', { mode: 0o2700 })).toBe('700 1000 77')
  })

  test('writing takes set-id bits from who could not set them, before the first byte that changes', () => {
    const written = (who: Credentials, name: string, act: (tree: UserUnion, found: number) => void) => {
      const tree = as(who, { ...spec, set: { ...mine, mode: 0o6777 }, locking: { ...mine, gid: 77, mode: 0o2767 } })
      const found = ino(tree, name)
      act(tree, found)
      return tree.stat(found).mode.toString(8)
    }
    const write = (text: string) => (tree: UserUnion, found: number) => {
      const writer = tree.writer(found)
      writer.write(Buffer.from(text), 0)
      writer.close()
    }
    expect(written(bob, 'set', write('x'))).toBe('777')
    expect(written(bob, 'set', write(''))).toBe('6777')
    expect(written(root, 'set', write('x'))).toBe('6777')
    expect(written(bob, 'locking', write('x'))).toBe('767')
    expect(written({ uid: 1001, gid: 77 }, 'locking', write('x'))).toBe('2767')
    expect(written(bob, 'set', (tree, found) => tree.writer(found).close())).toBe('6777')
    expect(written(bob, 'set', (tree, found) => tree.writer(found, { truncate: true }).close())).toBe('777')
    expect(written(bob, 'set', (tree, found) => tree.writer(found).truncate(0))).toBe('777')
    expect(written(bob, 'set', (tree, found) => tree.writer(found).allocate('zero', 0, 1))).toBe('777')
  })

  test('content is written with write, and read back with read', () => {
    const spec = { w: { mode: 0o622, content: 'abc' }, rw: { mode: 0o666, content: 'abc' }, r: { mode: 0o644 } }
    const tree = as(alice, spec)
    expect(errno(() => tree.writer(ino(tree, 'r')))).toBe('EACCES')
    expect(errno(() => tree.writer(ino(tree, 'r'), { granted: true }))).toBe('done')
    expect(errno(() => tree.writer(tree.root))).toBe('EISDIR')
    const into = Buffer.alloc(3)
    const [blind, seeing, granted] = [
      tree.writer(ino(tree, 'w')),
      tree.writer(ino(tree, 'rw')),
      tree.writer(ino(tree, 'w'), { granted: true }),
    ]
    expect(errno(() => blind.read(into, 0))).toBe('EBADF')
    expect([seeing.read(into, 0), granted.read(into, 0), blind.size]).toEqual([3, 3, 3])
    expect(blind.write(Buffer.from('XYZ'), 1)).toBe(3)
    expect([blind.size, granted.read(into, 1), into.toString()]).toEqual([4, 3, 'XYZ'])
    expect(blind.nextData?.(0)).toEqual(seeing.nextData === undefined ? undefined : granted.nextData?.(0))
    expect(blind.extent).toBeUndefined()
    blind.truncate(2)
    expect(granted.size).toBe(2)
    blind.sync()
    for (const writer of [blind, seeing, granted]) writer.close()
    expect(errno(() => granted.write(Buffer.from('x'), 0))).toBe('EBADF')
  })
})

describe('changing xattrs', () => {
  const spec = {
    ...start,
    'open/rw': { mode: 0o666 },
    'open/p': { kind: 'fifo', mode: 0o666 },
    'open/l': { kind: 'symlink', target: 'x', ...mine },
    'sticky/all/': { mode: 0o1777 },
    'open/own/': { ...mine, mode: 0o1755 },
  } as const
  const set = (who: Credentials, path: string, name: string, value: Uint8Array | undefined = Buffer.from('x')) => {
    const tree = as(who, spec)
    return errno(() => tree.setXattr(ino(tree, path), name, value))
  }

  test('those of users go with write, on files and directories, in sticky directories by their owner', () => {
    expect(set(alice, 'open/rw', 'user.a')).toBe('done')
    expect(set(alice, 'open/other', 'user.a')).toBe('EACCES')
    expect(set(alice, 'open', 'user.a')).toBe('done')
    expect(set(alice, 'open/p', 'user.a')).toBe('EPERM')
    expect(set(alice, 'open/l', 'user.a')).toBe('EPERM')
    expect(set(alice, 'sticky/all', 'user.a')).toBe('EPERM')
    expect(set(alice, 'open/own', 'user.a')).toBe('done')
    expect(set(having('CAP_FOWNER'), 'sticky/all', 'user.a')).toBe('done')
  })

  test('those of the system go by capabilities', () => {
    for (const name of ['security.a', 'trusted.a', 'security.capability'])
      expect(set(alice, 'open/mine', name)).toBe('EPERM')
    expect(set(having('CAP_SYS_ADMIN'), 'open/mine', 'security.a')).toBe('done')
    expect(set(having('CAP_SYS_ADMIN'), 'open/mine', 'trusted.a')).toBe('done')
    expect(set(having('CAP_SYS_ADMIN'), 'open/mine', 'security.capability')).toBe('EPERM')
    expect(set(having('CAP_SETFCAP'), 'open/mine', 'security.capability')).toBe('done')
    expect(set(having('CAP_SETFCAP'), 'open/mine', 'security.a')).toBe('EPERM')
    const tree = as(alice, spec)
    const refused = (value: Uint8Array | undefined) => {
      try {
        tree.setXattr(ino(tree, 'open/mine'), 'trusted.a', value)
      } catch (error) {
        return (error as { details: { syscall: string } }).details.syscall
      }
      return 'done'
    }
    expect([refused(Buffer.from('x')), refused(undefined)]).toEqual(['setxattr', 'removexattr'])
  })

  test("access control lists are the owner's, and take a set-group-id bit that is not to be had", () => {
    const acl = serializeAcl(named(7, 4))
    expect(set(alice, 'open/mine', accessAcl, acl)).toBe('done')
    expect(set(bob, 'open/mine', accessAcl, acl)).toBe('EPERM')
    expect(set(having('CAP_FOWNER'), 'open/mine', accessAcl, acl)).toBe('done')
    expect(set(bob, 'open/mine', accessAcl, Buffer.from('no list'))).toMatch(/EINVAL|EOPNOTSUPP/)
    expect(set(bob, 'open/own', defaultAcl, acl)).toBe('EPERM')
    expect(set(alice, 'open/own', defaultAcl, acl)).toBe('done')
    expect(set(bob, 'open/l', accessAcl, acl)).toBe('EOPNOTSUPP')
    const kept = (gid: number, name: string) => {
      const tree = as(alice, { 'x/': { uid: 1000, gid, mode: 0o2770 } })
      tree.setXattr(ino(tree, 'x'), name, acl)
      return (tree.stat(ino(tree, 'x')).mode & 0o2000) !== 0
    }
    expect([kept(50, accessAcl), kept(51, accessAcl), kept(51, defaultAcl)]).toEqual([true, false, true])
  })
})

describe('what a directory hands on', () => {
  const maker = { uid: 1, gid: 2, umask: 0o027 }
  const from = (mode: number, xattrs: ReadonlyMap<string, Uint8Array> = new Map()) => ({
    stat: { mode, gid: 9 },
    xattrs,
  })

  test('the mode less the umask, owner and group of who makes it', () => {
    expect(inherited(from(0o755), 'file', 0o6777, maker)).toEqual({ mode: 0o6750, uid: 1, gid: 2 })
    expect(inherited(from(0o755), 'directory', 0o7777, maker)).toEqual({ mode: 0o1750, uid: 1, gid: 2 })
    expect(inherited(from(0o755), 'symlink', 0o600, maker)).toEqual({ mode: 0o777, uid: 1, gid: 2 })
  })

  test('a set-group-id directory its group, and to directories its bit', () => {
    expect(inherited(from(0o2755), 'file', 0o666, maker)).toEqual({ mode: 0o640, uid: 1, gid: 9 })
    expect(inherited(from(0o2755), 'directory', 0o777, maker)).toEqual({ mode: 0o2750, uid: 1, gid: 9 })
    expect(inherited(from(0o2755), 'symlink', 0, maker)).toEqual({ mode: 0o777, uid: 1, gid: 9 })
  })

  test('a set-group-id program of that group is had by members alone', () => {
    const made = (mode: number, member: boolean | undefined, directory = 0o2755) =>
      inherited(from(directory), 'file', mode, {
        ...maker,
        umask: 0,
        ...(member !== undefined && { mayHaveSetGroup: (gid: number) => gid === 9 && member }),
      }).mode
    expect([made(0o2770, false), made(0o2770, true), made(0o2770, undefined)]).toEqual([0o770, 0o2770, 0o2770])
    expect([made(0o2760, false), made(0o2770, false, 0o755)]).toEqual([0o2760, 0o2770])
  })

  test('a default list, as the mode narrows it, in place of the umask', () => {
    const value = serializeAcl(named(7, 6))
    const heritage = from(0o2755, new Map([[defaultAcl, value]]))
    const made = inherited(heritage, 'file', 0o640, maker)
    expect(made).toMatchObject({ uid: 1, gid: 9 })
    expect([...made.xattrs!.keys()]).toEqual([accessAcl])
    const access = parseAcl(made.xattrs!.get(accessAcl)!)!
    expect(access.map(({ permissions }) => permissions)).toEqual([6, 6, 0, 4, 0])
    expect(made.mode).toBe(0o640)
    const inner = inherited(heritage, 'directory', 0o777, maker)
    expect([...inner.xattrs!.keys()]).toEqual([accessAcl, defaultAcl])
    expect(inner.xattrs!.get(defaultAcl)).toEqual(value)
    expect(inner.mode & 0o2000).toBe(0o2000)
    const tree = as(alice, { 'd/': { mode: 0o777, xattrs: { [defaultAcl]: value } } })
    const given = new Map([
      [accessAcl, serializeAcl(named(8, 7))],
      ['user.own', Buffer.from('x')],
    ])
    tree.create(ino(tree, 'd'), 'f', { ...file, mode: 0o666, xattrs: given })
    const xattrs = tree.xattrs(ino(tree, 'd/f'))
    expect([...xattrs.keys()].sort()).toEqual([accessAcl, 'user.own'])
    expect(parseAcl(xattrs.get(accessAcl)!)![1]).toMatchObject({ id: 7 })
  })
})

test('what a user has of a union is the union: its sides, its locks, its room, and closing it', () => {
  const merged = make(start)
  const tree = asUser(merged, alice)
  expect([tree.lower, tree.upper, tree.locks]).toEqual([merged.lower, merged.upper, merged.locks])
  expect(tree.room()).toEqual(merged.room())
  const mine = ino(tree, 'open/mine')
  expect(tree.untouched(mine)).toBe(merged.untouched(mine))
  const release = tree.hold(mine)
  tree.unlink(ino(tree, 'open'), 'mine')
  expect(tree.stat(mine).links).toBe(0)
  release()
  expect(errno(() => tree.stat(mine))).toBe('ENOENT')
  expect(errno(() => tree.sync())).toBe('done')
  expect(errno(() => tree.create(tree.root, 'd', directory))).toBe('done')
  expect(tree.user).toMatchObject({ uid: 1000, gid: 1000, umask: 0o022 })
})
