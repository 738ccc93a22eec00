import { rfc3339 } from './ages.ts'

/**
 * A value of the library as JSON: times (`mtime`, `atime`, `ctime`) as RFC 3339 with nanoseconds, bytes as base64, maps as objects. Functions
 * and what they hold on to are left out.
 */
export function jsonText(value: unknown): string {
  return JSON.stringify(plain(value, ''), undefined, 2)
}

/** The same on one line, for a stream of values. */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value, member)
}

/** What JSON cannot hold, in place of it; a value of a million is written as it stands, without a copy. */
function member(this: unknown, key: string, value: unknown): unknown {
  // A buffer makes something of itself before it gets here.
  const own = typeof value === 'object' ? (this as Readonly<Record<string, unknown>>)[key] : value
  if (typeof own === 'bigint' || own instanceof Map || own instanceof Uint8Array) return plain(own, key)
  return value
}

const times = new Set(['mtime', 'atime', 'ctime'])

function plain(value: unknown, key: string): unknown {
  switch (typeof value) {
    case 'bigint':
      if (times.has(key)) return rfc3339(value)
      return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString()
    case 'function':
    case 'symbol':
      return undefined
    case 'object':
      return value === null ? null : plainObject(value)
    default:
      return value
  }
}

function plainObject(value: object): unknown {
  if (Array.isArray(value)) return value.map((item) => plain(item, ''))
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.length).toString('base64')
  const entries: Iterable<[unknown, unknown]> = value instanceof Map ? value : Object.entries(value)
  return Object.fromEntries([...entries].map(([key, member]) => [String(key), plain(member, String(key))]))
}
