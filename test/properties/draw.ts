import type { Edit } from './edits.ts'
import { at, type Inode, inode, join, type Named, namesIn, nothing, split } from './inode.ts'
import type { Dice } from './seed.ts'

/** What a file system takes. */
export interface Able {
  /** Any owner, and modes that only root can live with. */
  readonly owners: boolean
  readonly devices: boolean
  /** What a model has and hardly a disk: devices 0:0, times that are far away, sockets, attributes of tools. */
  readonly anything: boolean
  /** Whether an attribute of this name can be set. */
  xattr(name: string): boolean
}

export const ableModel: Able = { owners: true, devices: true, anything: true, xattr: () => true }
export const ableUnion: Able = { ...ableModel, anything: false }

const long = 'n'.repeat(255)
const names = [
  ...['a', 'b', 'c', 'a', 'b', 'c', 'd', 'e', 'a.b', 'a-', 'z', 'A', 'wh.a', '.wh', '.x'],
  ...['\xff\xfe', '\xc3\xa9', 'e\xcc\x81', ' ', 'x y', 'new\nline', '\x01\x7f', '\\', '~', '*', '-r', "it's"],
  ...[long, `${'n'.repeat(254)}\xff`, 'm'.repeat(99), 'm'.repeat(100), 'm'.repeat(101)],
  ...['o'.repeat(154), 'o'.repeat(155), 'o'.repeat(156)],
]
const oftenNames = names.slice(0, 9)

const second = 1_000_000_000n
const times = [
  ...[
    0n,
    1n,
    -1n,
    second,
    1_700_000_000n * second,
    1_700_000_000n * second + 5n,
    1_700_000_000n * second + 999_999_999n,
  ],
  ...[-second, -second - 1n, -second / 2n, -86_400n * second + 123_000_000n, 2n ** 31n * second, -(2n ** 31n) * second],
]
const strangeTimes = [2n ** 33n * second - 1n, 2n ** 33n * second, -(2n ** 40n) * second + 7n, 2n ** 60n * second]
const owners = [0, 0, 1, 1000, 65534, 2097151, 2097152, 4294967294]
const modes = [0o644, 0o755, 0o600, 0, 0o777, 0o4755, 0o2711, 0o1777, 0o6755, 0o7777]
const targets = ['a', '../b', '/', '/a/b', '.', 't'.repeat(100), 't'.repeat(101), '\xff/\n', `${long}/${long}`]
const numbers = [
  [1, 3],
  [5, 0],
  [0, 1],
  [8, 255],
  [8, 256],
  [4095, 1048575],
] as const

const capability = (revision: number, size: number) => Buffer.from([1, 0, 0, revision, ...Array(size - 4).fill(0x20)])
const userXattrs = ['user.a', 'user.b', 'user.a', 'user.\xff', `user.${'x'.repeat(200)}`, 'user.overlay.opaque']
const ruledXattrs = ['trusted.a', 'security.capability', 'security.other', 'trusted.overlay.redirect']
const foreignXattrs = ['security.selinux', 'user.containers.override_stat', 'user.rootlesscontainers']

const noise = Buffer.alloc(1 << 17)
for (let i = 0, state = 7; i < noise.length; i++) {
  state = (Math.imul(state, 1664525) + 1013904223) | 0
  noise[i] = state >>> 24
}
const sizes = [0, 0, 1, 3, 3, 10, 10, 511, 512, 513, 1500]

function someContent(dice: Dice): Buffer {
  const size = dice.once(150) ? 1 + dice.below(100_000) : dice.pick(sizes)
  const from = dice.below(4) * 1000
  return noise.subarray(from, from + size)
}

function someName(dice: Dice): string {
  return dice.pick(dice.once(3) ? names : oftenNames)
}

function someMode(dice: Dice, able: Able): number {
  const mode = dice.pick(modes)
  return able.owners ? mode : (mode & 0o777) | 0o700
}

function someTime(dice: Dice, able: Able): bigint {
  return dice.pick(able.anything && dice.once(10) ? strangeTimes : times)
}

