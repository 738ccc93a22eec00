import { type ByteString, displayText } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'

/**
 * Checks that what is written comes in the one order a layer has (layer-semantics E-04): by path components, a directory
 * before its content; in a directory the opaque marker, then whiteouts, then the rest, each in byte order.
 */
export class PackOrder {
  #last: string | undefined

  /** @throws PLY_UNREPRESENTABLE for what comes too late, or twice */
  check(path: ByteString, says: 'entry' | 'whiteout' | 'opaque'): void {
    const key = orderKey(path, says)
    if (this.#last !== undefined && key <= this.#last) {
      const reason = key === this.#last ? 'it is there twice' : 'it comes after entries that belong behind it'
      throw new PlyError('PLY_UNREPRESENTABLE', {
        path: displayText(path),
        where: 'a layer',
        reason: `${reason} (E-04)`,
      })
    }
    this.#last = key
  }
}

/** A text whose byte order is the order of items: NUL ends a component, and what a component is stands before its name. */
function orderKey(path: ByteString, says: 'entry' | 'whiteout' | 'opaque'): string {
  const inside = (directory: ByteString) => (directory === '' ? '' : `\x03${directory.replaceAll('/', '\0\x03')}\0`)
  if (says === 'opaque') return `${inside(path)}\x01`
  if (path === '') return ''
  const slash = path.lastIndexOf('/')
  const kind = says === 'whiteout' ? '\x02' : '\x03'
  return `${inside(slash < 0 ? '' : path.slice(0, slash))}${kind}${path.slice(slash + 1)}`
}
