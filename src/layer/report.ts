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
  /** Members of the archive, markers included. */
  readonly entries: number
}

const cap = 1000
/** Names may be a mebibyte long, and hostile layers have thousands of them. */
const longestEntry = 1000

/** Collects warnings while a layer is read: so many are kept, all are counted. With `strict` each one is an error. */
export class Findings {
  readonly #strict: boolean
  readonly #warnings: LayerWarning[] = []
  #count = 0
  entries = 0

  constructor(strict = false) {
    this.#strict = strict
  }

  /** @throws PLY_BAD_LAYER if strict. */
  warn(entry: ByteString, rule: string, text: string): void {
    if (this.#strict) throw badLayer(entry, rule, text)
    this.#count++
    if (this.#warnings.length >= cap) return
    const shown = entry.length > longestEntry ? `${displayText(entry.slice(0, longestEntry))}…` : displayText(entry)
    this.#warnings.push({ rule, entry: shown, text })
  }

  report(): ImportReport {
    return { warnings: this.#warnings, warningCount: this.#count, entries: this.entries }
  }
}
