import type { ByteString } from '../model/bytes.ts'
import type { Kind } from '../model/entry.ts'
import { overrideName } from './override.ts'

/** The value of the marks that say yes. */
export const yes = Buffer.from('y')

/** In which namespace overlayfs's marks are: `trusted` for root, `user` with the mount option `userxattr`. */
export type MarkSpace = 'trusted' | 'user'

/** Names of overlayfs's marks in one namespace, and how a user's xattr of such a name is kept apart from them. */
export interface Marks {
  readonly opaque: ByteString
  readonly redirect: ByteString
  readonly origin: ByteString
  readonly impure: ByteString
  readonly metacopy: ByteString
  readonly whiteout: ByteString
  /** How many names a link group has, more or less than the upper file has links: `U+1`, `U-2`. */
  readonly nlink: ByteString
  /** Ours: the number of an inode that was made here, and the next free one (on the root). */
  readonly number: ByteString
  readonly next: ByteString
  /** Ours, on a copy of attributes alone: some blocks of its content are beside the upper. */
  readonly blocks: ByteString
  /** Ours, on the root: nobody has said yet what the root is like. */
  readonly implied: ByteString
  /** Rootless: owner, mode and type of what the real inode cannot be. `undefined` where real inodes are what they stand for. */
  readonly override: ByteString | undefined
  /**
   * The name under which a user's xattr is stored on an inode of a kind: one more `overlay.` where it looks like a mark
   * (layer-semantics D-10), and a name of ours where the kernel takes no such xattr.
   */
  stored(name: ByteString, kind: Kind): ByteString
  /** The user's name of a stored xattr; `undefined` for a mark, which nobody is shown. */
  shown(name: ByteString): ByteString | undefined
  /** Rootless: the name under which an xattr is kept that only the privileged may set; `undefined` for any other. */
  guarded(name: ByteString): ByteString | undefined
}

/** What the rootless tools put before names that an ordinary user cannot set, or that would be taken for theirs. */
const guard = 'user.containers.override_'
const privileged = /^(?:security|trusted|system)\./

/** The name of an xattr that the rootless tools keep under another one; `undefined` for a mark of theirs. */
export function unguarded(name: ByteString): ByteString | undefined {
  if (!name.startsWith(guard)) return name
  const inner = name.slice(guard.length)
  return privileged.test(inner) || inner.startsWith(guard) ? inner : undefined
}

function marksIn(space: MarkSpace): Marks {
  const prefix = `${space}.overlay.`
  const escaped = `${prefix}overlay.`
  const odd = `${prefix}plyfs.xattr.`
  return {
    opaque: `${prefix}opaque`,
    redirect: `${prefix}redirect`,
    origin: `${prefix}origin`,
    impure: `${prefix}impure`,
    metacopy: `${prefix}metacopy`,
    whiteout: `${prefix}whiteout`,
    nlink: `${prefix}nlink`,
    number: `${prefix}plyfs.ino`,
    next: `${prefix}plyfs.next`,
    blocks: `${prefix}plyfs.blocks`,
    implied: `${prefix}plyfs.implied`,
    override: space === 'user' ? overrideName : undefined,
    stored(name, kind) {
      if (name.startsWith(prefix)) return escaped + name.slice(prefix.length)
      if (space === 'user') return name.startsWith(guard) ? guard + name : name
      // The kernel takes `user.*` on files and directories alone (layer-semantics X-08).
      return kind === 'file' || kind === 'directory' || !name.startsWith('user.') ? name : odd + name
    },
    shown(name) {
      if (name.startsWith(escaped)) return prefix + name.slice(escaped.length)
      if (name.startsWith(odd)) return name.slice(odd.length)
      if (name.startsWith(prefix)) return undefined
      return space === 'user' ? unguarded(name) : name
    },
    guarded: (name) => (space === 'user' && privileged.test(name) ? guard + name : undefined),
  }
}

export const marks: Readonly<Record<MarkSpace, Marks>> = { trusted: marksIn('trusted'), user: marksIn('user') }
