import { UsageError } from './usage-error.ts'

/** A template that makes a line of text of a value. */
export type Template = (value: unknown) => string

/**
 * The part of Go's text/template that people use with `--format`: fields, `json`, `join`, `split`, `index`, `len`, `upper`, `lower`,
 * `println`, `printf`, comparisons, `if`, `else`, `range`, `with`, variables, pipes, and `{{-` that trims. A field that is written in
 * another case is found, and one that is not there is `<no value>`.
 *
 * @throws PLY_USAGE for what is no template
 */
export function goTemplate(text: string): Template {
  const source = text === 'json' ? '{{json .}}' : text
  const body = new Parser(tokensOf(source)).all()
  return (value) => body(new Scope(value, new Map([['$', value]])))
}

/** The columns and the header of `table {{.ID}}\t{{.Size}}`; `undefined` for any other template. */
export function tableHeader(text: string): { readonly template: string; readonly header: string } | undefined {
  const match = /^table\s+(.*)$/s.exec(text)
  if (match === null) return undefined
  const template = match[1]!
  const header = template.replace(/\{\{.*?\}\}/gs, (action) => {
    const field = /\.([A-Za-z]\w*)[^.\w]*\}\}$/.exec(action)?.[1] ?? ''
    return field.replace(/([a-z])([A-Z])/g, '$1 $2').toUpperCase()
  })
  return { template, header: unescaped(header) }
}

class Scope {
  readonly dot: unknown
  readonly variables: Map<string, unknown>

  constructor(dot: unknown, variables: Map<string, unknown>) {
    this.dot = dot
    this.variables = variables
  }

  with(dot: unknown): Scope {
    return new Scope(dot, new Map(this.variables))
  }
}

type Part = { readonly text: string } | { readonly action: string }
type Body = (scope: Scope) => string
type Value = (scope: Scope) => unknown

function tokensOf(source: string): Part[] {
  const parts: Part[] = []
  let trim = false
  for (let at = 0; at < source.length; ) {
    const open = source.indexOf('{{', at)
    let text = source.slice(at, open < 0 ? source.length : open)
    if (trim) text = text.trimStart()
    if (open < 0) {
      parts.push({ text: unescaped(text) })
      break
    }
    const close = endOfAction(source, open + 2)
    let action = source.slice(open + 2, close)
    if (/^-\s/.test(action)) {
      text = text.trimEnd()
      action = action.slice(1)
    }
    trim = /\s-$/.test(action)
    if (trim) action = action.slice(0, -1)
    parts.push({ text: unescaped(text) }, { action: action.trim() })
    at = close + 2
  }
  return parts
}

/** Where an action ends: braces in quotes are no end. */
function endOfAction(source: string, from: number): number {
  let quote = ''
  for (let at = from; at < source.length; at++) {
    const character = source[at]!
    if (quote !== '') {
      if (character === '\\' && quote === '"') at++
      else if (character === quote) quote = ''
    } else if (character === '"' || character === '`') quote = character
    else if (source.startsWith('}}', at)) return at
  }
  throw new UsageError(`--format: an action is not closed: ${source.slice(from - 2)}`)
}

/** A tab and a line break as a shell passes them on in quotes. */
function unescaped(text: string): string {
  return text.replace(/\\([nt\\])/g, (_, character: string) =>
    character === 'n' ? '\n' : character === 't' ? '\t' : '\\',
  )
}

class Parser {
  readonly #parts: readonly Part[]
  #at = 0

  constructor(parts: readonly Part[]) {
    this.#parts = parts
  }

  all(): Body {
    const { body, end } = this.#until()
    if (end !== undefined) throw new UsageError(`--format: unexpected {{${end}}}`)
    return body
  }

  /** As far as an `end` or `else` of what is open. */
  #until(): { readonly body: Body; readonly end: string | undefined } {
    const bodies: Body[] = []
    const body: Body = (scope) => bodies.map((one) => one(scope)).join('')
    while (this.#at < this.#parts.length) {
      const part = this.#parts[this.#at++]!
      if ('text' in part) {
        const { text } = part
        bodies.push(() => text)
        continue
      }
      const { action } = part
      const [word = ''] = /^\w+/.exec(action) ?? []
      if (word === 'end' || word === 'else') return { body, end: action }
      if (action.startsWith('/*')) continue
      if (word === 'if' || word === 'range' || word === 'with')
        bodies.push(this.#block(word, action.slice(word.length).trim()))
      else bodies.push(actionOf(action))
    }
    return { body, end: undefined }
  }

