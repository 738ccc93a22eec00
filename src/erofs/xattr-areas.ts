import type { IndexContent } from './content.ts'
import { encodeXattr, type StoredXattr, storedSize, xattrKey } from './xattr-sets.ts'

/** Shared attributes of one inode are counted in 8 bits. */
const maxShared = 255

interface Shared {
  readonly xattr: StoredXattr
  /** Byte offset in the image / 4, known after `placeShared`. */
  id: number
}

interface Area {
  readonly shared: readonly Shared[]
  readonly inline: readonly StoredXattr[]
  readonly size: number
}

/** The xattr area of each set of attributes, and the attributes that several inodes share. */
export interface XattrAreas {
  /** Bytes behind the inode. */
  sizeOf(set: number): number
  /** Puts the shared attributes at `start`; returns where they end. */
  placeShared(start: number): number
  /** Bytes of one set's area, into zeroed space. */
  encode(into: Buffer, at: number, set: number): void
  /** The shared attributes in order, with their offset. */
  readonly shared: readonly { readonly id: number; readonly xattr: StoredXattr }[]
}

/**
 * Decides what is shared: each attribute that more than one inode has, in the order of first use, at most 255 an
 * inode; the rest stands in the inode. Both in byte order of the names.
 */
export function xattrAreas({ columns, xattrs }: IndexContent, order: Uint32Array): XattrAreas {
  const users = new Float64Array(xattrs.count)
  const used: number[] = []
  for (const id of order) {
    const set = columns.xattrs[id]!
    if (set !== 0 && users[set]!++ === 0) used.push(set)
  }
  const counts = new Map<string, number>()
  for (const set of used) {
    for (const xattr of xattrs.get(set)) {
      const key = keyOf(xattr)
      counts.set(key, (counts.get(key) ?? 0) + users[set]!)
    }
  }
  const pool = new Map<string, Shared>()
  const areas: (Area | undefined)[] = []
  for (const set of used) {
    const shared: Shared[] = []
    const inline: StoredXattr[] = []
    let size = 12
    for (const xattr of xattrs.get(set)) {
      const key = keyOf(xattr)
      if (counts.get(key)! > 1 && shared.length < maxShared) {
        let one = pool.get(key)
        if (!one) pool.set(key, (one = { xattr, id: 0 }))
        shared.push(one)
        size += 4
      } else {
        inline.push(xattr)
        size += storedSize(xattr)
      }
    }
    areas[set] = { shared, inline, size }
  }
  const shared = [...pool.values()]
  return {
    sizeOf: (set) => areas[set]?.size ?? 0,
    placeShared(start) {
      let cursor = start
      for (const one of shared) {
        one.id = cursor / 4
        cursor += storedSize(one.xattr)
      }
      return cursor
    },
    encode(into, at, set) {
      const area = areas[set]!
      into[at + 4] = area.shared.length
      let cursor = at + 12
      for (const { id } of area.shared) cursor = into.writeUInt32LE(id, cursor)
      for (const xattr of area.inline) cursor += encodeXattr(into, cursor, xattr)
    },
    shared,
  }
}

function keyOf({ prefix, suffix, value }: StoredXattr): string {
  return `${prefix}${suffix}\0${xattrKey(value)}`
}
