import { type ByteString, decodeText, encodeText } from '../model/bytes.ts'

const classes: Readonly<Record<string, string>> = {
  alpha: 'a-zA-Z',
  digit: '0-9',
  alnum: 'a-zA-Z0-9',
  upper: 'A-Z',
  lower: 'a-z',
  space: '\\s',
  blank: ' \\t',
  punct: '!-\\/:-@\\[-`{-~',
  xdigit: '0-9a-fA-F',
  cntrl: '\\x00-\\x1f\\x7f',
  print: '\\x20-\\x7e',
  graph: '\\x21-\\x7e',
}

/**
 * A shell pattern as fnmatch(3) reads it without flags, as `find -name` and `-path` do: `*` and `?` match everything, slashes and dots
 * in front too; a backslash takes the meaning from what follows.
 *
 * @returns whether a byte string matches: by its characters where it is UTF-8, else by its bytes
 */
export function globMatcher(pattern: string, { ignoreCase = false } = {}): (text: ByteString) => boolean {
  const flags = ignoreCase ? 'isu' : 'su'
  const characters = expression(source(pattern), flags)
  const bytes = expression(source(encodeText(pattern)), flags)
  return (text) => {
    const decoded = decodeText(text)
    return decoded === text || encodeText(decoded) === text ? characters.test(decoded) : bytes.test(text)
  }
}

/** A pattern that makes no sense, such as one with a range from z to a, matches nothing. */
function expression(source: string, flags: string): RegExp {
  try {
    return new RegExp(`^${source}$`, flags)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return /(?!)/
  }
}

function source(pattern: string): string {
  let made = ''
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at]!
    if (character === '*') made += '.*'
    else if (character === '?') made += '.'
    else if (character === '\\') made += at + 1 < pattern.length ? literal(pattern[++at]!) : '(?!)'
    else if (character === '[') {
      const end = endOfSet(pattern, at)
      if (end < 0) made += '\\['
      else {
        made += set(pattern.slice(at + 1, end))
        at = end
      }
    } else made += literal(character)
  }
  return made
}

/** Where the set that begins here ends; -1 if it does not, and the bracket is a bracket. */
function endOfSet(pattern: string, start: number): number {
  let at = start + 1
  if (pattern[at] === '!' || pattern[at] === '^') at++
  if (pattern[at] === ']') at++
  for (; at < pattern.length; at++) {
    if (pattern[at] === ']') return at
    if (pattern[at] === '\\') at++
    else if (pattern.startsWith('[:', at)) {
      const end = pattern.indexOf(':]', at)
      if (end > 0) at = end + 1
    }
  }
  return -1
}

function set(inside: string): string {
  const negated = inside[0] === '!' || inside[0] === '^'
  let made = ''
  for (let at = negated ? 1 : 0; at < inside.length; at++) {
    const known = /^\[:(\w+):\]/.exec(inside.slice(at))
    if (known !== null && classes[known[1]!] !== undefined) {
      made += classes[known[1]!]
      at += known[0].length - 1
    } else if (inside[at] === '-' && made !== '' && at + 1 < inside.length) made += '-'
    else {
      if (inside[at] === '\\' && at + 1 < inside.length) at++
      made += inside[at]!.replace(/[\\\]^[-]/, '\\$&')
    }
  }
  return `[${negated ? '^' : ''}${made}]`
}

function literal(character: string): string {
  return character.replace(/[\\^$.*+?()[\]{}|/]/, '\\$&')
}
