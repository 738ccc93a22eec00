import nodeFs, { mkdtempSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { fsOf } from '../../src/fs/index.ts'
import { byteString, encodeText } from '../../src/model/bytes.ts'
import { codeOf, PlyError } from '../../src/model/errors.ts'
import { makeNode } from '../../src/sys/nodes.ts'
import { renameExchange, renameNoReplace } from '../../src/sys/rename.ts'
import { getXattr, listXattrs, removeXattr, setXattr } from '../../src/sys/xattr.ts'
import { type Acl, aclTag, serializeAcl } from '../../src/union/acl.ts'
import { inherited } from '../../src/union/inheritance.ts'
import { memoryUpper } from '../../src/union/memory-upper.ts'
import { asUser } from '../../src/union/permissions.ts'
import { resolveName, resolvePath } from '../../src/union/resolve.ts'
import type { WritableUnion } from '../../src/union/union.ts'
import { union } from '../../src/union/union-tree.ts'
import { type Capability, type Credentials, capabilities } from '../../src/union/user.ts'
import { type AnyFs, answer, type Operation, type Side, sideOf, snapshot } from '../fs/operations.ts'
import { root, testIf } from '../support/ability.ts'
import { as } from '../support/becoming.ts'

const seed = Number(process.env.PLYFS_SEED ?? Date.now() % 2 ** 31)
const numRuns = Number(process.env.PLYFS_RUNS ?? 300)
const tmpfs = 0x01021994

const home = [process.env.PLYFS_TMPFS ?? '/dev/shm', tmpdir()].find((path) => {
  try {
    return statfsSync(path).type === tmpfs
  } catch {
    return false
  }
})
const base = root && home !== undefined ? mkdtempSync(join(home, 'plyfs-')) : undefined
if (base !== undefined) nodeFs.chmodSync(base, 0o755)
afterAll(() => base !== undefined && rmSync(base, { recursive: true, force: true }))

const protectedHardlinks = root && nodeFs.readFileSync('/proc/sys/fs/protected_hardlinks', 'utf8').trim() === '1'

/** What `node:fs` has no call for. */
type Extra =
  | { readonly do: 'access'; readonly path: string; readonly mode: number }
  | { readonly do: 'setXattr'; readonly path: string; readonly name: string; readonly value: Uint8Array }
  | { readonly do: 'removeXattr'; readonly path: string; readonly name: string }
  | { readonly do: 'xattrs'; readonly path: string }
  | {
      readonly do: 'mknod'
      readonly path: string
      readonly kind: 'fifo' | 'socket' | 'character' | 'block' | 'file'
      readonly mode: number
    }
  | { readonly do: 'renameNoReplace' | 'renameExchange'; readonly path: string; readonly to: string }
  | { readonly do: 'create'; readonly path: string; readonly mode: number; readonly flags: number }

type Act = Operation | Extra

/** One of the two file systems, through which somebody acts. */
interface Actor extends Side {
  extra(act: Extra): unknown
}

function kernelActor(path: string): Actor {
  const at = (name: string) => encodeText(path + name)
  return {
    ...sideOf(nodeFs, path),
    extra(act) {
      switch (act.do) {
        case 'access':
          return nodeFs.accessSync(path + act.path, act.mode)
        case 'setXattr':
          return setXattr(at(act.path), act.name, act.value)
        case 'removeXattr':
          return removeXattr(at(act.path), act.name)
        case 'xattrs':
          return readable(listXattrs(at(act.path)), (name) => getXattr(at(act.path), name))
        case 'mknod':
          return makeNode(at(act.path), { ...act, ...(isDevice(act.kind) && { major: 1, minor: 3 }) })
        case 'renameNoReplace':
          return renameNoReplace(at(act.path), at(act.to))
        case 'renameExchange':
          return renameExchange(at(act.path), at(act.to))
        default:
          return nodeFs.closeSync(nodeFs.openSync(path + act.path, act.flags, act.mode))
      }
    },
  }
}

function ourActor(merged: WritableUnion, credentials?: Credentials): Actor {
  const tree = credentials === undefined ? merged : asUser(merged, credentials)
  const fs = fsOf(tree, { umask: 0 })
  const find = (path: string, follow = false) => {
    const { ino } = resolvePath(tree, encodeText(path), { follow })
    if (ino === undefined) throw new PlyError('ENOENT')
    return ino
  }
  return {
    ...sideOf(fs as AnyFs, ''),
    extra(act) {
      switch (act.do) {
        case 'access':
          return fs.accessSync(act.path, act.mode)
        case 'setXattr':
          return tree.setXattr(find(act.path), act.name, act.value)
        case 'removeXattr':
          return tree.setXattr(find(act.path), act.name, undefined)
        case 'xattrs': {
          const all = tree.xattrs(find(act.path))
          return readable([...all.keys()], (name) => all.get(name))
        }
        case 'mknod': {
          const { directory, name, ino, trailingSlash, last } = resolveName(tree, encodeText(act.path))
          if (last !== 'name' || ino !== undefined) throw new PlyError('EEXIST')
          if (trailingSlash) throw new PlyError('ENOENT')
          const { kind, mode } = act
          const device = isDevice(kind) ? { major: 1, minor: 3 } : {}
          tree.create(directory, name, { kind, mode, uid: 0, gid: 0, mtime: 0n, ...device })
          return undefined
        }
        case 'renameNoReplace':
        case 'renameExchange': {
          const from = resolveName(tree, encodeText(act.path))
          const to = resolveName(tree, encodeText(act.to))
          const exchange = act.do === 'renameExchange'
          if (from.last !== 'name') throw new PlyError('EBUSY')
          if (to.last !== 'name') throw new PlyError(exchange ? 'EBUSY' : 'EEXIST')
          if (from.ino === undefined || (exchange && to.ino === undefined)) throw new PlyError('ENOENT')
          if (!exchange && to.ino !== undefined) throw new PlyError('EEXIST')
          const isFile = (ino: number | undefined) => ino !== undefined && tree.stat(ino).kind !== 'directory'
          if (exchange && isFile(to.ino) && to.trailingSlash) throw new PlyError('ENOTDIR')
          if (isFile(from.ino) && (from.trailingSlash || (!exchange && to.trailingSlash))) throw new PlyError('ENOTDIR')
          return tree.rename(from.directory, from.name, to.directory, to.name, { exchange, noReplace: !exchange })
        }
        default:
          return fs.closeSync(fs.openSync(act.path, act.flags, act.mode))
      }
    },
  }
}

const isDevice = (kind: string) => kind === 'character' || kind === 'block'

/** Of names, those whose values may be had, with the values. */
function readable(names: readonly string[], get: (name: string) => Uint8Array | undefined): unknown {
  return [...names].sort().flatMap((name) => {
    try {
      const value = get(name)
      return value === undefined ? [] : [[name, byteString(value)]]
    } catch (error) {
      if (codeOf(error) === 'EACCES') return []
      throw error
    }
  })
}

/** The answer, with one name for what has two. */
function done(actor: Actor, act: Act): unknown {
  if (!isExtra(act)) return answer(actor, act)
  try {
    return { value: actor.extra(act) ?? null }
  } catch (error) {
    const code = codeOf(error)
    if (code === undefined) throw error
    return { code: code === 'EOPNOTSUPP' ? 'ENOTSUP' : code }
  }
}

const extras: ReadonlySet<string> = new Set<Extra['do']>([
  'access',
  'setXattr',
  'removeXattr',
  'xattrs',
  'mknod',
  'renameNoReplace',
  'renameExchange',
  'create',
])
const isExtra = (act: Act): act is Extra => extras.has(act.do)

const users = [0, 1000, 1001, 1002]
const groups = [0, 1000, 1001, 2000]

const permissions = fc.nat(7)
const acl: fc.Arbitrary<Acl> = fc
  .record({
    owner: permissions,
    users: fc.uniqueArray(fc.record({ id: fc.constantFrom(...users), permissions }), {
      maxLength: 2,
      selector: (e) => e.id,
    }),
    group: permissions,
    groups: fc.uniqueArray(fc.record({ id: fc.constantFrom(...groups), permissions }), {
      maxLength: 2,
      selector: (e) => e.id,
    }),
    mask: fc.option(permissions),
    other: permissions,
  })
  .map(({ owner, users, group, groups, mask, other }) => [
    { tag: aclTag.owner, permissions: owner, id: -1 },
    ...users.map((entry) => ({ tag: aclTag.user, ...entry })),
    { tag: aclTag.group, permissions: group, id: -1 },
    ...groups.map((entry) => ({ tag: aclTag.namedGroup, ...entry })),
    ...(mask !== null || users.length + groups.length > 0
      ? [{ tag: aclTag.mask, permissions: mask ?? 7, id: -1 }]
      : []),
    { tag: aclTag.other, permissions: other, id: -1 },
  ])
const aclValue = fc.oneof(
  { weight: 9, arbitrary: acl.map(serializeAcl) },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom(...['', '\x02\0\0\0', '\x01\0\0\0', '\x02\0\0\0\x01\0\x07\0\xff\xff\xff\xff', '\x02'])
      .map((text) => Buffer.from(text, 'latin1')),
  },
)

