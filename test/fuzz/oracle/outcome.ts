import { errorCodes, PlyError } from '../../../src/model/errors.ts'

/** Something that must be true and is not. Two with the same `what` count as one finding; `detail` is of this input. */
export class Violation extends Error {
  override readonly name = 'Violation'
  readonly what: string

  constructor(what: string, detail = '', options?: ErrorOptions) {
    super(detail === '' ? what : `${what}: ${detail}`, options)
    this.what = what
  }
}

/** What came of reading hostile bytes: a value, or a refusal that says why. */
export type Outcome<T> =
  | { readonly value: T; readonly refusal?: undefined }
  | { readonly value?: undefined; readonly refusal: Refusal }

export interface Refusal {
  readonly code: string
  /** The rule of layer-semantics, where the code comes with one. */
  readonly rule: string
  readonly message: string
}

const known: ReadonlySet<string> = new Set(errorCodes)

/** Runs something that may refuse with these codes; every other error comes through, and is a finding. */
export async function outcomeOf<T>(codes: readonly string[], action: () => T | Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await action() }
  } catch (error) {
    return { refusal: refusalOf(error, codes) }
  }
}

/** The same without promises. */
export function outcomeNow<T>(codes: readonly string[], action: () => T): Outcome<T> {
  try {
    return { value: action() }
  } catch (error) {
    return { refusal: refusalOf(error, codes) }
  }
}

/** An error as a refusal. Throws it on if it is not one of ours; a `Violation` if it is not one that belongs here, or is no help. */
function refusalOf(error: unknown, codes: readonly string[]): Refusal {
  if (!(error instanceof PlyError) || !known.has(error.code)) throw error
  const { code, message, details } = error
  if (!codes.includes(code)) throw new Violation(`${code} does not belong here`, message, { cause: error })
  if (/\bundefined\b|\[object /.test(message)) throw new Violation('a message with a gap', message, { cause: error })
  const rule = details.rule
  if (code === 'PLY_BAD_LAYER' && !(typeof rule === 'string' && /^[A-Z]-\d\d$/.test(rule)))
    throw new Violation('no rule is named', message, { cause: error })
  return { code, rule: typeof rule === 'string' ? rule : '', message }
}

/** What an outcome is, without its value. */
export function nameOf(outcome: Outcome<unknown>): string {
  const { refusal } = outcome
  return refusal === undefined ? 'read' : `${refusal.code} ${refusal.rule}`
}

/** @throws Violation unless it holds. */
export function must(holds: boolean, what: string, detail: () => string = () => ''): void {
  if (!holds) throw new Violation(what, detail())
}

/** Both refused with the same message, or both not. */
export function sameRefusal(a: Outcome<unknown>, b: Outcome<unknown>, what: string): void {
  const say = ({ refusal }: Outcome<unknown>) => (refusal === undefined ? 'it is read' : refusal.message)
  if (a.refusal?.code === b.refusal?.code && a.refusal?.message === b.refusal?.message) return
  throw new Violation(what, `${say(a)} | ${say(b)}`)
}
