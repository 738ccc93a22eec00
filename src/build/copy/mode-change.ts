import type { Kind } from '../../model/entry.ts'

const permissions: Readonly<Record<string, number>> = { r: 0o444, w: 0o222, x: 0o111, X: 0o111, s: 0o6000, t: 0o1000 }
const whoBits: Readonly<Record<string, number>> = { u: 0o4700, g: 0o2070, o: 0o1007, a: 0o7777 }

/** What `--chmod` makes of a mode. */
export type ModeChange = (mode: number, kind: Kind) => number

/** Octal, or symbolic as chmod(1) takes it: `u=rwX,go=rX`. @throws Error */
export function modeChange(text: string): ModeChange {
  if (/^[0-7]{1,4}$/.test(text) || /^0[0-7]{1,4}$/.test(text)) {
    const mode = Number.parseInt(text, 8)
    return () => mode
  }
  const clauses = text.split(',').map(clauseOf)
  return (mode, kind) => clauses.reduce((now, clause) => clause(now, kind), mode)
}

function clauseOf(text: string): ModeChange {
  const match = /^([ugoa]*)((?:[-+=](?:[ugo]|[rwxXst]*))+)$/.exec(text)
  if (match === null) throw new Error(`${text} is no mode: write it as 644, or as u=rwX,go=rX`)
  const who = [...(match[1] || 'a')].reduce((all, one) => all | whoBits[one]!, 0)
  const steps = [...match[2]!.matchAll(/([-+=])([ugo]|[rwxXst]*)/g)]
  return (mode, kind) => {
    for (const [, sign, what] of steps) {
      const bits = [...what!].reduce((all, one) => all | bitsOf(one, mode, kind), 0) & who
      if (sign === '+') mode |= bits
      else if (sign === '-') mode &= ~bits
      else mode = (mode & ~(who & 0o777)) | bits
    }
    return mode
  }
}

function bitsOf(what: string, mode: number, kind: Kind): number {
  const copied = 'ogu'.indexOf(what)
  if (copied >= 0) return ((mode >> (3 * copied)) & 7) * 0o111
  // Only where it is executable for somebody already, or can be entered.
  if (what === 'X' && kind !== 'directory' && (mode & 0o111) === 0) return 0
  return permissions[what]!
}
