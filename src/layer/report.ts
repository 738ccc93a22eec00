import { type ByteString, displayText } from '../model/bytes.ts'
import { badLayer } from '../tar/index.ts'

/** One finding of an import that did not stop it. */
export interface LayerWarning {
  /** The rule of layer-semantics, such as `N-12`. */
  readonly rule: string
  /** The entry, for people (see `displayText`), cut off after a thousand bytes. */
  readonly entry: string
  readonly text: string
}

/** What there is to say about a layer that was read. */
export interface ImportReport {
  /** The first thousand. */
  readonly warnings: readonly LayerWarning[]
  /** All of them, counted. */
  readonly warningCount: number
  /** All of them, counted by rule. */
  readonly warningsByRule: Readonly<Record<string, number>>
  /** Members of the archive, markers included. */
  readonly entries: number
}

const cap = 1000
/** Names may be a mebibyte long, and hostile layers have thousands of them. */
const longestEntry = 1000

/** Whose layer it is, where no entry is to blame. */
export const wholeArchive = 'the whole archive'

/**
 * Collects warnings while a layer is read: so many are kept, all are counted. With `strict` each one is an error; with
 * `lenient` what the rules allow for (`forgive`) is a warning.
 */
export class Findings {
  readonly #strict: boolean
  readonly #lenient: boolean
  readonly #warnings: LayerWarning[] = []
  readonly #byRule = new Map<string, number>()
  #count = 0
  #forgiven = 0
  entries = 0

  constructor(strict = false, lenient = false) {
    this.#strict = strict
    this.#lenient = lenient
  }

  /** Those of a layer that was read elsewhere, to be added to. */
  static continued(
    { report, forgiven }: { readonly report: ImportReport; readonly forgiven: number },
    strict = false,
    lenient = false,
  ): Findings {
    const findings = new Findings(strict, lenient)
    findings.#warnings.push(...report.warnings)
    for (const [rule, count] of Object.entries(report.warningsByRule)) findings.#byRule.set(rule, count)
    findings.#count = report.warningCount
    findings.#forgiven = forgiven
    findings.entries = report.entries
    return findings
  }

  /** How many times a layer would have been refused without `lenient`. */
  get forgiven(): number {
    return this.#forgiven
  }

  /** `times` is how often the same was found of the same entry. @throws PLY_BAD_LAYER if strict. */
  warn(entry: ByteString, rule: string, text: string, times = 1): void {
    if (this.#strict) throw badLayer(entry, rule, text, 'strict')
    this.#count += times
    this.#byRule.set(rule, (this.#byRule.get(rule) ?? 0) + times)
    if (this.#warnings.length >= cap) return
    const shown = entry.length > longestEntry ? `${displayText(entry.slice(0, longestEntry))}…` : displayText(entry)
    this.#warnings.push({ rule, entry: shown, text })
  }

  /** What is refused, or with `lenient` a warning. @throws PLY_BAD_LAYER unless lenient, or if strict as well. */
  forgive(entry: ByteString, rule: string, text: string): void {
    if (!this.#lenient) throw badLayer(entry, rule, text, 'lenient')
    this.#forgiven++
    this.warn(entry, rule, text)
  }

  report(): ImportReport {
    return {
      warnings: this.#warnings.slice(),
      warningCount: this.#count,
      warningsByRule: Object.fromEntries([...this.#byRule].sort(([a], [b]) => (a < b ? -1 : 1))),
      entries: this.entries,
    }
  }
}
