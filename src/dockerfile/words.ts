import { prefixMatcher, replacing, reversedPattern } from './pattern.ts'

/** What variables stand for: `undefined` for one that is not set. */
export type Variables = (name: string) => string | undefined

export interface WordOptions {
  /** What takes the meaning from the next character. Default: a backslash. */
  readonly escape?: string | undefined
  /** Quotes stay where they stand. */
  readonly rawQuotes?: boolean | undefined
  /** Quotes are characters like others. */
  readonly plainQuotes?: boolean | undefined
  /** Escapes stay where they stand. */
  readonly rawEscapes?: boolean | undefined
  /** A variable that is not set stays as it is written. */
  readonly keepUnset?: boolean | undefined
  /** Hears the name of each variable that is not set and has nothing said in its place. */
  readonly onUnset?: ((name: string) => void) | undefined
}

/**
 * A text of a Dockerfile with its quotes taken away and its variables put in, as one word: `$name`, `${name}`, `:-` `-` `:+` `+` `:?`
 * `?` `#` `##` `%` `%%` `/` `//`.
 *
 * @throws Error that says what is wrong with it
 */
export function expandWord(text: string, variables: Variables, options: WordOptions = {}): string {
  return new Words(text, variables, options).all().whole
}

/** As `expandWord`, cut into words at white space outside of quotes; what a variable brings is cut as well. */
export function expandWords(text: string, variables: Variables, options: WordOptions = {}): readonly string[] {
  return new Words(text, variables, options).all().words
}

interface Expanded {
  readonly whole: string
  readonly words: readonly string[]
}

/** One word after the other as they come together. */
class Gathering {
  whole = ''
  readonly words: string[] = []
  #word = ''
  /** Whether a word has begun, if only by empty quotes. */
  #begun = false

  /** What may be cut at white space. */
  loose(text: string): void {
    this.whole += text
    for (const character of text) {
      if (/\s/.test(character)) this.end()
      else {
        this.#word += character
        this.#begun = true
      }
    }
  }

  /** What stays together. */
  fixed(text: string): void {
    this.whole += text
    this.#word += text
    this.#begun = true
  }

  end(): void {
    if (this.#begun) this.words.push(this.#word)
    this.#word = ''
    this.#begun = false
  }
}

class Words {
  readonly #text: readonly string[]
  readonly #variables: Variables
  readonly #options: WordOptions
  readonly #escape: string
  #at = 0

  constructor(text: string, variables: Variables, options: WordOptions) {
    this.#text = Array.from(text)
    this.#variables = variables
    this.#options = options
    this.#escape = options.escape ?? '\\'
  }

  all(): Expanded {
    return this.#until(undefined, this.#options.rawEscapes === true)!
  }

  /** `undefined` where the end comes before what was looked for. */
  #until(stop: string | undefined, rawEscapes: boolean): Expanded | undefined {
    const made = new Gathering()
    for (;;) {
      const character = this.#text[this.#at]
      if (character === undefined) {
        if (stop !== undefined) return undefined
        break
      }
      if (character === stop) {
        this.#at++
        break
      }
      const quotes = this.#options.plainQuotes !== true
      if (quotes && character === "'") made.fixed(this.#single())
      else if (quotes && character === '"') made.fixed(this.#double(rawEscapes))
      else if (character === '$') made.loose(this.#dollar())
      else if (character === this.#escape) {
        this.#at++
        if (rawEscapes) made.fixed(character)
        const next = this.#text[this.#at++]
        if (next !== undefined) made.fixed(next)
      } else {
        this.#at++
        made.loose(character)
      }
    }
    made.end()
    return made
  }

  /** Everything between single quotes is what it is. */
  #single(): string {
    const end = this.#text.indexOf("'", this.#at + 1)
    if (end < 0) throw new Error('a single quote is not closed')
    const inside = this.#text.slice(this.#at + 1, end).join('')
    this.#at = end + 1
    return this.#options.rawQuotes ? `'${inside}'` : inside
  }

  /** Between double quotes only a dollar and an escape before a quote, a dollar or an escape mean something. */
  #double(rawEscapes: boolean): string {
    let made = this.#options.rawQuotes ? '"' : ''
    for (this.#at++; ; ) {
      const character = this.#text[this.#at]
      if (character === undefined) throw new Error('a double quote is not closed')
      if (character === '$') {
        made += this.#dollar()
        continue
      }
      this.#at++
      if (character === '"') return this.#options.rawQuotes ? `${made}"` : made
      if (character !== this.#escape) {
        made += character
        continue
      }
      if (rawEscapes) made += character
      const next = this.#text[this.#at]
      if (next === undefined) continue
      const meant = next === '"' || next === '$' || next === this.#escape
      if (meant) this.#at++
      made += meant ? next : rawEscapes ? '' : character
    }
  }

