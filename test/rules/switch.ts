/**
 * How to switch one rule of layer-semantics off in the code under test: a piece of a source file, and what to put in its
 * place. The piece must occur exactly once. What comes out must still run, and must break the rule and as little else as
 * possible: it is what somebody would have written who had never read the rule.
 */
export interface Switch {
  /** From the root of the project. */
  readonly file: string
  readonly find: string
  readonly put: string
}

/** By rule. A rule that is kept in several places needs several switches, thrown together. */
export type Switches = Readonly<Record<string, Switch | readonly Switch[]>>

export function switchesOf(all: Switches, rule: string): readonly Switch[] {
  const found = all[rule] ?? []
  return Array.isArray(found) ? (found as readonly Switch[]) : [found as Switch]
}

/** The source with a rule switched off. @throws if the piece is not there, or there more than once. */
export function thrown(source: string, { file, find, put }: Switch): string {
  const pieces = source.split(find)
  if (pieces.length === 2) return pieces.join(put)
  throw new Error(`${file} has ${pieces.length - 1} times, and not once: ${find}`)
}
