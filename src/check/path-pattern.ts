import { type ByteString, encodeText } from '../model/bytes.ts'

/**
 * A matcher for paths (byte strings without a leading slash) as rules have them: `*` and `?` do not match a slash, `**` does, `[a-z]` is a
 * set. A pattern with a slash in front or inside is one from the root, any other matches the name of a file wherever it is. What matches a
 * directory matches everything in it.
 */
export function pathPattern(pattern: ByteString): (path: ByteString) => boolean {
  const trimmed = pattern.replace(/\/+$/, '')
  const anchored = trimmed.includes('/')
  const inside = translated(trimmed.replace(/^\/+/, ''))
  const whole = new RegExp(`^${anchored ? '' : '(?:.*/)?'}${inside}(?:/.*)?$`, 's')
  return (path) => whole.test(path)
}

/** Whether a path is as one of several patterns says. */
export function anyPattern(patterns: readonly string[]): (path: ByteString) => boolean {
  const all = patterns.map((pattern) => pathPattern(encodeText(pattern)))
  return (path) => all.some((matches) => matches(path))
}

function translated(pattern: ByteString): string {
  let made = ''
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at]!
    if (pattern.startsWith('**/', at)) {
      made += '(?:.*/)?'
      at += 2
    } else if (pattern.startsWith('**', at)) {
      made += '.*'
      at += 1
    } else if (character === '*') made += '[^/]*'
    else if (character === '?') made += '[^/]'
    else if (character === '[' && pattern.indexOf(']', at + 2) > 0) {
      const end = pattern.indexOf(']', at + 2)
      const set = pattern
        .slice(at + 1, end)
        .replace(/[\\[\]]/g, '\\$&')
        .replace(/^!/, '^')
      made += `[${set}]`
      at = end
    } else made += character.replace(/[\\^$.+()[\]{}|]/, '\\$&')
  }
  return made
}
