import { PlyError } from '../model/errors.ts'
import type { Place } from './rule.ts'

/** Inode numbers of one side of a stack: those of side `k` begin at `k * 2^32`. */
const numbersPerSide = 2 ** 32

/** The number of an inode in the stack. @throws PLY_UNSUPPORTED if its own side's number is 2^32 or more. */
export function numberOf({ side, ino }: Place): number {
  if (!(ino >= 0 && ino < numbersPerSide)) {
    throw new PlyError('PLY_UNSUPPORTED', { what: `inode ${ino}`, reason: 'a stack takes numbers below 2^32' })
  }
  return side * numbersPerSide + ino
}

export function sideOf(number: number): number {
  return Math.floor(number / numbersPerSide)
}

/** The number that an inode has in its own side. */
export function ownNumber(number: number): number {
  return number % numbersPerSide
}
