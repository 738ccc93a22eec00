import { Random } from '../fuzz/random.ts'
import type { Arena, Line } from './arena.ts'
import type { Difference, Sequence, Tally } from './engine.ts'
import { Generator } from './generate.ts'
import { someLayers } from './generate-layers.ts'
import { somePool } from './names.ts'
import type { Operation } from './operations.ts'

export interface Failure {
  readonly line: Line
  readonly difference: Difference
  /** What was done up to the difference. */
  readonly sequences: readonly Sequence[]
}

/** How many sequences see everything opened again in their middle, and go on. */
const reopened = 0.2

export interface BatchSize {
  readonly sequences: number
  readonly operations: number
}

/** Generates and runs one batch; the same seed gives the same one. */
export async function runBatch(
  arena: Arena,
  line: Line,
  seed: string,
  size: BatchSize,
  tally: Tally,
): Promise<Failure | undefined> {
  const random = new Random(seed)
  const length = size.operations
  let count = size.sequences
  // Now and then a sequence is alone, in the root itself.
  if (random.chance(0.2) && !line.systems.includes('turns')) count = 1
  const drafts = Array.from({ length: count }, (_, i) => {
    const pool = somePool(random)
    return {
      pool,
      umask: random.pick([0, 0, 0o022, 0o077]),
      directory: count === 1 ? '' : `s${i}`,
      layers: someLayers(random, pool, {
        links: line.links,
        inRoot: count === 1,
      }),
    }
  })
  const { bench, model, close } = await arena.bench(line, drafts, tally)
  const done: Sequence[] = []
  const failed = () => ({ line, difference: bench.difference!, sequences: done })
  try {
    for (const [number, { pool, directory, layers, umask }] of drafts.entries()) {
      const operations: Operation[] = []
      done.push({ directory, umask, layers, operations })
      bench.enter({ directory, umask })
      const known = {
        verbs: model.model,
        directory: model.find(directory),
        handle: (slot: number) => model.handle(slot),
      }
      const generator = new Generator(random, pool, known)
      const again = random.chance(reopened) ? random.below(length) : -1
      for (let at = 0; at < length; at++) {
        const operation = at === again ? ({ do: 'reopen' } as const) : generator.next()
        operations.push(operation)
        if (!bench.step(number, at, operation)) return failed()
      }
      bench.leave()
      if (!bench.compare(number, directory, 'tree')) return failed()
    }
    bench.reopen()
    for (const [number, { directory }] of drafts.entries()) {
      if (!bench.compare(number, directory, 'tree after opening again')) return failed()
    }
    return undefined
  } finally {
    close()
  }
}

/** Runs what was written down; answers how it differs, if it does. */
export async function replay(
  arena: Arena,
  line: Line,
  sequences: readonly Sequence[],
  tally: Tally,
): Promise<Difference | undefined> {
  const { bench, close } = await arena.bench(line, sequences, tally)
  try {
    for (const [number, { directory, umask, operations }] of sequences.entries()) {
      bench.enter({ directory, umask })
      for (const [at, operation] of operations.entries())
        if (!bench.step(number, at, operation)) return bench.difference
      bench.leave()
      if (!bench.compare(number, directory, 'tree')) return bench.difference
    }
    bench.reopen()
    for (const [number, { directory }] of sequences.entries()) {
      if (!bench.compare(number, directory, 'tree after opening again')) return bench.difference
    }
    return undefined
  } finally {
    close()
  }
}
