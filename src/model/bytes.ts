/**
 * Byte strings. Inside plyfs a name, a link text or an xattr name is a JavaScript string in which
 * each character is one byte (latin1): exact, comparable bytewise, fast as a Map key. UTF-8 is
 * decoded and encoded at the public face only, with these functions.
 */
export type ByteString = string

/** The bytes of a byte string. */
export function bytesOf(text: ByteString): Buffer {
  return Buffer.from(text, 'latin1')
}

/** The byte string made of these bytes. */
export function byteString(bytes: Uint8Array): ByteString {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}

/** A text as its user typed it, as a byte string (UTF-8). */
export function encodeText(text: string): ByteString {
  return isAscii(text) ? text : Buffer.from(text, 'utf8').toString('latin1')
}

/** A byte string as text. Bytes that are not UTF-8 become U+FFFD: for display, never for identity. */
export function decodeText(text: ByteString): string {
  return isAscii(text) ? text : Buffer.from(text, 'latin1').toString('utf8')
}

/** A byte string for people: printable, one line, reversible (`\xNN` for what is not, `\\` for a backslash). */
export function displayText(text: ByteString): string {
  if (isPlain(text)) return text
  const decoded = decodeText(text)
  const exact = encodeText(decoded) === text
  return (exact ? decoded : text).replace(exact ? /[\x00-\x1f\x7f-\x9f\\]/g : /[^\x20-\x7e]|\\/g, (character) =>
    character === '\\' ? '\\\\' : escaped(exact ? encodeText(character) : character),
  )
}

/** What is shown of a name in a message: hostile layers have names of a mebibyte. */
const longestShown = 1000

/** As `displayText`, cut off after a thousand bytes. */
export function displayName(name: ByteString): string {
  return name.length > longestShown ? `${displayText(name.slice(0, longestShown))}…` : displayText(name)
}

/** Each byte as `\xNN`. */
function escaped(bytes: ByteString): string {
  return bytes.replace(/./gs, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

/** Bytewise order of two byte strings, for sorting. */
export function compareBytes(a: ByteString, b: ByteString): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** Printable ASCII but the backslash, as nearly all names are: it is shown as it stands. */
function isPlain(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 0x20 || code > 0x7e || code === 0x5c) return false
  }
  return true
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false
  return true
}
