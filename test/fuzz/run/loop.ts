import { Random } from '../random.ts'
import type { Target } from '../target.ts'
import type { Coverage } from './coverage.ts'
import { keyOf } from './findings.ts'
import { Queue } from './queue.ts'

/** Inputs that are run between two looks at the coverage. */
const batchSize = 32
/** Answers are texts that inputs can influence: there must be an end to keeping inputs for them. */
const mostAnswers = 2000
/** An error is made small with so many tries. */
const triesToReduce = 400

export interface LoopOptions {
  readonly target: Target
  readonly seed: string
  readonly coverage: Coverage
  /** Told of each input before it is run. */
  begin(input: Buffer): void
  /** Where inputs that are kept are written, one file each. */
  readonly folder: string
  /** What to begin with, besides the target's seeds. */
  readonly corpus: readonly Buffer[]
  /** Told once everything there was at the beginning has been run. */
  seeded(progress: Progress): void
  /** Asked after every input. */
  goOn(progress: Progress): boolean
  found(input: Buffer, error: unknown): void
}

export interface Progress {
  executions: number
  kept: number
  findings: number
  /** The longest that an input took, in milliseconds, and what it was. */
  slowest: number
}

/** Makes inputs from inputs for as long as it may, and keeps those that reached new code or got a new answer. */
export async function fuzz(options: LoopOptions): Promise<Progress> {
  const { target, coverage, goOn } = options
  const random = new Random(options.seed)
  const queue = new Queue(options.folder)
  const answers = new Set<string>()
  const errors = new Set<string>()
  const progress: Progress = { executions: 0, kept: 0, findings: 0, slowest: 0 }

  /** Whether the answer is a new one. */
  const run = async (input: Buffer): Promise<boolean> => {
    options.begin(input)
    progress.executions++
    const started = performance.now()
    try {
      const answer = await target.run(input)
      if (answers.has(answer) || answers.size >= mostAnswers) return false
      answers.add(answer)
      return true
    } catch (error) {
      const key = keyOf(error)
      if (errors.has(key)) return false
      errors.add(key)
      progress.findings++
      options.found(await reduced(input, key), error)
      return true
    } finally {
      progress.slowest = Math.max(progress.slowest, performance.now() - started)
    }
  }

  /** The input made smaller, as long as the same goes wrong. */
  const reduced = async (input: Buffer, key: string): Promise<Buffer> => {
    let best = input
    let part = Math.ceil(input.length / 2)
    for (let tries = 0, at = 0; tries < triesToReduce && part > 0; tries++) {
      const shorter = Buffer.concat([best.subarray(0, at), best.subarray(at + part)])
      options.begin(shorter)
      const same = await target.run(shorter).then(
        () => false,
        (error) => keyOf(error) === key,
      )
      if (same && shorter.length < best.length) best = shorter
      else at += part
      if (at < best.length) continue
      at = 0
      part = part > 1 ? Math.ceil(part / 2) : 0
    }
    return best
  }

  const keep = (input: Buffer) => {
    if (queue.add(input)) progress.kept++
  }

  /** Finds the inputs of a batch that brought new code, by running its halves again. */
  const attribute = async (batch: readonly Buffer[]): Promise<void> => {
    coverage.take()
    for (const input of batch) await run(input)
    const look = coverage.take()
    if (batch.length === 1) {
      if (coverage.isNew(look, true)) keep(batch[0]!)
      return
    }
    if (!coverage.isNew(look, false)) return
    const middle = batch.length >> 1
    await attribute(batch.slice(0, middle))
    await attribute(batch.slice(middle))
  }

  const runBatch = async (batch: readonly Buffer[]): Promise<void> => {
    for (const input of batch) {
      if (!goOn(progress)) break
      if (await run(input)) keep(input)
    }
    const look = coverage.take()
    if (!coverage.isNew(look, false)) return
    await attribute(batch)
    // What does not come again when it is run again must not be looked for again.
    coverage.isNew(look, true)
  }

  coverage.take()
  const first = [...(await target.seeds()), ...options.corpus].map((input) => input.subarray(0, target.largest))
  for (let at = 0; at < first.length && goOn(progress); at += batchSize) {
    await runBatch(first.slice(at, at + batchSize))
  }
  options.seeded(progress)
  if (queue.inputs.length === 0) queue.add(Buffer.alloc(0))
  while (goOn(progress)) {
    const batch: Buffer[] = []
    for (let i = 0; i < batchSize; i++) {
      const input = queue.pick(random)
      batch.push(target.mutate(input, queue.pick(random), random).subarray(0, target.largest))
    }
    await runBatch(batch)
  }
  return progress
}
