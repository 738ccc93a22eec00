import { expandWords } from './words.ts'

/** What a word says of the text that stands under its instruction. */
export interface HeredocWord {
  readonly name: string
  readonly expand: boolean
  readonly chomp: boolean
  readonly descriptor: number
}

const heredocWord = /^(\d*)<<(-?)([^<]*)$/

/** The words of a line that ask for a text under it, in their order. */
export function heredocWords(line: string): readonly HeredocWord[] {
  if (!line.includes('<<')) return []
  let words: readonly string[]
  try {
    words = expandWords(line, () => undefined, { rawQuotes: true, rawEscapes: true, keepUnset: true })
  } catch {
    // What is wrong with the quotes of a line is said where it is carried out, or by its shell.
    return []
  }
  return words.flatMap((word, at) => {
    const [, digits = '', dash = '', beside = ''] = heredocWord.exec(word) ?? []
    // A shell takes the name behind white space too.
    const apart = beside === '' && /^\d*<<-?$/.test(word) ? /^(["']?)[A-Za-z_]\w*\1$/.exec(words[at + 1] ?? '') : null
    const written = apart?.[0] ?? beside
    const name = written.replace(/["'\\]/g, '')
    if (name === '') return []
    return { name, expand: !/["'\\]/.test(written), chomp: dash === '-', descriptor: Number(digits) }
  })
}

/** Whether lines of an instruction may ask for texts under them. */
export function mayHaveHeredocs(line: string): boolean {
  return /^\s*(?:onbuild\s+)?(?:run|copy|add)\s/i.test(line)
}

/** Behind which line a text ends, which begins at `from`: that line says its name alone; `undefined` where none does. */
export function endOfHeredoc(
  lines: readonly string[],
  from: number,
  { name, chomp }: Pick<HeredocWord, 'name' | 'chomp'>,
): number | undefined {
  for (let at = from; at < lines.length; at++) {
    const line = lines[at]!.replace(/\r+$/, '')
    if ((chomp ? line.replace(/^\t+/, '') : line) === name) return at
  }
  return undefined
}
