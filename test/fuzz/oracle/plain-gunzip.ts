import { crc32, inflateRawSync } from 'node:zlib'
import { mostOutput } from './streams.ts'

/**
 * gzip read in the plainest way (RFC 1952), to compare with: the content of all members; `undefined` where it must be refused
 * (layer-semantics Z-02, Z-04), `large` where there is more than anybody reads.
 */
export function plainGunzip(input: Buffer, lenient: boolean): Buffer | undefined | 'large' {
  const parts: Buffer[] = []
  let size = 0
  let at = 0
  do {
    const body = headerEnd(input, at)
    if (body === undefined) return undefined
    const inflated = inflate(input.subarray(body))
    if (inflated === undefined || inflated === 'large') return inflated
    const { content, used } = inflated
    at = body + used
    if (at + 8 > input.length) return undefined
    if (input.readUInt32LE(at) !== crc32(content) || input.readUInt32LE(at + 4) !== content.length) return undefined
    at += 8
    parts.push(content)
    size += content.length
    if (size >= mostOutput) return 'large'
  } while (at < input.length && input[at] !== 0 && (!lenient || startsMember(input, at)))
  if (!lenient && input.subarray(at).some((byte) => byte !== 0)) return undefined
  return Buffer.concat(parts)
}

function startsMember(input: Buffer, at: number): boolean {
  return at + 3 <= input.length && input[at] === 0x1f && input[at + 1] === 0x8b && input[at + 2] === 8
}

/** Where the compressed bytes of the member at `at` begin. */
export function headerEnd(input: Buffer, start: number): number | undefined {
  if (!startsMember(input, start) || start + 10 > input.length) return undefined
  const flags = input[start + 3]!
  if (flags & 0xe0) return undefined
  let at = start + 10
  if (flags & 4) {
    if (at + 2 > input.length) return undefined
    at += 2 + input.readUInt16LE(at)
  }
  for (const text of [8, 16]) {
    if (!(flags & text)) continue
    const end = at > input.length ? -1 : input.indexOf(0, at)
    if (end < 0) return undefined
    at = end + 1
  }
  if (flags & 2) {
    if (at + 2 > input.length || (crc32(input.subarray(start, at)) & 0xffff) !== input.readUInt16LE(at))
      return undefined
    at += 2
  }
  return at > input.length ? undefined : at
}

/** A deflate stream at the beginning of these bytes, and how many of them it is. */
export function inflate(input: Buffer): { readonly content: Buffer; readonly used: number } | undefined | 'large' {
  try {
    const { buffer, engine } = inflateRawSync(input, { info: true, maxOutputLength: mostOutput }) as unknown as {
      readonly buffer: Buffer
      readonly engine: { readonly bytesWritten: number }
    }
    return { content: buffer, used: engine.bytesWritten }
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE' ? 'large' : undefined
  }
}