  #block(word: 'if' | 'range' | 'with', condition: string): Body {
    const declared = word === 'range' ? /^(?:(\$\w+)\s*,\s*)?(\$\w+)\s*:=\s*(.*)$/s.exec(condition) : null
    const value = new Expression(declared?.[3] ?? condition).whole()
    const { body, end } = this.#until()
    let otherwise: Body = () => ''
    if (end?.startsWith('else')) {
      const next = /^else\s+if\s+(.*)$/s.exec(end)?.[1]
      if (next !== undefined) otherwise = this.#block('if', next)
      else {
        const rest = this.#until()
        if (rest.end !== 'end') throw new UsageError('--format: {{else}} without {{end}}')
        otherwise = rest.body
      }
    } else if (end !== 'end') throw new UsageError(`--format: {{${word}}} without {{end}}`)
    return (scope) => {
      const found = value(scope)
      if (!isTrue(found)) return otherwise(scope)
      if (word === 'if') return body(scope)
      if (word === 'with') return body(scope.with(found))
      return entriesOf(found)
        .map(([key, one]) => {
          const inner = scope.with(one)
          if (declared?.[1] !== undefined) inner.variables.set(declared[1], key)
          if (declared?.[2] !== undefined) inner.variables.set(declared[2], one)
          return body(inner)
        })
        .join('')
    }
  }
}

function actionOf(action: string): Body {
  const declared = /^(\$\w+)\s*:?=\s*(.*)$/s.exec(action)
  if (declared !== null) {
    const value = new Expression(declared[2]!).whole()
    return (scope) => {
      scope.variables.set(declared[1]!, value(scope))
      return ''
    }
  }
  const value = new Expression(action).whole()
  return (scope) => shown(value(scope))
}

const lexeme =
  /\s*(?:("(?:[^"\\]|\\.)*"|`[^`]*`)|(-?\d+(?:\.\d+)?)|(\$\w*(?:\.\w+)*|(?:\.[\p{L}_][\w-]*)+|\.)|(\w+)|([()|]))/uy

class Expression {
  readonly #words: { readonly kind: 'text' | 'number' | 'field' | 'name' | 'sign'; readonly text: string }[] = []
  readonly #source: string
  #at = 0

  constructor(source: string) {
    this.#source = source
    lexeme.lastIndex = 0
    for (let end = 0; source.slice(end).trim() !== ''; end = lexeme.lastIndex) {
      const match = lexeme.exec(source)
      if (match === null) throw new UsageError(`--format: not understood: {{${source}}}`)
      const kinds = ['text', 'number', 'field', 'name', 'sign'] as const
      const index = match.slice(1).findIndex((one) => one !== undefined)
      this.#words.push({ kind: kinds[index]!, text: match[index + 1]! })
    }
  }

  whole(): Value {
    const value = this.#pipeline()
    if (this.#at < this.#words.length) throw new UsageError(`--format: not understood: {{${this.#source}}}`)
    return value
  }

  #pipeline(): Value {
    let value = this.#command(undefined)
    while (this.#words[this.#at]?.text === '|') {
      this.#at++
      value = this.#command(value)
    }
    return value
  }

  #command(piped: Value | undefined): Value {
    const first = this.#words[this.#at]
    if (first?.kind === 'name' && Object.hasOwn(functions, first.text)) {
      this.#at++
      const call = functions[first.text]!
      const words: Value[] = []
      for (;;) {
        const next = this.#words[this.#at]
        if (next === undefined || next.text === ')' || next.text === '|') break
        words.push(this.#operand())
      }
      if (piped !== undefined) words.push(piped)
      return (scope) => call(...words.map((word) => word(scope)))
    }
    if (piped !== undefined) throw new UsageError(`--format: no function behind the pipe: {{${this.#source}}}`)
    return this.#operand()
  }

