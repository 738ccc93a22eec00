import { createHash } from 'node:crypto'
import { type ByteString, byteString, bytesOf, compareBytes } from '../model/bytes.ts'
import { noXattrs, type Xattrs } from '../model/entry.ts'
import { unrepresentable } from './refusal.ts'

/** Longest value, in bytes: its length has 16 bits. */
const maxXattrValue = 65_535

/** Bytes that the entries of one inode may take together: `i_xattr_icount` has 16 bits and counts words of four. */
const maxXattrArea = 65_534 * 4

/** One attribute as EROFS stores it: the prefix as a number. */
export interface StoredXattr {
  readonly prefix: number
  readonly suffix: ByteString
  readonly value: Uint8Array
}

/** EROFS's name prefixes (`erofs_fs.h`, EROFS_XATTR_INDEX_*). Names with another prefix cannot be stored. */
const xattrPrefixes: readonly { readonly prefix: number; readonly text: string; readonly whole: boolean }[] = [
  { prefix: 1, text: 'user.', whole: false },
  { prefix: 2, text: 'system.posix_acl_access', whole: true },
  { prefix: 3, text: 'system.posix_acl_default', whole: true },
  { prefix: 4, text: 'trusted.', whole: false },
  { prefix: 6, text: 'security.', whole: false },
]

/** Whether an index can hold an attribute of this name: a known prefix, something after it, at most 255 bytes. */
export function storable(name: ByteString): boolean {
  return name.length <= 255 && !name.includes('\0') && prefixOf(name) !== undefined
}

/** Bytes that one attribute takes in an inode. */
export function storedSize(xattr: StoredXattr): number {
  return (4 + xattr.suffix.length + xattr.value.length + 3) & ~3
}

/** Sets of attributes, each kept once however many inodes have it. Set 0 is the empty one. */
export class XattrSets {
  readonly #sets: (readonly StoredXattr[])[] = [[]]
  readonly #numbers = new Map<string, number>()

  /**
   * The number of this set. Names that cannot be stored are left out and returned through `drop`.
   * @throws PLY_UNREPRESENTABLE if a value or the whole is too large.
   */
  add(xattrs: Xattrs, drop: (name: ByteString) => void): number {
    const stored: StoredXattr[] = []
    let key = ''
    let area = 0
    for (const name of [...xattrs.keys()].sort(compareBytes)) {
      if (!storable(name)) {
        drop(name)
        continue
      }
      const { prefix, text } = prefixOf(name)!
      const value = Uint8Array.from(xattrs.get(name)!)
      if (value.length > maxXattrValue) throw unrepresentable(name, `an attribute has at most ${maxXattrValue} bytes`)
      const xattr = { prefix, suffix: name.slice(text.length), value }
      area += storedSize(xattr)
      if (area > maxXattrArea)
        throw unrepresentable(name, `the attributes of an inode take at most ${maxXattrArea} bytes`)
      stored.push(xattr)
      key += `${name}\0${xattrKey(value)}\0`
    }
    if (stored.length === 0) return 0
    let number = this.#numbers.get(key)
    if (number === undefined) {
      number = this.#sets.push(stored) - 1
      this.#numbers.set(key, number)
    }
    return number
  }

  get count(): number {
    return this.#sets.length
  }

  /** In byte order of the full names. */
  get(number: number): readonly StoredXattr[] {
    return this.#sets[number]!
  }

  decode(number: number): Xattrs {
    if (number === 0) return noXattrs
    return new Map(this.get(number).map(({ prefix, suffix, value }) => [prefixText(prefix)! + suffix, value]))
  }
}

/** The text of a prefix number; `undefined` for numbers that plyfs does not write. */
export function prefixText(prefix: number): string | undefined {
  return xattrPrefixes.find((one) => one.prefix === prefix)?.text
}

/** A text that is equal exactly for equal values. Long ones are hashed so that the pool does not hold them twice. */
export function xattrKey(value: Uint8Array): string {
  if (value.length <= 64) return `${value.length}:${byteString(value)}`
  return `${value.length}#${createHash('sha256').update(value).digest('base64')}`
}

function prefixOf(name: ByteString) {
  return xattrPrefixes.find(({ text, whole }) =>
    whole ? name === text : name.startsWith(text) && name.length > text.length,
  )
}

/** The bytes of one attribute, padded to four, into `at`; returns how many. */
export function encodeXattr(into: Buffer, at: number, { prefix, suffix, value }: StoredXattr): number {
  into[at] = suffix.length
  into[at + 1] = prefix
  into.writeUInt16LE(value.length, at + 2)
  bytesOf(suffix).copy(into, at + 4)
  into.set(value, at + 4 + suffix.length)
  const end = 4 + suffix.length + value.length
  const size = (end + 3) & ~3
  into.fill(0, at + end, at + size)
  return size
}