function someXattr(dice: Dice, kind: Inode['kind'], able: Able): readonly [name: string, value: Buffer] | undefined {
  const userAllowed = kind === 'file' || kind === 'directory'
  const from = [
    ...(userAllowed || able.anything ? userXattrs : []),
    ...ruledXattrs,
    ...(able.anything ? foreignXattrs : []),
  ].filter((name) => able.xattr(name))
  if (from.length === 0) return undefined
  const name = dice.pick(from)
  if (name === 'security.capability') {
    if (kind !== 'file') return undefined
    return [name, able.anything && dice.once(2) ? capability(3, 24) : capability(2, 20)]
  }
  const from0 = dice.below(50)
  return [name, noise.subarray(from0, from0 + dice.pick([0, 1, 2, 10, 100]))]
}

const kinds: Inode['kind'][] = ['file', 'file', 'file', 'file', 'directory', 'directory', 'directory', 'symlink']

function someKind(dice: Dice, able: Able): Inode['kind'] {
  if (!dice.once(6)) return dice.pick(kinds)
  const rare: Inode['kind'][] = ['fifo']
  if (able.devices) rare.push('character', 'block')
  if (able.anything) rare.push('socket')
  return dice.pick(rare)
}

function someInode(dice: Dice, able: Able, kind = someKind(dice, able)): Inode {
  const device = kind === 'character' || kind === 'block'
  const [major, minor] = able.anything && dice.once(8) ? [0, 0] : dice.pick(numbers)
  const xattr = dice.once(4) ? someXattr(dice, kind, able) : undefined
  return inode({
    kind,
    mode: kind === 'symlink' ? 0o777 : someMode(dice, able),
    uid: able.owners ? dice.pick(owners) : process.getuid!(),
    gid: able.owners ? dice.pick(owners) : process.getgid!(),
    mtime: someTime(dice, able),
    xattrs: new Map(xattr ? [xattr] : []),
    content: kind === 'file' ? someContent(dice) : nothing,
    target: kind === 'symlink' ? dice.pick(targets) : '',
    major: device ? major : 0,
    minor: device ? minor : 0,
  })
}

/** Where something may be put: in any directory that is not too deep, at a name that may be taken. */
function somewhere(dice: Dice, root: Inode, all: readonly Named[], before: readonly string[]): string {
  // What was there before and has gone: above what is removed below.
  if (before.length > 0 && dice.once(4)) {
    const again = dice.pick(before)
    if (at(root, split(again)[0])?.kind === 'directory') return again
  }
  const directories = all.filter((named) => named.inode.kind === 'directory')
  const directory = dice.once(3) || directories.length === 0 ? '' : dice.pick(directories).path
  const deepest = directory.length > 1500 ? '' : directory
  // Half of the time at a name that another directory has: that is what moves and replacements are about.
  const [, taken] = all.length > 0 && dice.once(3) ? split(dice.pick(all).path) : ['', '']
  return join(at(root, deepest) ? deepest : '', taken || someName(dice))
}

/**
 * What one toss comes to, in a file system as it stands: the edits are to be performed one after the other. `before` are
 * the paths that it had at some time, which things come back to.
 */
