import { PlyError } from '../model/errors.ts'

const whoBits: Readonly<Record<string, number>> = { u: 0o4700, g: 0o2070, o: 0o1007, a: 0o7777 }
const bits: Readonly<Record<string, number>> = { r: 0o444, w: 0o222, x: 0o111, s: 0o6000, t: 0o1000 }

/** A mode as chmod(1) takes it, octal or symbolic, applied to nothing: `644`, `u=rw,g+r`, `u+s`. @throws PLY_USAGE */
export function parseMode(text: string): number {
  if (/^[0-7]{1,4}$/.test(text)) return Number.parseInt(text, 8)
  let mode = 0
  for (const clause of text.split(',')) {
    const match = /^([ugoa]*)((?:[-+=][rwxXstugo]*)+)$/.exec(clause)
    if (match === null) throw new PlyError('PLY_USAGE', { reason: `not a mode: ${text}` })
    const who = [...(match[1] === '' ? 'a' : match[1]!)].reduce((sum, one) => sum | whoBits[one]!, 0)
    for (const [, sign, what] of match[2]!.matchAll(/([-+=])([rwxXstugo]*)/g)) {
      const wanted = [...what!].reduce((sum, one) => sum | permission(one, mode), 0) & who
      if (sign === '-') mode &= ~wanted
      else if (sign === '+') mode |= wanted
      else mode = (mode & ~who) | wanted
    }
  }
  return mode
}

function permission(letter: string, mode: number): number {
  // A mode that is compared belongs to nothing that could be executable already.
  if (letter === 'X') return (mode & 0o111) === 0 ? 0 : 0o111
  if (letter === 'u') return ((mode >> 6) & 7) * 0o111
  if (letter === 'g') return ((mode >> 3) & 7) * 0o111
  if (letter === 'o') return (mode & 7) * 0o111
  return bits[letter]!
}