  #operand(): Value {
    const word = this.#words[this.#at++]
    if (word === undefined) throw new UsageError(`--format: not understood: {{${this.#source}}}`)
    switch (word.kind) {
      case 'text': {
        const text = word.text.startsWith('`')
          ? word.text.slice(1, -1)
          : unescaped(word.text.slice(1, -1)).replace(/\\"/g, '"')
        return () => text
      }
      case 'number': {
        const number = Number(word.text)
        return () => number
      }
      case 'field': {
        const [root = '', ...names] = word.text.split('.')
        return (scope) => {
          let value = root === '' ? scope.dot : scope.variables.get(root)
          for (const name of names) if (name !== '') value = fieldOf(value, name)
          return value
        }
      }
      case 'name': {
        if (word.text === 'true' || word.text === 'false') return () => word.text === 'true'
        if (word.text === 'nil') return () => undefined
        if (Object.hasOwn(functions, word.text)) {
          this.#at--
          return this.#command(undefined)
        }
        throw new UsageError(
          `--format: there is no function ${word.text}; known are ${Object.keys(functions).join(', ')}`,
        )
      }
      case 'sign': {
        if (word.text !== '(') throw new UsageError(`--format: not understood: {{${this.#source}}}`)
        const value = this.#pipeline()
        if (this.#words[this.#at++]?.text !== ')')
          throw new UsageError(`--format: a parenthesis is not closed: {{${this.#source}}}`)
        return value
      }
      default:
        return word.kind satisfies never
    }
  }
}

const functions: Readonly<Record<string, (...words: readonly unknown[]) => unknown>> = {
  json: (value) => JSON.stringify(value ?? null, (_, inner) => (typeof inner === 'bigint' ? Number(inner) : inner)),
  join: (list, between) => (Array.isArray(list) ? list.map(shown).join(shown(between)) : ''),
  split: (text, between) => shown(text).split(shown(between)),
  index: (value, ...keys) =>
    keys.reduce((at, key) => (at === undefined || at === null ? undefined : (at as never)[key as never]), value),
  len: (value) => (typeof value === 'string' ? Buffer.byteLength(value) : entriesOf(value).length),
  upper: (text) => shown(text).toUpperCase(),
  lower: (text) => shown(text).toLowerCase(),
  title: (text) => shown(text).replace(/\b[a-z]/g, (letter) => letter.toUpperCase()),
  print: (...words) => words.map(shown).join(' '),
  println: (...words) => `${words.map(shown).join(' ')}\n`,
  printf: (format, ...words) => printed(shown(format), words),
  truncate: (text, length) => shown(text).slice(0, Number(length)),
  eq: (a, ...others) => others.some((b) => a === b),
  ne: (a, b) => a !== b,
  lt: (a, b) => (a as never) < (b as never),
  le: (a, b) => (a as never) <= (b as never),
  gt: (a, b) => (a as never) > (b as never),
  ge: (a, b) => (a as never) >= (b as never),
  not: (value) => !isTrue(value),
  and: (...words) => words.find((word) => !isTrue(word)) ?? words.at(-1),
  or: (...words) => words.find(isTrue) ?? words.at(-1),
}

function printed(format: string, words: readonly unknown[]): string {
  let next = 0
  return format.replace(/%([-0]?)(\d*)([sdvqx%])/g, (_, flag: string, width: string, verb: string) => {
    if (verb === '%') return '%'
    const word = words[next++]
    const text = verb === 'q' ? JSON.stringify(shown(word)) : verb === 'x' ? Number(word).toString(16) : shown(word)
    return flag === '-' ? text.padEnd(Number(width)) : text.padStart(Number(width), flag === '0' ? '0' : ' ')
  })
}

/** A member by its name, in any case where that leaves no doubt. */
function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  const members = value as Readonly<Record<string, unknown>>
  if (Object.hasOwn(members, name)) return members[name]
  const lower = name.toLowerCase()
  const key = Object.keys(members).find((one) => one.toLowerCase() === lower)
  return key === undefined ? undefined : members[key]
}

function entriesOf(value: unknown): readonly (readonly [unknown, unknown])[] {
  if (Array.isArray(value)) return value.map((one, index) => [index, one] as const)
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
}

function isTrue(value: unknown): boolean {
  if (typeof value === 'object' && value !== null)
    return Array.isArray(value) ? value.length > 0 : Object.keys(value).length > 0
  return Boolean(value)
}

/** As Go prints it. */
function shown(value: unknown): string {
  if (value === undefined || value === null) return '<no value>'
  if (Array.isArray(value)) return `[${value.map(shown).join(' ')}]`
  if (typeof value === 'object')
    return `map[${entriesOf(value)
      .map(([key, one]) => `${key}:${shown(one)}`)
      .join(' ')}]`
  return String(value)
}
