import { encodeText } from '../model/bytes.ts'
import type { Kind } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'
import { parseMode } from './modes.ts'

/** A number as find(1) takes it: `+5` more, `-5` less, `5` exactly. */
export interface Comparison {
  readonly is: 'more' | 'less' | 'exactly'
  readonly than: number
}

/** What one primary of an expression asks of a name. */
export type FindTest =
  | { readonly test: 'name' | 'path' | 'target'; readonly pattern: string; readonly ignoreCase: boolean }
  | { readonly test: 'type'; readonly kinds: readonly Kind[] }
  /** The size in units, of which a part counts whole. */
  | { readonly test: 'size'; readonly unit: number; readonly size: Comparison }
  /** Modified later than a path of the tree, or than a time in nanoseconds since the epoch. */
  | { readonly test: 'newer'; readonly path: string }
  | { readonly test: 'newerTime'; readonly time: bigint }
  /** How long ago it was modified, in units of so many seconds. */
  | { readonly test: 'age'; readonly seconds: number; readonly age: Comparison }
  | { readonly test: 'mode'; readonly mode: number; readonly bits: 'exactly' | 'all' | 'any' }
  | { readonly test: 'user' | 'group'; readonly name: string }
  | { readonly test: 'uid' | 'gid' | 'links' | 'inode'; readonly number: Comparison }
  | { readonly test: 'sameFile'; readonly path: string }
  | { readonly test: 'empty' | 'noUser' | 'noGroup' | 'true' | 'false' }

export type FindAction = 'print' | 'print0' | 'ls'

/** An expression of find(1). */
export type FindExpression =
  | { readonly is: 'and' | 'or' | 'list'; readonly left: FindExpression; readonly right: FindExpression }
  | { readonly is: 'not'; readonly of: FindExpression }
  | { readonly is: 'test'; readonly test: FindTest }
  | { readonly is: 'action'; readonly action: FindAction }
  | { readonly is: 'prune' }
  | { readonly is: 'quit' }

/** What to look for, and where to stop. */
export interface FindPlan {
  readonly expression: FindExpression
  readonly minDepth: number
  readonly maxDepth: number
  /** A directory after what is in it. */
  readonly contentsFirst: boolean
}

/**
 * An expression as find(1) reads it: -name -iname -path -wholename -ipath -lname -type -size -newer -newermt -mtime -mmin -perm -user
 * -group -uid -gid -nouser -nogroup -links -inum -samefile -empty -true -false, -print -print0 -ls -prune -quit, -maxdepth -mindepth
 * -depth -xdev, and ! -not -a -and -o -or , with parentheses. Without an action what matches is printed.
 *
 * @throws PLY_USAGE for what is no expression, or would change something
 */
export function parseFind(words: readonly string[]): FindPlan {
  const parser = new Parser(words)
  const parsed = words.length === 0 || parser.onlyOptions() ? undefined : parser.list()
  parser.end()
  const { minDepth, maxDepth, contentsFirst, acts } = parser
  const print: FindExpression = { is: 'action', action: 'print' }
  const expression = parsed === undefined ? print : acts ? parsed : ({ is: 'and', left: parsed, right: print } as const)
  return { expression, minDepth, maxDepth, contentsFirst }
}

const kinds: Readonly<Record<string, Kind>> = {
  f: 'file',
  d: 'directory',
  l: 'symlink',
  c: 'character',
  b: 'block',
  p: 'fifo',
  s: 'socket',
}
const sizeUnits: Readonly<Record<string, number>> = { c: 1, w: 2, b: 512, k: 2 ** 10, M: 2 ** 20, G: 2 ** 30 }
const changing = new Set(['-exec', '-execdir', '-ok', '-okdir', '-delete', '-fprint', '-fprint0', '-fls', '-fprintf'])
const day = 86_400

class Parser {
  minDepth = 0
  maxDepth = Number.POSITIVE_INFINITY
  contentsFirst = false
  /** Whether an action was named. */
  acts = false
  readonly #words: readonly string[]
  #at = 0

  constructor(words: readonly string[]) {
    this.#words = words
  }

