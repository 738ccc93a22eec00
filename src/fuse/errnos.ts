import { constants } from 'node:os'
import { codeOf, type ErrnoName } from '../model/errors.ts'

const numbers: Readonly<Record<string, number>> = constants.errno

/** The answer that stands for an error, a negative number. */
export function refused(name: ErrnoName | 'EPROTO'): number {
  return -numbers[name]!
}

/** What a thrown value answers: what is no answer of a file system is EIO. */
export function refusal(error: unknown): number {
  const number = numbers[codeOf(error) ?? '']
  return number === undefined ? refused('EIO') : -number
}