/** Few names, so that they meet. What must not be opened, since somebody would wait behind it, is named `n`. */
const places = [
  '/d',
  '/d/e',
  '/d/f',
  '/d/e/g',
  '/s',
  '/s/h',
  '/s/i',
  '/s/t',
  '/f',
  '/l',
  '/s/l',
  '/d/new',
  '/s/new',
  '/d/e/new',
]
const path = fc
  .tuple(fc.constantFrom(...places), fc.constantFrom('', '', '', '', '', '', '/', '/.', '/..', '/x'))
  .map((parts) => parts.join(''))
const node = fc.constantFrom('/d/n', '/s/n')
const anyPath = fc.oneof({ weight: 5, arbitrary: path }, { weight: 1, arbitrary: node })
const mode = fc.oneof(
  fc.constantFrom(0o644, 0o755, 0o700, 0o777, 0o1777, 0o2775, 0o6755, 0o4711, 0o2644, 0),
  fc.nat(0o7777),
)
const slot = fc.nat(2)

const actions: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom('stat', 'lstat', 'readlink', 'unlink', 'rmdir', 'exists'),
      path: anyPath,
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('readFile', 'readdir', 'realpath'), path }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom('writeFile', 'appendFile'), path, text: fc.constantFrom('', 'text') }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('mkdir'), path, recursive: fc.constant(false) }) },
  {
    weight: 4,
    arbitrary: fc
      .tuple(
        fc.constantFrom('rename', 'link', 'renameNoReplace', 'renameExchange'),
        fc.oneof({ weight: 5, arbitrary: fc.tuple(path, path) }, { weight: 1, arbitrary: fc.tuple(node, node) }),
      )
      .map(([verb, [from, to]]) => ({ do: verb, path: from, to })),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('copyFile'), path, to: path }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('symlink'), target: fc.constantFrom('f', 'e', 'd/e'), path }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('truncate'), path, size: fc.constantFrom(0, 3) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('chmod'), path: anyPath, mode }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('chown', 'lchown'),
      path: anyPath,
      uid: fc.constantFrom(-1, -1, ...users),
      gid: fc.constantFrom(-1, ...groups),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('utimes', 'lutimes'), path: anyPath, time: fc.nat(99) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('access'), path: anyPath, mode: fc.nat(7) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('open'),
      path,
      flags: fc.constantFrom('r', 'r+', 'w', 'wx', 'a', 'w+', 'a+'),
      slot,
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('read', 'fstat', 'close'), slot }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('write'),
      slot,
      text: fc.constantFrom('', 'text'),
      at: fc.constantFrom(null, 0),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('ftruncate'), slot, size: fc.constantFrom(0, 9) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('setXattr'),
      path: anyPath,
      name: fc.constantFrom('system.posix_acl_access', 'system.posix_acl_default'),
      value: aclValue,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('setXattr'),
      path: anyPath,
      name: fc.constantFrom('user.a', 'trusted.a', 'security.a'),
      value: fc.constant(Buffer.from('value')),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('removeXattr'),
      path: anyPath,
      name: fc.constantFrom(
        'user.a',
        'trusted.a',
        'security.a',
        'security.capability',
        'system.posix_acl_access',
        'system.posix_acl_default',
      ),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('xattrs'), path: anyPath }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('mknod'),
      path: node,
      kind: fc.constantFrom('fifo', 'socket', 'character', 'block', 'file'),
      mode,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('create'),
      path,
      mode,
      flags: fc.constantFrom(0o100, 0o101, 0o102, 0o301, 0o1101, 0o1000, 0o200000, 0o20200002, 0o20200001),
    }),
  },
) as fc.Arbitrary<Act>

