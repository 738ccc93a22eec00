import type { Flag } from './instruction.ts'

/**
 * Takes the flags off the front of the arguments of an instruction, as BuildKit does: quotes and escapes keep white space in a
 * value and go; a `--` alone ends them.
 */
export function splitFlags(
  text: string,
  escapeToken: string,
): {
  readonly flags: readonly Flag[]
  readonly rest: string
} {
  const flags: Flag[] = []
  let at = 0
  for (;;) {
    while (/\s/.test(text[at] ?? '')) at++
    if (!text.startsWith('--', at)) break
    const from = at
    let word = ''
    for (let quote = ''; at < text.length; at++) {
      const character = text[at]!
      if (quote === '' && /\s/.test(character)) break
      if (character === escapeToken && at + 1 < text.length) word += text[++at]
      else if (quote !== '') {
        if (character === quote) quote = ''
        else word += character
      } else if (character === "'" || character === '"') quote = character
      else word += character
    }
    if (text.slice(from, at) === '--') break
    const equals = word.indexOf('=')
    flags.push(equals < 0 ? { name: word.slice(2) } : { name: word.slice(2, equals), value: word.slice(equals + 1) })
  }
  return { flags, rest: text.slice(at).trim() }
}
