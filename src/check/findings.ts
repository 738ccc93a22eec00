import { encodeText } from '../model/bytes.ts'
import type { Digest } from '../model/digest.ts'
import { pathPattern } from './path-pattern.ts'
import type { CheckRules, RuleName, Severity } from './rules.ts'

/** Something that rules do not allow. */
export interface CheckFinding {
  readonly rule: RuleName
  readonly severity: Severity
  readonly message: string
  /** Text with a leading slash; of a secret in the config where it is there: `config.Env.NAME`. */
  readonly path?: string
  /** The layer that has it; 0 is the base. */
  readonly layer?: number
  /** Of a text, from 1. */
  readonly line?: number
  /** Why it is ignored, where an ignore says it; empty for one that does not say why. */
  readonly ignored?: string
}

/** What a check has found, and whether the image passes. */
export interface CheckReport {
  readonly image: Digest
  /** Whether nothing was found that is an error and not ignored. */
  readonly passed: boolean
  /** The rules that were asked. */
  readonly rules: readonly RuleName[]
  /** By rule, then by path. */
  readonly findings: readonly CheckFinding[]
}

/** A finding before anybody has said how bad it is. */
export type Found = Omit<CheckFinding, 'severity' | 'ignored'>

/** What is found, and what was asked for at all. */
export class Findings {
  readonly #rules: Pick<CheckRules, 'severity' | 'ignore'>
  readonly #found: Found[] = []
  readonly #asked = new Set<RuleName>()

  constructor(rules: Pick<CheckRules, 'severity' | 'ignore'>) {
    this.#rules = rules
  }

  asks(rule: RuleName): void {
    this.#asked.add(rule)
  }

  add(found: Found): void {
    this.#found.push(found)
  }

  /** Asks for no more than so many bytes; without a limit for nothing. */
  limit(rule: RuleName, what: string, bytes: number, limit: number | undefined, at: Partial<Found> = {}): void {
    if (limit === undefined) return
    this.asks(rule)
    if (bytes > limit)
      this.add({ rule, message: `${what}: ${bytes} bytes, and no more than ${limit} are wanted`, ...at })
  }

  report(image: Digest): CheckReport {
    const { severity, ignore } = this.#rules
    const ignores = ignore.map((one) => ({
      ...one,
      matches: one.path === undefined ? undefined : pathPattern(encodeText(one.path)),
    }))
    const findings = this.#found.map((found): CheckFinding => {
      const by = ignores.find(
        ({ rule, matches }) =>
          (rule === undefined || rule === found.rule) &&
          (matches === undefined || (found.path !== undefined && matches(encodeText(found.path.replace(/^\//, ''))))),
      )
      return { ...found, severity: severity[found.rule] ?? 'error', ...(by && { ignored: by.reason ?? '' }) }
    })
    const order = (one: CheckFinding) => `${one.rule}\0${one.path ?? ''}\0${String(one.layer ?? 0).padStart(6, '0')}`
    return {
      image,
      passed: findings.every((one) => one.severity !== 'error' || one.ignored !== undefined),
      rules: [...this.#asked].sort(),
      findings: findings.sort((a, b) => (order(a) < order(b) ? -1 : order(a) > order(b) ? 1 : 0)),
    }
  }
}
