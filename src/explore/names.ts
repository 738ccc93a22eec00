import { type ByteString, decodeText, displayText, encodeText } from '../model/bytes.ts'

/** What turns text around, hides in it or breaks lines without being a control character. */
const invisible = /[\p{Cf}\p{Zl}\p{Zp}]/u
const everyInvisible = /[\p{Cf}\p{Zl}\p{Zp}]/gu

/** What is shown of a name, in bytes: hostile layers have names of a mebibyte. */
const longest = 1024

/**
 * A name for people: one line, printable, and in the order in which it is written: as `displayText`, with bidirectional controls, joiners
 * and what else cannot be seen as `\xNN` too. Different names stay different, but for
 * what is longer than any file system takes.
 */
export function shownName(name: ByteString): string {
  if (name.length > longest) return `${shownName(name.slice(0, longest))}… (${name.length} bytes)`
  const text = displayText(name)
  return invisible.test(text) ? text.replace(everyInvisible, asBytes) : text
}

/** Text out of a config, of several lines perhaps: what is not printable is told as `\xNN`, but for line feeds and tabs. */
export function shownText(text: string): string {
  return decodeText(encodeText(text)).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    return character === '\n' || character === '\t' ? character : asBytes(character)
  })
}

function asBytes(character: string): string {
  return encodeText(character).replace(/./gs, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`)
}