const who: fc.Arbitrary<Credentials> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom<Credentials[]>(
      { uid: 1000, gid: 1000, groups: [2000] },
      { uid: 1001, gid: 1001, groups: [1000], umask: 0o077 },
      { uid: 1002, gid: 2000, umask: 0 },
    ),
  },
  { weight: 1, arbitrary: fc.constant<Credentials>({ uid: 0, gid: 0 }) },
  {
    weight: 1,
    arbitrary: fc.record({
      uid: fc.constantFrom(0, 1000),
      gid: fc.constant(1001),
      capabilities: fc.subarray<Capability>([...capabilities]),
    }),
  },
)

/** What there is at first, and how it is described. */
const attributes = fc.record({
  mode,
  uid: fc.constantFrom(...users),
  gid: fc.constantFrom(...groups),
  acl: fc.option(acl, { freq: 5 }),
  inherited: fc.option(acl, { freq: 5 }),
  xattr: fc.boolean(),
})
const first = ['/d', '/d/e', '/s', '/s/t', '/d/f', '/d/e/g', '/s/h', '/s/i', '/f', '/d/n'] as const
const start = fc.record(
  Object.fromEntries(first.map((name) => [name, attributes])) as Record<(typeof first)[number], typeof attributes>,
)

function build(
  actor: Actor,
  spec: Readonly<
    Record<
      string,
      {
        readonly mode: number
        readonly uid: number
        readonly gid: number
        readonly acl: Acl | null
        readonly inherited: Acl | null
        readonly xattr: boolean
      }
    >
  >,
): void {
  const { fs, root: prefix } = actor
  fs.chmodSync(prefix || '/', 0o755)
  for (const name of first) {
    const isDirectory = ['/d', '/d/e', '/s', '/s/t'].includes(name)
    if (isDirectory) fs.mkdirSync(prefix + name)
    else if (name === '/d/n') actor.extra({ do: 'mknod', path: name, kind: 'fifo', mode: 0o644 })
    else fs.writeFileSync(prefix + name, 'content')
  }
  fs.symlinkSync('d/f', `${prefix}/l`)
  fs.symlinkSync('t', `${prefix}/s/l`)
  for (const name of first) {
    const { mode, uid, gid, acl, inherited, xattr } = spec[name]!
    const isDirectory = ['/d', '/d/e', '/s', '/s/t'].includes(name)
    fs.chownSync(prefix + name, uid, gid)
    fs.chmodSync(prefix + name, name === '/s' ? mode | 0o1000 : mode)
    if (acl) actor.extra({ do: 'setXattr', path: name, name: 'system.posix_acl_access', value: serializeAcl(acl) })
    if (inherited && isDirectory)
      actor.extra({ do: 'setXattr', path: name, name: 'system.posix_acl_default', value: serializeAcl(inherited) })
    if (!xattr || name === '/d/n') continue
    for (const kind of ['user', 'trusted', 'security'])
      actor.extra({ do: 'setXattr', path: name, name: `${kind}.a`, value: Buffer.from('first') })
  }
}

