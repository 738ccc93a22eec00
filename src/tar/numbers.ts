const int64Max = (1n << 63n) - 1n
const int64Min = -(1n << 63n)

/**
 * A number of a header field: octal between spaces or NULs, or base-256 in two's complement when the top bit of the
 * first byte is set (layer-semantics F-01). Octal fields have at most 12 digits, so they fit a JavaScript number;
 * base-256 answers a bigint unless it is a safe integer. `undefined` if it is neither, or needs more than 64 bits.
 */
export function parseNumber(buffer: Uint8Array, start: number, length: number): number | bigint | undefined {
  if (buffer[start]! & 0x80) return parseBase256(buffer, start, length)
  const end = start + length
  let at = start
  while (at < end && (buffer[at] === 0x20 || buffer[at] === 0)) at++
  let value = 0
  for (; at < end; at++) {
    const digit = buffer[at]! - 0x30
    if (digit < 0 || digit > 7) break
    value = value * 8 + digit
  }
  // A NUL ends the text of a field, whatever follows it; after a space only padding may follow.
  for (; at < end && buffer[at] !== 0; at++) if (buffer[at] !== 0x20) return undefined
  return value
}

function parseBase256(buffer: Uint8Array, start: number, length: number): number | bigint | undefined {
  const first = buffer[start]!
  // Bit 7 is the mark; bit 6 is the sign.
  let value = BigInt(first & 0x40 ? (first | 0x80) - 256 : first & 0x7f)
  for (let i = 1; i < length; i++) value = (value << 8n) | BigInt(buffer[start + i]!)
  if (value > int64Max || value < int64Min) return undefined
  return narrow(value)
}

/** A decimal number of an extended header, with an optional minus. `undefined` if it is none, or needs more than 64 bits. */
export function parseDecimal(text: string): number | bigint | undefined {
  if (!/^-?[0-9]{1,32}$/.test(text)) return undefined
  if (text.length < 16) return Number(text)
  const value = BigInt(text)
  return value > int64Max || value < int64Min ? undefined : narrow(value)
}

/**
 * A time of an extended header in nanoseconds: seconds with a sign and a fraction, of which nine digits count
 * (layer-semantics M-01). `undefined` if it is none, or the seconds need more than 64 bits.
 */
export function parseTime(text: string): bigint | undefined {
  const match = /^(-?)([0-9]{1,32})(?:\.([0-9]*))?$/.exec(text)
  if (match === null) return undefined
  const [, sign, whole, fraction = ''] = match
  const size = BigInt(whole!) * 1_000_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, '0'))
  const value = sign === '-' ? -size : size
  return fitsSeconds(value) ? value : undefined
}

/** Whether the whole seconds of a time in nanoseconds fit 64 bits. */
function fitsSeconds(value: bigint): boolean {
  return value >= int64Min * 1_000_000_000n && value < (int64Max + 1n) * 1_000_000_000n
}

/** Nanoseconds as an extended header spells them, without trailing zeros. */
export function formatTime(nanoseconds: bigint): string {
  const size = nanoseconds < 0n ? -nanoseconds : nanoseconds
  const fraction = (size % 1_000_000_000n).toString().padStart(9, '0').replace(/0+$/, '')
  return `${nanoseconds < 0n ? '-' : ''}${size / 1_000_000_000n}${fraction === '' ? '' : `.${fraction}`}`
}

function narrow(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}
