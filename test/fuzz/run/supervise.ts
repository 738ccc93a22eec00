import { fork } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { currentInput } from './current.ts'
import { type Finding, saveFinding } from './findings.ts'
import { Watch } from './watch.ts'
import type { Message, Order, Report } from './worker.ts'

export interface Job {
  readonly target: string
  readonly seed: number
  /** CPU seconds. */
  readonly seconds: number
}

export interface Bounds {
  /** CPU seconds for one input. */
  readonly patience: number
  /** Of a process, at its peak. */
  readonly megabytes: number
}

/** What a target came to, over all processes that worked on it. */
export interface Total {
  readonly target: string
  executions: number
  kept: number
  coverage: { readonly run: number; readonly all: number }
  /** What was covered after so many CPU seconds. */
  readonly growth: { readonly cpu: number; readonly run: number }[]
  memory: number
  slowest: number
  cpu: number
  processes: number
}

/** So many processes may die on one target before it is given up. */
const mostProcesses = 40

export interface Supervision extends Bounds {
  /** Where everything is kept. */
  readonly folder: string
  /** Folders with inputs to begin with. */
  readonly corpus: readonly string[]
  found(finding: Finding): void
  /** Asked from time to time: enough was found. */
  enough(): boolean
  progress?(total: Total): void
}

/**
 * Fuzzes one target in a process of its own, for so much CPU. A process that hangs, dies or grows is a finding; the next
 * one goes on with what it had.
 */
export async function supervise({ target, seed, seconds }: Job, options: Supervision): Promise<Total> {
  const total: Total = {
    ...{ target, executions: 0, kept: 0, coverage: { run: 0, all: 0 }, growth: [] },
    ...{ memory: 0, slowest: 0, cpu: 0, processes: 0 },
  }
  while (total.cpu < seconds && total.processes < mostProcesses && !options.enough()) {
    const order: Order = {
      target,
      seed: `${target} ${seed} ${total.processes}`,
      seconds: seconds - total.cpu,
      folder: join(options.folder, target),
      findings: join(options.folder, 'findings'),
      megabytes: options.megabytes,
      again: total.processes > 0,
      corpus: options.corpus,
    }
    const ended = await oneProcess(order, options, total)
    total.processes++
    if (ended === 'done') break
  }
  return total
}

async function oneProcess(order: Order, options: Supervision, total: Total): Promise<'done' | 'lost'> {
  mkdirSync(order.folder, { recursive: true })
  const worker = fork(fileURLToPath(new URL('worker.js', import.meta.url)), [JSON.stringify(order)])
  const path = join(order.folder, 'current')
  const before = { ...total }
  let last: Report | undefined
  let done = false
  let explained = false
  const save = (kind: string, input: Buffer, text: string) => {
    explained = true
    options.found(saveFinding(order.findings, order.target, kind, input, text))
  }
  worker.on('message', (message: Message) => {
    if (message.kind === 'finding') options.found(message.finding)
    else if (message.kind === 'memory') {
      save('memory', currentInput(path)!.input, `more than ${options.megabytes} MB after this input`)
    } else {
      last = message
      add(total, before, message)
      options.progress?.(total)
      done = message.done
    }
  })
  const watch = new Watch(worker.pid!, path, options.patience)
  const timer = setInterval(() => {
    if (options.enough()) {
      explained = true
      worker.kill('SIGKILL')
      return
    }
    const input = watch.hanging()
    if (input === undefined || explained) return
    save('hang', input, `it takes more than ${options.patience} CPU seconds, or never answers`)
    worker.kill('SIGKILL')
  }, 250)
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve) =>
    worker.once('exit', (...how) => resolve(how)),
  )
  clearInterval(timer)
  // What a process used that never reported is not known; it must not go on for ever.
  if (last === undefined) total.cpu += 1
  if (done && !explained) return 'done'
  if (!explained) {
    // Node's own code for a promise that nothing will settle.
    const how = code === 13 ? 'a promise never settles' : `the process ended with ${signal ?? `code ${code}`}`
    save(code === 13 ? 'hang' : 'crash', currentInput(path)?.input ?? Buffer.alloc(0), how)
  }
  return 'lost'
}

function add(total: Total, before: Total, { executions, kept, coverage, memory, slowest, cpu }: Report): void {
  total.executions = before.executions + executions
  total.cpu = before.cpu + cpu
  total.kept = kept
  total.coverage = coverage
  total.memory = Math.max(before.memory, memory)
  total.slowest = Math.max(before.slowest, slowest)
  total.growth.push({ cpu: total.cpu, run: coverage.run })
}