const why = !root ? 'needs root' : `no tmpfs at ${process.env.PLYFS_TMPFS ?? '/dev/shm'}`

testIf(base !== undefined, why)(
  `whoever does whatever to whatever is told what Linux tells them, and leaves what Linux leaves (seed ${seed})`,
  () => {
    let made = 0
    fc.assert(
      fc.property(
        start,
        fc.array(fc.tuple(who, actions), { minLength: 1, maxLength: 40, size: 'max' }),
        (spec, steps) => {
          const path = join(base!, `${made++}`)
          nodeFs.mkdirSync(path)
          const kernel = kernelActor(path)
          const merged = union([], memoryUpper())
          const everything = ourActor(merged)
          const faces = new Map<string, { readonly ours: Actor; readonly theirs: Actor }>()
          const before = process.umask(0)
          build(kernel, spec)
          build(everything, spec)
          process.umask(before)
          try {
            expect(seen(everything), 'at first').toEqual(seen(kernel))
            for (const [given, act] of steps) {
              const user = { protectedHardlinks, ...given }
              // The C library goes back by cutting names off, without asking the kernel whether it may.
              if (act.do === 'realpath' && act.path.endsWith('.')) continue
              // `access` asks for the real user's capabilities, which no test can have both ways.
              if ((act.do === 'access' || act.do === 'exists') && user.capabilities !== undefined) continue
              const key = JSON.stringify(user)
              if (!faces.has(key)) faces.set(key, { ours: ourActor(merged, user), theirs: kernelActor(path) })
              const { ours, theirs } = faces.get(key)!
              const expected = as(user, () => done(theirs, act))
              expect(done(ours, act), `${key} ${JSON.stringify(act)}`).toEqual(expected)
            }
            expect(seen(everything), 'in the end').toEqual(seen(kernel))
          } finally {
            for (const { theirs } of faces.values())
              for (const fd of theirs.open) if (fd !== undefined) nodeFs.closeSync(fd)
            rmSync(path, { recursive: true, force: true })
          }
        },
      ),
      { seed, numRuns, ...(process.env.PLYFS_PATH && { path: process.env.PLYFS_PATH }) },
    )
  },
)

