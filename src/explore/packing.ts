import type { Explored } from './table.ts'

/**
 * A value with columns as bytes and back: its length (4 bytes, little-endian), JSON in which a column is `{"$": TYPE, at, length}`, and
 * the columns, each at a multiple of 8. Texts longer than `longText` lie there too, in UTF-8. Read in browsers as well.
 */
const columnTypes = { u8: Uint8Array, u16: Uint16Array, u32: Uint32Array, f64: Float64Array } as const
type ColumnName = keyof typeof columnTypes | 'text'

interface Reference {
  readonly $: ColumnName
  readonly at: number
  readonly length: number
}

const longText = 4096

/** @throws nothing: any value of columns, plain objects and texts can be packed. */
export function packed(explored: Explored): Uint8Array {
  const parts: Uint8Array[] = []
  let end = 0
  const laid = ($: ColumnName, bytes: Uint8Array, length: number): Reference => {
    const at = end
    parts.push(bytes)
    end += Math.ceil(bytes.length / 8) * 8
    return { $, at, length }
  }
  const facts = JSON.stringify(explored, (_, value: unknown) => {
    if (typeof value === 'string' && value.length > longText) {
      const bytes = new TextEncoder().encode(value)
      return laid('text', bytes, bytes.length)
    }
    if (!ArrayBuffer.isView(value)) return value
    const column = value as Uint8Array
    const bytes = new Uint8Array(column.buffer, column.byteOffset, column.byteLength)
    return laid(typeOf(value), bytes, column.length)
  })
  const head = new TextEncoder().encode(facts)
  const start = Math.ceil((4 + head.length) / 8) * 8
  const all = new Uint8Array(start + end)
  new DataView(all.buffer).setUint32(0, head.length, true)
  all.set(head, 4)
  let at = start
  for (const part of parts) {
    all.set(part, at)
    at += Math.ceil(part.length / 8) * 8
  }
  return all
}

/** What `packed` made its bytes of. They are taken over. */
export function unpacked(bytes: Uint8Array): Explored {
  const buffer = (bytes.byteOffset === 0 ? bytes : bytes.slice()).buffer as ArrayBuffer
  const length = new DataView(buffer).getUint32(0, true)
  const start = Math.ceil((4 + length) / 8) * 8
  const facts = new TextDecoder().decode(new Uint8Array(buffer, 4, length))
  return JSON.parse(facts, (_, value: unknown) => {
    if (typeof value !== 'object' || value === null || !('$' in value)) return value
    const { $, at, length: count } = value as Reference
    if ($ === 'text') return new TextDecoder().decode(new Uint8Array(buffer, start + at, count))
    return new columnTypes[$](buffer, start + at, count)
  }) as Explored
}

function typeOf(column: ArrayBufferView): ColumnName {
  if (column instanceof Float64Array) return 'f64'
  if (column instanceof Uint32Array) return 'u32'
  return column instanceof Uint16Array ? 'u16' : 'u8'
}
