import { type Profiler, Session } from 'node:inspector'

/** What code ran since the last look. */
export type Look = readonly { readonly key: string; readonly covered: Profiler.FunctionCoverage }[]

/**
 * Which code of `src` has run, block by block, as V8 counts it. Only this process is looked at, and only what is loaded
 * after `start`.
 */
export class Coverage {
  readonly #session = new Session()
  readonly #under: string
  readonly #functions = new Map<string, Ran>()
  /** What a function looked like when nothing was new in it. */
  readonly #known = new Set<string>()

  /** `under` is the URL of the folder whose scripts count. */
  constructor(under: string) {
    this.#under = under
  }

  start(): void {
    this.#session.connect()
    this.#post('Profiler.enable')
    this.#post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  }

  /** Looks, and counts anew from here. */
  take(): Look {
    const { result } = this.#post('Profiler.takePreciseCoverage') as Profiler.TakePreciseCoverageReturnType
    const look: { key: string; covered: Profiler.FunctionCoverage }[] = []
    for (const { url, functions } of result) {
      if (!url.startsWith(this.#under)) continue
      for (const covered of functions) {
        const { startOffset, endOffset } = covered.ranges[0]!
        look.push({ key: `${url.slice(this.#under.length)} ${startOffset} ${endOffset}`, covered })
      }
    }
    return look
  }

  /** Whether it shows code that never ran before. With `keep` it counts as run from now on. */
  isNew(look: Look, keep: boolean): boolean {
    let found = false
    for (const { key, covered } of look) {
      const seen = `${key} ${covered.ranges.map(({ startOffset, count }) => (count > 0 ? startOffset : -startOffset))}`
      if (this.#known.has(seen)) continue
      const news = this.#paint(key, covered, keep)
      if (!news || keep) this.#known.add(seen)
      found ||= news
      if (found && !keep) return true
    }
    return found
  }

  /** How much has run of the functions of these files and folders that were ever reached or are beside one: characters. */
  of(covers: readonly string[]): { readonly run: number; readonly all: number } {
    let run = 0
    let all = 0
    for (const [key, { count, characters }] of this.#functions) {
      // A module as a whole holds its functions, which would count twice.
      if (/ 0 \d+$/.test(key) || !covers.some((part) => key.startsWith(part.replace(/\.ts$/, '.js')))) continue
      run += count
      all += characters.length
    }
    return { run, all }
  }

  #paint(key: string, { ranges }: Profiler.FunctionCoverage, keep: boolean): boolean {
    const { startOffset, endOffset } = ranges[0]!
    const now = new Uint8Array(endOffset - startOffset)
    // Inner ranges come after outer ones.
    for (const range of ranges) {
      now.fill(range.count > 0 ? 1 : 0, range.startOffset - startOffset, range.endOffset - startOffset)
    }
    const before: Ran = this.#functions.get(key) ?? { characters: new Uint8Array(now.length), count: 0 }
    if (keep) this.#functions.set(key, before)
    let news = 0
    for (let i = 0; i < now.length; i++) {
      if (now[i] === 0 || before.characters[i] === 1) continue
      if (!keep) return true
      before.characters[i] = 1
      news++
    }
    before.count += news
    return news > 0
  }

  #post(method: string, parameters: object = {}): object {
    let answer: object | undefined
    this.#session.post(method, parameters, (error, result) => {
      if (error !== null) throw new Error(`${method}: ${error.message}`)
      answer = result
    })
    return answer as object
  }
}

/** Which characters of a function have run, and how many. */
interface Ran {
  readonly characters: Uint8Array
  count: number
}