  #dollar(): string {
    this.#at++
    if (this.#text[this.#at] !== '{') {
      const name = this.#name()
      return name === '' ? '$' : this.#plain(name, `$${name}`)
    }
    this.#at++
    const name = this.#name()
    const modifier = this.#text[this.#at++]
    if (name === '' && modifier !== undefined) throw new Error('a substitution without a name: bad substitution')
    switch (modifier) {
      case undefined:
        throw new Error(`a brace is not closed after \${${name}`)
      case '}':
        return this.#plain(name, `\${${name}}`)
      case ':':
        return this.#modified(name, this.#text[this.#at++] ?? '', true)
      case '/':
        return this.#replaced(name)
      default:
        return this.#modified(name, modifier, false)
    }
  }

  #plain(name: string, written: string): string {
    const value = this.#variables(name)
    if (value !== undefined) return value
    this.#options.onUnset?.(name)
    return this.#options.keepUnset ? written : ''
  }

  /** @param emptyToo an empty value counts as none */
  #modified(name: string, modifier: string, emptyToo: boolean): string {
    const colon = emptyToo ? ':' : ''
    if (!'-+?#%'.includes(modifier) || modifier === '' || (emptyToo && '#%'.includes(modifier)))
      throw new Error(`\${${name}${colon}${modifier}…}: there is no such modifier`)
    const word = this.#inside(name, '}', modifier === '#' || modifier === '%')
    const value = this.#variables(name)
    if (value === undefined && this.#options.keepUnset) return `\${${name}${colon}${modifier}${word}}`
    const missing = value === undefined || (emptyToo && value === '')
    switch (modifier) {
      case '-':
        return missing ? word : value
      case '+':
        return missing ? '' : word
      case '?':
        if (!missing) return value
        if (word !== '') throw new Error(`${name}: ${word}`)
        throw new Error(`${name}: is not allowed to be ${value === undefined ? 'unset' : 'empty'}`)
      default: {
        if (value === undefined) this.#options.onUnset?.(name)
        const greedy = word.startsWith(modifier)
        const pattern = greedy ? word.slice(1) : word
        if (modifier === '#') return (value ?? '').slice(prefixMatcher(pattern, greedy)(value ?? ''))
        // The shortest match at the end is the shortest at the front of both turned round.
        const turned = Array.from(value ?? '').reverse()
        const length = prefixMatcher(reversedPattern(pattern), greedy)(turned.join(''))
        return Array.from(turned.join('').slice(length)).reverse().join('')
      }
    }
  }

  #replaced(name: string): string {
    const all = this.#text[this.#at] === '/'
    if (all) this.#at++
    const pattern = this.#inside(name, '/', true)
    const replacement = this.#inside(name, '}', true)
    const value = this.#variables(name)
    if (value !== undefined) return replacing(value, pattern, replacement, all)
    this.#options.onUnset?.(name)
    return this.#options.keepUnset ? `\${${name}${all ? '//' : '/'}${pattern}/${replacement}}` : ''
  }

  #inside(name: string, stop: string, rawEscapes: boolean): string {
    const inside = this.#until(stop, rawEscapes)
    if (inside === undefined) throw new Error(`a brace is not closed after \${${name}`)
    return inside.whole
  }

  /** Letters, digits and underscores; digits alone where one is in front; or one of a shell's own parameters. */
  #name(): string {
    const from = this.#at
    const first = this.#text[from] ?? ''
    if (/\d/.test(first)) while (/\d/.test(this.#text[this.#at] ?? '')) this.#at++
    else if ('@*#?-$!'.includes(first) && first !== '') this.#at++
    else while (/[\p{L}\p{Nd}_]/u.test(this.#text[this.#at] ?? '')) this.#at++
    return this.#text.slice(from, this.#at).join('')
  }
}
