import { PlyError } from '../model/errors.ts'
import {
  type CheckRules,
  defaultRules,
  defaultSecrets,
  type Forbidden,
  type RuleName,
  ruleNames,
  type SecretRules,
  type Severity,
} from './rules.ts'

/**
 * Rules from the value of a JSON or TOML document: docs/check.md has all of them. Everything is checked: a word that means nothing would
 * be a rule that nobody keeps.
 *
 * @throws PLY_USAGE with the place in the document
 */
export function checkRules(document: unknown): CheckRules {
  const all = new Section(document, '')
  const size = all.section('size')
  const efficiency = all.section('efficiency')
  const paths = all.section('paths')
  const rules: CheckRules = {
    size: {
      image: size.bytes('image'),
      contents: size.bytes('contents'),
      layer: size.bytes('layer'),
      file: size.bytes('file'),
      layers: size.number('layers'),
    },
    efficiency: {
      min: efficiency.share('min'),
      dive: efficiency.share('dive'),
      wasted: efficiency.bytes('wasted'),
    },
    paths: {
      forbidden: paths.texts('forbidden'),
      required: paths.texts('required'),
      everyLayer: paths.truth('every-layer') ?? true,
    },
    setId: forbidden(all, 'set-id'),
    worldWritable: forbidden(all, 'world-writable'),
    capabilities: forbidden(all, 'capabilities'),
    secrets: secretRules(all),
    labels: all.texts('labels'),
    severity: severities(all.section('severity')),
    ignore: all.sections('ignore').map((one) => {
      const ignore = { rule: one.choice('rule', ruleNames), path: one.text('path'), reason: one.text('reason') }
      one.end()
      if (ignore.rule === undefined && ignore.path === undefined) throw one.wrong('', 'says neither rule nor path')
      return ignore
    }),
  }
  for (const section of [size, efficiency, paths, all]) section.end()
  return rules
}

/** `true`, or a table with `allow`. */
function forbidden(all: Section, name: string): Forbidden | undefined {
  if (all.isTruth(name)) return all.truth(name) === true ? { allow: [] } : undefined
  if (!all.has(name)) return undefined
  const section = all.section(name)
  const allow = section.texts('allow')
  section.end()
  return { allow }
}

function secretRules(all: Section): SecretRules | undefined {
  if (all.isTruth('secrets')) return all.truth('secrets') === true ? defaultSecrets : undefined
  if (!all.has('secrets')) return undefined
  const section = all.section('secrets')
  const named = section.section('patterns')
  const patterns: Record<string, RegExp> = {}
  for (const name of named.names) {
    const text = named.text(name)!
    try {
      patterns[name] = new RegExp(text)
    } catch (error) {
      throw named.wrong(name, (error as Error).message)
    }
  }
  const rules = {
    layers: section.choice('layers', ['all', 'visible'] as const) ?? defaultSecrets.layers,
    fileLimit: section.bytes('file-limit') ?? defaultSecrets.fileLimit,
    totalLimit: section.bytes('total-limit') ?? defaultSecrets.totalLimit,
    builtIn: section.truth('built-in') ?? true,
    patterns,
    allow: section.texts('allow'),
  }
  section.end()
  return rules
}

function severities(section: Section): Partial<Record<RuleName, Severity>> {
  const found: Partial<Record<RuleName, Severity>> = { ...defaultRules.severity }
  for (const name of section.names) {
    if (!(ruleNames as readonly string[]).includes(name)) throw section.wrong(name, 'is no rule')
    found[name as RuleName] = section.choice(name, ['error', 'warning'] as const)!
  }
  return found
}

const units: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
}

/** A table of the document, of which every word has to be asked for. */
class Section {
  readonly #values: Readonly<Record<string, unknown>>
  readonly #at: string
  readonly #left: Set<string>

  constructor(value: unknown, at: string) {
    this.#at = at
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw this.wrong('', 'is no table')
    this.#values = value as Readonly<Record<string, unknown>>
    this.#left = new Set(Object.keys(value))
  }

  get names(): readonly string[] {
    return Object.keys(this.#values)
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#values, name)
  }

  isTruth(name: string): boolean {
    return this.has(name) && typeof this.#values[name] === 'boolean'
  }

  section(name: string): Section {
    return new Section(this.#take(name) ?? {}, this.#place(name))
  }

  sections(name: string): Section[] {
    const value = this.#take(name) ?? []
    if (!Array.isArray(value)) throw this.wrong(name, 'is no list of tables')
    return value.map((one, index) => new Section(one, `${this.#place(name)}[${index}]`))
  }

  text(name: string): string | undefined {
    const value = this.#take(name)
    if (value !== undefined && typeof value !== 'string') throw this.wrong(name, 'is no text')
    return value
  }

  texts(name: string): readonly string[] {
    const value = this.#take(name) ?? []
    if (!Array.isArray(value) || value.some((one) => typeof one !== 'string'))
      throw this.wrong(name, 'is no list of texts')
    return value as string[]
  }

  truth(name: string): boolean | undefined {
    const value = this.#take(name)
    if (value !== undefined && typeof value !== 'boolean') throw this.wrong(name, 'is neither true nor false')
    return value
  }

  choice<T extends string>(name: string, of: readonly T[]): T | undefined {
    const value = this.text(name)
    if (value !== undefined && !(of as readonly string[]).includes(value))
      throw this.wrong(name, `is none of ${of.join(', ')}`)
    return value as T | undefined
  }

  number(name: string): number | undefined {
    const value = this.#take(name)
    if (value === undefined) return undefined
    const number = typeof value === 'bigint' ? Number(value) : value
    if (typeof number !== 'number' || !(number >= 0)) throw this.wrong(name, 'is no number')
    return number
  }

  share(name: string): number | undefined {
    const number = this.number(name)
    if (number !== undefined && number > 1) throw this.wrong(name, 'is a share from 0 to 1')
    return number
  }

  /** A number of bytes, or one with a unit: `200MB`, `1.5 GiB`. */
  bytes(name: string): number | undefined {
    if (typeof this.#values[name] !== 'string') return this.number(name)
    const [, number, unit = ''] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(this.text(name)!) ?? []
    const factor = Object.hasOwn(units, unit.toLowerCase()) ? units[unit.toLowerCase()] : undefined
    if (number === undefined || factor === undefined)
      throw this.wrong(name, 'is no size, such as 200MB, 1.5GiB or a number of bytes')
    return Math.floor(Number(number) * factor)
  }

  /** @throws PLY_USAGE if there is a word that nobody asked for */
  end(): void {
    for (const name of this.#left) throw this.wrong(name, 'is not known here')
  }

  wrong(name: string, what: string): PlyError {
    const place = this.#place(name)
    return new PlyError('PLY_USAGE', { reason: `in the rules: ${place === '' ? 'the document' : place} ${what}` })
  }

  #take(name: string): unknown {
    this.#left.delete(name)
    return this.has(name) ? this.#values[name] : undefined
  }

  #place(name: string): string {
    return [this.#at, name].filter((part) => part !== '').join('.')
  }
}
