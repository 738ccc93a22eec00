import { type ByteString, displayText } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'

type Says = 'entry' | 'whiteout' | 'opaque'

const slash = 0x2f

/**
 * Checks that what is written comes in the one order a layer has (layer-semantics E-04): by path components, a directory
 * before its content; in a directory the opaque marker, then whiteouts, then the rest, each in byte order.
 */
export class PackOrder {
  #path: ByteString | undefined
  #says: Says = 'entry'
  /** The path as bytes, which compare faster than two strings do. */
  #bytes = new Uint8Array(256)

  /** @throws PLY_UNREPRESENTABLE for what comes too late, or twice */
  check(path: ByteString, says: Says): void {
    const entries = says === 'entry' && this.#says === 'entry'
    const before = this.#path
    const follows = this.#keep(path)
    if (before !== undefined && !(entries ? follows : orderKey(path, says) > orderKey(before, this.#says))) {
      const reason =
        path === before && says === this.#says ? 'it is there twice' : 'it comes after entries that belong behind it'
      throw new PlyError('PLY_UNREPRESENTABLE', {
        path: displayText(path),
        where: 'a layer',
        reason: `${reason} (E-04)`,
      })
    }
    this.#path = path
    this.#says = says
  }

  /** Keeps the bytes of a path. Answers what the keys of two entries would say: whether it comes after the one before. */
  #keep(path: ByteString): boolean {
    const before = this.#path?.length ?? 0
    if (path.length > this.#bytes.length) {
      const longer = new Uint8Array(2 * path.length)
      longer.set(this.#bytes)
      this.#bytes = longer
    }
    const bytes = this.#bytes
    let follows = path.length > before
    let i = 0
    for (const shared = Math.min(before, path.length); i < shared; i++) {
      const was = bytes[i]!
      const is = path.charCodeAt(i)
      if (was === is) continue
      // The end of a component stands before every byte of one.
      follows = is !== slash && (was === slash || is > was)
      break
    }
    for (; i < path.length; i++) bytes[i] = path.charCodeAt(i)
    return follows
  }
}

/** A text whose byte order is the order of items: NUL ends a component, and what a component is stands before its name. */
function orderKey(path: ByteString, says: Says): string {
  const inside = (directory: ByteString) => (directory === '' ? '' : `\x03${directory.replaceAll('/', '\0\x03')}\0`)
  if (says === 'opaque') return `${inside(path)}\x01`
  if (path === '') return ''
  const last = path.lastIndexOf('/')
  const kind = says === 'whiteout' ? '\x02' : '\x03'
  return `${inside(last < 0 ? '' : path.slice(0, last))}${kind}${path.slice(last + 1)}`
}
