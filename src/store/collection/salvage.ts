import { crc32 } from 'node:zlib'
import { type Digest, isDigest } from '../../model/digest.ts'

/** Longer records are not healed: the work grows with the square of the length. */
const longest = 4 << 10

/** Digests that stand in the text of a record, whether the rest of it makes sense or not. */
export function digestsIn(text: string): Digest[] {
  return [...new Set(text.match(/sha256:[0-9a-f]{64}/g) ?? [])].filter((one) => isDigest(one)) as Digest[]
}

/** Ids of uppers that stand in the text of a record. */
export function uppersIn(text: string): string[] {
  return [...new Set([...text.matchAll(/"([0-9a-f]{24})"/g)].map(([, id]) => id!))]
}

/**
 * The bytes as they were before one of them changed, where their CRC-32 is known: the one change of one byte that gives it.
 * `undefined` if there is none, or more than one.
 */
export function withOneByteHealed(bytes: Uint8Array, sum: number): Buffer | undefined {
  if (bytes.length > longest) return undefined
  const healed = Buffer.from(bytes)
  let found: Buffer | undefined
  for (let at = 0; at < healed.length; at++) {
    const was = healed[at]!
    const before = crc32(healed.subarray(0, at))
    const rest = healed.subarray(at)
    for (let value = 0; value < 256; value++) {
      rest[0] = value
      if (value === was || crc32(rest, before) !== sum) continue
      if (found !== undefined) return undefined
      found = Buffer.from(healed)
    }
    rest[0] = was
  }
  return found
}

/** The same for a record, whose sum stands at its end, and may be what has changed. */
export function healedRecord(bytes: Uint8Array): Buffer | undefined {
  const tail = ',"crc32":"00000000"}\n'
  const length = bytes.length - tail.length
  if (length < 1 || bytes.length > longest) return undefined
  const body = Buffer.from(bytes.subarray(0, length))
  const text = Buffer.from(bytes.subarray(length)).toString('latin1')
  const right = tail.replace('00000000', crc32(body).toString(16).padStart(8, '0'))
  // One byte of the tail.
  const differing = [...right].filter((character, i) => character !== text[i]).length
  if (differing === 1) return Buffer.concat([body, Buffer.from(right)])
  const [, sum] = /^,"crc32":"([0-9a-f]{8})"\}\n$/.exec(text) ?? []
  const healed = sum === undefined ? undefined : withOneByteHealed(body, Number.parseInt(sum, 16))
  return healed && Buffer.concat([healed, Buffer.from(text, 'latin1')])
}