export function drawEdits(dice: Dice, root: Inode, before: readonly string[], able: Able): Edit[] {
  const all = namesIn(root)
  const some = (fits: (named: Named) => boolean): Named | undefined => {
    const fitting = all.filter(fits)
    return fitting.length > 0 ? dice.pick(fitting) : undefined
  }
  const isFile = ({ inode: { kind } }: Named) => kind === 'file'
  const isDirectory = ({ inode: { kind } }: Named) => kind === 'directory'
  const any = dice.once(8) || all.length === 0 ? { path: '', inode: root } : dice.pick(all)
  switch (dice.below(23)) {
    case 0:
    case 1: {
      const file = some(isFile)
      if (!file) break
      const content = someContent(dice)
      if (content.length === 0) return [{ does: 'truncate', path: file.path, size: 0 }]
      const position = dice.pick([0, 0, file.inode.content.length, file.inode.content.length + 700])
      return [{ does: 'write', path: file.path, content, position }]
    }
    case 2: {
      const file = some(isFile)
      if (file) return [{ does: 'truncate', path: file.path, size: dice.pick([0, 1, 512, 600]) }]
      break
    }
    case 3:
      if (any.inode.kind !== 'symlink') return [{ does: 'mode', path: any.path, mode: someMode(dice, able) }]
      break
    case 4:
      if (able.owners) return [{ does: 'owner', path: any.path, uid: dice.pick(owners), gid: dice.pick(owners) }]
      break
    case 5:
      return [{ does: 'time', path: any.path, mtime: someTime(dice, able) }]
    case 6: {
      const name = dice.once(2) ? dice.pick(['', ...any.inode.xattrs.keys()]) : ''
      if (name !== '') return [{ does: 'xattr', path: any.path, name, value: undefined }]
      const xattr = someXattr(dice, any.inode.kind, able)
      if (xattr) return [{ does: 'xattr', path: any.path, name: xattr[0], value: xattr[1] }]
      break
    }
    case 7:
    case 8:
    case 9: {
      const from = some(() => true)
      const to = somewhere(dice, root, all, before)
      if (from && mayRename(root, from, to)) return [{ does: 'rename', path: from.path, to }]
      break
    }
    case 10:
    case 11: {
      const target = some((named) => !isDirectory(named))
      const path = somewhere(dice, root, all, before)
      if (target && !at(root, path)) return [{ does: 'link', path, to: target.path }]
      break
    }
    case 12:
    case 13: {
      const gone = some(() => true)
      if (gone) return [{ does: 'remove', path: gone.path }]
      break
    }
    case 14: {
      const old = some(() => true)
      if (old) {
        return [
          { does: 'remove', path: old.path },
          { does: 'make', path: old.path, inode: someInode(dice, able) },
        ]
      }
      break
    }
    case 15: {
      // A directory that is removed and made again, with some of its names.
      const old = some(isDirectory)
      if (!old) break
      const { mode, uid, gid, mtime, xattrs } = dice.once(2) ? old.inode : someInode(dice, able, 'directory')
      const again = inode({ kind: 'directory', mode, uid, gid, mtime, xattrs })
      const kept = [...old.inode.children.keys()].filter(() => dice.once(3))
      return [
        { does: 'remove', path: old.path },
        { does: 'make', path: old.path, inode: again },
        ...kept.map((name): Edit => ({ does: 'make', path: join(old.path, name), inode: someInode(dice, able) })),
      ]
    }
    case 16: {
      // A name that leaves its group for an equal file of its own, to be told by nothing but that.
      const linked = all.filter((named) => !isDirectory(named) && all.some((other) => shares(named, other)))
      if (linked.length === 0) break
      const { path, inode: old } = dice.pick(linked)
      const [directory] = split(path)
      const { mtime } = at(root, directory)!
      return [
        { does: 'remove', path },
        { does: 'make', path, inode: { ...old, xattrs: new Map(old.xattrs) } },
        { does: 'time', path: directory, mtime },
      ]
    }
    case 17: {
      // And one that joins a file that is equal to it.
      const file = some(isFile)
      const other =
        file && some((named) => isFile(named) && named.inode !== file.inode && equal(named.inode, file.inode))
      if (!other) break
      const [directory] = split(file.path)
      const { mtime } = at(root, directory)!
      return [
        { does: 'remove', path: file.path },
        { does: 'link', path: file.path, to: other.path },
        { does: 'time', path: directory, mtime },
      ]
    }
    case 18: {
      // A directory that is made aside and takes the place of another.
      const old = some(isDirectory)
      const aside = somewhere(dice, root, all, before)
      if (!old || at(root, aside) || aside.startsWith(`${old.path}/`)) break
      return [
        { does: 'make', path: aside, inode: someInode(dice, able, 'directory') },
        { does: 'make', path: join(aside, someName(dice)), inode: someInode(dice, able) },
        { does: 'remove', path: old.path },
        { does: 'rename', path: aside, to: old.path },
      ]
    }
    default:
  }
  const path = somewhere(dice, root, all, before)
  const made: Edit = { does: 'make', path, inode: someInode(dice, able) }
  return at(root, path) ? [{ does: 'remove', path }, made] : [made]
}

function mayRename(root: Inode, { path, inode: moved }: Named, to: string): boolean {
  if (to === path || to.startsWith(`${path}/`) || path.startsWith(`${to}/`)) return false
  const stands = at(root, to)
  if (!stands) return true
  if (stands.kind === 'directory') return moved.kind === 'directory' && stands.children.size === 0
  return moved.kind !== 'directory'
}

function shares(one: Named, other: Named): boolean {
  return one.inode === other.inode && one.path !== other.path
}

function equal(one: Inode, other: Inode): boolean {
  const { mode, uid, gid, mtime, content, xattrs } = one
  const same = mode === other.mode && uid === other.uid && gid === other.gid && mtime === other.mtime
  return same && content.equals(other.content) && xattrs.size === 0 && other.xattrs.size === 0
}
