import { PlyError } from './errors.ts'

/** Deepest nesting that is read: real documents stay under 10. */
const deepest = 100

/**
 * Parses a document somebody else wrote. `limit` is in bytes. Depth is checked before parsing, so that nothing later
 * recurses without bound.
 *
 * @throws PLY_BAD_DOCUMENT
 */
export function parseJson(raw: Uint8Array, what: string, limit: number): unknown {
  if (raw.length > limit) throw badDocument(what, `it has ${raw.length} bytes; the limit is ${limit}`)
  if (depthOf(raw) > deepest) throw badDocument(what, `it is nested deeper than ${deepest} levels`)
  try {
    return JSON.parse(Buffer.from(raw.buffer, raw.byteOffset, raw.length).toString('utf8'))
  } catch (error) {
    throw badDocument(what, 'it is not JSON', error)
  }
}

export function badDocument(what: string, reason: string, cause?: unknown): PlyError {
  return new PlyError('PLY_BAD_DOCUMENT', { what, reason }, cause === undefined ? undefined : { cause })
}

/**
 * The one text for a value: keys in code-unit order, no white space. `undefined` members are left out. The same value
 * gives the same bytes whatever order it was built in.
 */
export function canonicalJson(value: unknown): Buffer {
  return Buffer.from(textOf(value))
}

function textOf(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => textOf(item === undefined ? null : item)).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value).filter(([, member]) => member !== undefined)
  members.sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${textOf(member)}`).join(',')}}`
}

function depthOf(raw: Uint8Array): number {
  let depth = 0
  let most = 0
  let inText = false
  for (let i = 0; i < raw.length; i++) {
    const byte = raw[i]!
    if (inText) {
      if (byte === 0x5c) i++
      else if (byte === 0x22) inText = false
    } else if (byte === 0x22) inText = true
    else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > most) most = depth
    } else if (byte === 0x7d || byte === 0x5d) depth--
  }
  return most
}