  /** Options in front of everything are no part of the expression: with nothing behind them there is none. */
  onlyOptions(): boolean {
    while (this.#option()) if (this.#at === this.#words.length) return true
    return false
  }

  list(): FindExpression {
    let left = this.#or()
    while (this.#take(',')) left = { is: 'list', left, right: this.#or() }
    return left
  }

  end(): void {
    if (this.#at < this.#words.length) throw usage(`unexpected in the expression: ${this.#words[this.#at]}`)
  }

  #or(): FindExpression {
    let left = this.#and()
    while (this.#take('-o', '-or')) left = { is: 'or', left, right: this.#and() }
    return left
  }

  #and(): FindExpression {
    let left = this.#not()
    for (;;) {
      const next = this.#words[this.#at]
      if (next === undefined || [')', ',', '-o', '-or'].includes(next)) return left
      this.#take('-a', '-and')
      left = { is: 'and', left, right: this.#not() }
    }
  }

  #not(): FindExpression {
    if (this.#take('!', '-not')) return { is: 'not', of: this.#not() }
    if (this.#take('(', '\\(')) {
      const inside = this.list()
      if (!this.#take(')', '\\)')) throw usage('a parenthesis in the expression is not closed')
      return inside
    }
    return this.#primary()
  }

  #option(): boolean {
    const word = this.#words[this.#at]
    if (word === '-maxdepth') this.maxDepth = this.#depth()
    else if (word === '-mindepth') this.minDepth = this.#depth()
    else if (word === '-depth' || word === '-d') this.contentsFirst = this.#take(word)
    else if (word !== undefined && ['-xdev', '-mount', '-noleaf'].includes(word)) this.#at++
    else return false
    return true
  }

  #depth(): number {
    const [option] = this.#words.slice(this.#at++)
    const value = this.#argument(option!)
    if (!/^\d{1,9}$/.test(value)) throw usage(`${option} wants a number, not ${value}`)
    return Number(value)
  }

  #primary(): FindExpression {
    if (this.#option()) return test({ test: 'true' })
    const word = this.#words[this.#at++]
    switch (word) {
      case undefined:
        throw usage('the expression ends too early')
      case '-print':
      case '-print0':
      case '-ls':
        this.acts = true
        return { is: 'action', action: word.slice(1) as FindAction }
      case '-prune':
        return { is: 'prune' }
      case '-quit':
        this.acts = true
        return { is: 'quit' }
      default:
        return test(this.#test(word))
    }
  }

  #test(word: string): FindTest {
    const argument = () => this.#argument(word)
    switch (word) {
      case '-name':
      case '-iname':
        return { test: 'name', pattern: argument(), ignoreCase: word === '-iname' }
      case '-path':
      case '-wholename':
      case '-ipath':
      case '-iwholename':
        return { test: 'path', pattern: argument(), ignoreCase: word.startsWith('-i') }
      case '-lname':
      case '-ilname':
        return { test: 'target', pattern: argument(), ignoreCase: word === '-ilname' }
      case '-type':
        return { test: 'type', kinds: argument().split(',').map(kindOf) }
      case '-size':
        return sizeTest(argument())
      case '-newer':
        return { test: 'newer', path: encodeText(argument()) }
      case '-newermt':
        return { test: 'newerTime', time: timeOf(argument()) }
      case '-mtime':
        return { test: 'age', seconds: day, age: comparison(argument(), word) }
      case '-mmin':
        return { test: 'age', seconds: 60, age: comparison(argument(), word) }
      case '-perm':
        return modeTest(argument())
      case '-user':
        return { test: 'user', name: argument() }
      case '-group':
        return { test: 'group', name: argument() }
      case '-uid':
      case '-gid':
      case '-links':
        return { test: word.slice(1) as 'uid', number: comparison(argument(), word) }
      case '-inum':
        return { test: 'inode', number: comparison(argument(), word) }
      case '-samefile':
        return { test: 'sameFile', path: encodeText(argument()) }
      case '-empty':
      case '-true':
      case '-false':
        return { test: word.slice(1) as 'empty' }
      case '-nouser':
        return { test: 'noUser' }
      case '-nogroup':
        return { test: 'noGroup' }
      default:
        if (changing.has(word))
          throw usage(`${word} would do something: trees are only looked at; pipe the names instead`)
        throw usage(`not known in an expression: ${word}`)
    }
  }

  #argument(of: string): string {
    const word = this.#words[this.#at++]
    if (word === undefined) throw usage(`${of} wants an argument`)
    return word
  }

  #take(...words: readonly string[]): boolean {
    const there = this.#at < this.#words.length && words.includes(this.#words[this.#at]!)
    if (there) this.#at++
    return there
  }
}

function test(of: FindTest): FindExpression {
  return { is: 'test', test: of }
}

function kindOf(letter: string): Kind {
  const kind = Object.hasOwn(kinds, letter) ? kinds[letter] : undefined
  if (kind === undefined) throw usage(`-type takes b, c, d, p, f, l and s, with commas between them, not ${letter}`)
  return kind
}

function comparison(text: string, of: string): Comparison {
  const match = /^([-+]?)(\d{1,15}(?:\.\d{1,9})?)$/.exec(text)
  if (match === null) throw usage(`${of} wants a number, with + for more and - for less, not ${text}`)
  return { is: match[1] === '+' ? 'more' : match[1] === '-' ? 'less' : 'exactly', than: Number(match[2]) }
}

function sizeTest(text: string): FindTest {
  const unit = sizeUnits[text.slice(-1)]
  return { test: 'size', unit: unit ?? 512, size: comparison(unit === undefined ? text : text.slice(0, -1), '-size') }
}

function modeTest(text: string): FindTest {
  if (text.startsWith('-')) return { test: 'mode', mode: parseMode(text.slice(1)), bits: 'all' }
  if (text.startsWith('/')) return { test: 'mode', mode: parseMode(text.slice(1)), bits: 'any' }
  return { test: 'mode', mode: parseMode(text), bits: 'exactly' }
}

/** RFC 3339, a date alone, or `@` and seconds since the epoch; what says no zone is UTC, as everything that is printed. */
function timeOf(text: string): bigint {
  const seconds = /^@(-?\d{1,15})$/.exec(text)
  if (seconds !== null) return BigInt(seconds[1]!) * 1_000_000_000n
  const zoned = /(?:Z|[-+]\d\d:?\d\d)$/.test(text) && text.includes(':')
  const time = Date.parse(/^\d{4}-\d\d-\d\d$/.test(text) || zoned ? text : `${text.replace(' ', 'T')}Z`)
  if (Number.isNaN(time)) throw usage(`-newermt wants a time such as 2026-01-31 or 2026-01-31T12:00:00Z, not ${text}`)
  return BigInt(time) * 1_000_000n
}

function usage(reason: string): PlyError {
  return new PlyError('PLY_USAGE', { reason })
}
