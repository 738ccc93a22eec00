import type { ByteString } from '../model/bytes.ts'

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
  /** Ours, on the root: nobody has said yet what the root is like. */
  readonly implied: ByteString
  /** The name under which a user's xattr is stored: one more `overlay.` where it looks like a mark (layer-semantics D-10). */
  stored(name: ByteString): ByteString
  /** The user's name of a stored xattr; `undefined` for a mark, which nobody is shown. */
  shown(name: ByteString): ByteString | undefined
}

function marksIn(space: MarkSpace): Marks {
  const prefix = `${space}.overlay.`
  const escaped = `${prefix}overlay.`
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
    implied: `${prefix}plyfs.implied`,
    stored: (name) => (name.startsWith(prefix) ? escaped + name.slice(prefix.length) : name),
    shown: (name) => {
      if (!name.startsWith(prefix)) return name
      return name.startsWith(escaped) ? prefix + name.slice(escaped.length) : undefined
    },
  }
}

export const marks: Readonly<Record<MarkSpace, Marks>> = { trusted: marksIn('trusted'), user: marksIn('user') }
