import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { targetNamed } from '../targets/named.ts'
import { Coverage } from './coverage.ts'
import { CurrentInput } from './current.ts'
import { type Finding, keyOf, saveFinding, textOf } from './findings.ts'
import { fuzz, type Progress } from './loop.ts'
import { Queue } from './queue.ts'
import { savedCorpus } from './saved-corpus.ts'

/** What the supervisor tells a worker, as JSON in its first argument. */
export interface Order {
  readonly target: string
  readonly seed: string
  /** CPU seconds that it may use. */
  readonly seconds: number
  /** Where it keeps what it finds, for itself alone. */
  readonly folder: string
  readonly findings: string
  readonly megabytes: number
  /** The process before this one was ended: its inputs are the beginning. */
  readonly again: boolean
  readonly corpus: readonly string[]
}

/** What a worker tells its supervisor. */
export interface Report extends Progress {
  readonly kind: 'report'
  /** It is the last one. */
  readonly done: boolean
  /** Megabytes at the peak. */
  readonly memory: number
  /** Characters of the code that the target is about. */
  readonly coverage: { readonly run: number; readonly all: number }
  /** CPU seconds. */
  readonly cpu: number
}

export type Message = Report | { readonly kind: 'finding'; readonly finding: Finding } | { readonly kind: 'memory' }

/** How often the supervisor hears of it, in milliseconds. */
const interval = 500

const order = JSON.parse(process.argv[2]!) as Order

mkdirSync(order.folder, { recursive: true })
const current = new CurrentInput(join(order.folder, 'current'))
const kept = join(order.folder, 'corpus')
let last: Buffer = Buffer.alloc(0)
const tell = (message: Message) => new Promise<void>((resolve) => process.send!(message, () => resolve()))

function found(input: Buffer, error: unknown): void {
  void tell({
    kind: 'finding',
    finding: saveFinding(order.findings, order.target, 'error', input, textOf(error), keyOf(error)),
  })
}
// An error that nobody waits for is one all the same.
process.on('unhandledRejection', (error) => found(last, error))
process.on('uncaughtException', (error) => found(last, error))
// A promise that never settles leaves nothing to wait for, and ends the process.
process.channel!.unref()

// V8 counts the blocks of what is loaded from here on.
const coverage = new Coverage(new URL('../../../src/', import.meta.url).href)
coverage.start()
const target = await targetNamed(order.target)

const cpu = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}
const memory = () => process.resourceUsage().maxRSS / 1024
const report = (now: Progress, done = false) =>
  tell({ kind: 'report', done, ...now, memory: memory(), coverage: coverage.of(target.covers), cpu: cpu() })

let said = performance.now()
let over = false
let spent = false
const progress = await fuzz({
  target,
  seed: order.seed,
  coverage,
  folder: kept,
  corpus: [...savedCorpus(order.corpus, order.target), ...(order.again ? Queue.saved(kept) : [])],
  begin: (input) => current.begin((last = input)),
  found,
  seeded: (now) => void report(now),
  goOn(now) {
    over ||= memory() > order.megabytes
    if (over || spent) return false
    if (performance.now() - said < interval) return true
    said = performance.now()
    void report(now)
    spent = cpu() >= order.seconds
    return !spent
  },
})
if (over) await tell({ kind: 'memory' })
await report(progress, !over)
// Streams that were left half read may have work under way that nobody waits for.
process.exit()
