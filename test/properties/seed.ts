import fc from 'fast-check'

/** Printed with every run and every failure; `PLYFS_SEED` gives it again, `PLYFS_PATH` goes to the one case, `PLYFS_RUNS` sets their number. */
export const seed = Number(process.env.PLYFS_SEED ?? Date.now() % 2 ** 31)

/** Checks a claim on so many cases; what fails is shrunk and told with seed and path. */
export async function holds<T>(
  claim: string,
  count: number,
  cases: fc.Arbitrary<T>,
  check: (one: T) => Promise<void>,
): Promise<void> {
  const numRuns = Number(process.env.PLYFS_RUNS ?? count)
  const path = process.env.PLYFS_PATH
  await fc.assert(fc.asyncProperty(cases, check), { seed, numRuns, ...(path && { path }) })
  console.log(`properties: ${numRuns} cases, seed ${seed}: ${claim}`)
}

/** A number that says what happens at random; all are equally likely. */
export const toss: fc.Arbitrary<number> = fc.noBias(fc.integer({ min: 0, max: 2 ** 32 - 1 }))

/** Some batches of tosses: what cases are made of. They shrink by losing tosses. */
export function tosses(batches: { readonly min: number; readonly max: number }, most: number) {
  const batch = fc.array(toss, { maxLength: most, size: 'max' })
  return fc.array(batch, { minLength: batches.min, maxLength: batches.max, size: 'max' })
}

/** All that is random about one thing, from one toss (mulberry32). */
export class Dice {
  #state: number

  constructor(from: number) {
    this.#state = from | 0
  }

  /** A whole number from 0 up to, not including, `bound`. */
  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound
  }

  /** True once in so many times. */
  once(times: number): boolean {
    return this.below(times) === 0
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!
  }

  /** The same things in another order. */
  shuffled<T>(things: readonly T[]): T[] {
    const mixed = [...things]
    for (let i = mixed.length - 1; i > 0; i--) {
      const j = this.below(i + 1)
      ;[mixed[i], mixed[j]] = [mixed[j]!, mixed[i]!]
    }
    return mixed
  }
}