/** Everything that can be seen, with what is said by xattrs. */
function seen(actor: Actor): unknown {
  const entries = snapshot(actor)
  return Object.entries(entries).map(([path, facts]) => [path, facts, actor.extra({ do: 'xattrs', path: path || '/' })])
}

test('a directory hands on its group, its default ACL, or what the umask leaves', () => {
  const parent = { kind: 'directory', ino: 1, size: 0, links: 2, major: 0, minor: 0, uid: 0, mtime: 0n } as const
  const plain = { stat: { ...parent, mode: 0o755, gid: 7 }, xattrs: new Map() }
  const maker = { uid: 5, gid: 6, umask: 0o027 }
  expect(inherited(plain, 'file', 0o4666, maker)).toEqual({ mode: 0o4640, uid: 5, gid: 6 })
  const handing = { ...plain, stat: { ...plain.stat, mode: 0o2755 } }
  expect(inherited(handing, 'directory', 0o6777, maker)).toEqual({ mode: 0o2750, uid: 5, gid: 7 })
  expect(inherited(handing, 'file', 0o2770, { ...maker, mayHaveSetGroup: () => false })).toMatchObject({ mode: 0o750 })
  expect(inherited(handing, 'symlink', 0, maker)).toEqual({ mode: 0o777, uid: 5, gid: 7 })
})
