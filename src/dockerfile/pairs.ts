/** A name and a value as they are written: quotes and variables are still there. */
export interface Pair {
  readonly name: string
  readonly value: string
}

/**
 * The words of a line, cut at white space outside of quotes; quotes and escapes stay. As BuildKit's `parseWords`.
 */
export function rawWords(text: string, escapeToken: string): readonly string[] {
  const words: string[] = []
  for (let at = 0; at < text.length; ) {
    while (/\s/.test(text[at] ?? '')) at++
    const from = at
    let quote = ''
    for (; at < text.length; at++) {
      const character = text[at]!
      if (quote === '' && /\s/.test(character)) break
      // Between single quotes nothing is escaped.
      if (character === escapeToken && quote !== "'") at++
      else if (quote === '' && (character === "'" || character === '"')) quote = character
      else if (character === quote) quote = ''
    }
    if (at > from) words.push(text.slice(from, at))
  }
  return words
}

/** What ENV and LABEL say: `NAME=VALUE …`, or one `NAME` and the rest of the line. @throws Error */
export function pairsOf(
  text: string,
  keyword: string,
  escapeToken: string,
): { readonly pairs: readonly Pair[]; readonly spaced: boolean } {
  const words = rawWords(text, escapeToken)
  if (words.length === 0) throw new Error(`${keyword} wants at least one NAME=VALUE`)
  if (!words[0]!.includes('=')) {
    const [, name = '', value] = /^(\S+)\s+(.*)$/s.exec(text) ?? []
    if (value === undefined) throw new Error(`${keyword} wants a value: NAME=VALUE`)
    return { pairs: [{ name, value }], spaced: true }
  }
  const pairs = words.map((word) => {
    const equals = word.indexOf('=')
    if (equals < 0)
      throw new Error(`there is no = in ${word}: ${keyword} takes NAME=VALUE; a value with spaces wants quotes`)
    if (equals === 0) throw new Error(`there is no name in ${word}`)
    return { name: word.slice(0, equals), value: word.slice(equals + 1) }
  })
  return { pairs, spaced: false }
}
