/**
 * Patterns of substitutions: `?` is one character, `*` any number, a backslash takes the meaning of either away (POSIX, Shell Command
 * Language 2.13, without brackets).
 */

/** How many characters at the front of a text match; 0 if none do. @throws Error for a wrong escape */
export function prefixMatcher(pattern: string, greedy: boolean): (text: string) => number {
  const expression = new RegExp(`^${source(pattern, greedy)}`, 'u')
  return (text) => expression.exec(text)?.[0].length ?? 0
}

/** The text with the first match, or all, replaced by something that is taken as it is. @throws Error for a wrong escape */
export function replacing(text: string, pattern: string, replacement: string, all: boolean): string {
  const expression = new RegExp(source(pattern, true), all ? 'gu' : 'u')
  return text.replace(expression, () => unescaped(replacement))
}

/** The pattern that matches the same texts from back to front. */
export function reversedPattern(pattern: string): string {
  const parts: string[] = []
  const characters = Array.from(pattern)
  for (let at = 0; at < characters.length; at++) {
    if (characters[at] === '\\' && at + 1 < characters.length) parts.push(`\\${characters[++at]}`)
    else parts.push(characters[at]!)
  }
  return parts.reverse().join('')
}

function source(pattern: string, greedy: boolean): string {
  let made = ''
  const characters = Array.from(pattern)
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at]!
    if (character === '*') made += greedy ? '.*' : '.*?'
    else if (character === '?') made += '.'
    else if (character === '\\') {
      const next = characters[++at]
      if (next === undefined || !'*?\\}/'.includes(next))
        throw new Error(`\\${next ?? ''} escapes nothing in a pattern`)
      made += literal(next)
    } else made += literal(character)
  }
  return made
}

/** Braces and slashes had to be escaped to stand there. */
function unescaped(text: string): string {
  return text.replace(/\\([}/\\])/g, '$1')
}

function literal(character: string): string {
  return /[\\^$.*+?()[\]{}|/]/.test(character) ? `\\${character}` : character
}
