import { PlyError } from '../../model/errors.ts'

export type TomlValue = string | number | boolean | readonly TomlValue[] | TomlTable
export interface TomlTable {
  [name: string]: TomlValue
}

/**
 * A file of settings in TOML 1.0, as far as files about registries go: tables, lists of tables, inline tables, texts in
 * both kinds of quotes, whole numbers, booleans, lists over several lines. Dates and fractions are refused.
 *
 * @throws PLY_BAD_DOCUMENT naming the line
 */
export function parseToml(text: string, what: string): TomlTable {
  const root: TomlTable = Object.create(null)
  const reader = new Reader(text, what)
  let table = root
  for (reader.skip(true); !reader.ended; reader.skip(true)) {
    if (reader.eat('[[')) {
      table = appended(root, reader.keys(), reader)
      reader.expect(']]')
    } else if (reader.eat('[')) {
      table = tableAt(root, reader.keys(), reader)
      reader.expect(']')
    } else reader.assign(table)
    reader.lineEnd()
  }
  return root
}

function tableAt(root: TomlTable, keys: readonly string[], reader: Reader): TomlTable {
  let table = root
  for (const key of keys) {
    const there = (table[key] ??= Object.create(null) as TomlTable)
    const inner = Array.isArray(there) ? there.at(-1) : there
    if (typeof inner !== 'object' || Array.isArray(inner)) throw reader.bad(`${key} is no table`)
    table = inner as TomlTable
  }
  return table
}

function appended(root: TomlTable, keys: readonly string[], reader: Reader): TomlTable {
  const parent = tableAt(root, keys.slice(0, -1), reader)
  const name = keys.at(-1)!
  const list = (parent[name] ??= []) as TomlValue[]
  if (!Array.isArray(list)) throw reader.bad(`${name} is no list of tables`)
  const table: TomlTable = Object.create(null)
  list.push(table)
  return table
}

const escapes: Readonly<Record<string, string>> = { b: '\b', t: '\t', n: '\n', f: '\f', r: '\r', '"': '"', '\\': '\\' }

class Reader {
  readonly #text: string
  readonly #what: string
  #at = 0
  #depth = 0

  constructor(text: string, what: string) {
    this.#text = text.replace(/^\ufeff/, '')
    this.#what = what
  }

  get ended(): boolean {
    return this.#at >= this.#text.length
  }

  bad(reason: string): PlyError {
    const line = this.#text.slice(0, this.#at).split('\n').length
    return new PlyError('PLY_BAD_DOCUMENT', { what: this.#what, reason: `line ${line}: ${reason}` })
  }

  /** White space and comments; line ends too, with `lines`. */
  skip(lines: boolean): void {
    this.#match(lines ? /(?:[ \t\r\n]+|#[^\n]*)*/y : /[ \t]*(?:#[^\n]*)?/y)
  }

  eat(mark: string): boolean {
    if (!this.#text.startsWith(mark, this.#at)) return false
    this.#at += mark.length
    return true
  }

  expect(mark: string): void {
    this.skip(false)
    if (!this.eat(mark)) throw this.bad(`${mark} is missing`)
  }

  lineEnd(): void {
    this.skip(false)
    if (!this.ended && this.#match(/\r?\n/y) === undefined) throw this.bad('there is more than belongs on the line')
  }

  keys(): string[] {
    const keys: string[] = []
    do {
      this.skip(false)
      const bare = this.#match(/[A-Za-z0-9_-]+/y)
      keys.push(
        bare ??
          (this.#text[this.#at] === '"' || this.#text[this.#at] === "'"
            ? this.#quoted()
            : this.#fail('a name is missing')),
      )
      this.skip(false)
    } while (this.eat('.'))
    return keys
  }

  assign(table: TomlTable): void {
    const keys = this.keys()
    this.expect('=')
    this.skip(false)
    const parent = tableAt(table, keys.slice(0, -1), this)
    const name = keys.at(-1)!
    if (name in parent) throw this.bad(`${name} is said twice`)
    parent[name] = this.#value()
  }

  #value(): TomlValue {
    if (++this.#depth > 50) throw this.bad('it is nested too deeply')
    try {
      const next = this.#text[this.#at]
      if (next === '"' || next === "'") return this.#quoted()
      if (this.eat('[')) return this.#list()
      if (this.eat('{')) return this.#inline()
      const word = this.#match(/[A-Za-z0-9_+.:-]+/y) ?? this.#fail('a value is missing')
      if (word === 'true' || word === 'false') return word === 'true'
      if (/^[+-]?\d+(?:_\d+)*$/.test(word)) return Number(word.replaceAll('_', ''))
      throw this.bad(`${word} is no value that is read here`)
    } finally {
      this.#depth--
    }
  }

  #list(): TomlValue[] {
    const list: TomlValue[] = []
    for (this.skip(true); !this.eat(']'); this.skip(true)) {
      list.push(this.#value())
      this.skip(true)
      if (!this.eat(',') && this.#text[this.#at] !== ']') throw this.bad('a list is not closed')
    }
    return list
  }

  #inline(): TomlTable {
    const table: TomlTable = Object.create(null)
    for (this.skip(false); !this.eat('}'); this.skip(false)) {
      this.assign(table)
      this.skip(false)
      if (!this.eat(',') && this.#text[this.#at] !== '}') throw this.bad('a table is not closed')
    }
    return table
  }

  #quoted(): string {
    if (this.#text.startsWith('"""', this.#at) || this.#text.startsWith("'''", this.#at))
      throw this.bad('texts over several lines are not read here')
    const literal = this.#match(/'[^'\n]*'/y)
    if (literal !== undefined) return literal.slice(1, -1)
    const basic = this.#match(/"(?:[^"\\\n]|\\[btnfr"\\]|\\u[0-9a-fA-F]{4}|\\U[0-9a-fA-F]{8})*"/y)
    if (basic === undefined) throw this.bad('a text is not closed')
    return basic
      .slice(1, -1)
      .replace(/\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))/g, (_, short?: string, long?: string, one?: string) =>
        one !== undefined ? escapes[one]! : String.fromCodePoint(Number.parseInt(short ?? long!, 16)),
      )
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0]
    if (found !== undefined) this.#at += found.length
    return found
  }

  #fail(reason: string): never {
    throw this.bad(reason)
  }
}
