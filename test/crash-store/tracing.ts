import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { asking, changing } from '../crash/strace.ts'
import { type Call, parseLog } from './calls.ts'
import type { Ending, Order, Threads } from './child.ts'

export type Role = keyof Threads
export type Injection = 'kill' | 'EIO' | 'ENOSPC' | 'EROFS' | 'EDQUOT'

export interface Traced {
  readonly calls: readonly Call[]
  readonly threads: Threads
  /** Absent: the process died before it could say. */
  readonly ending?: Ending
  readonly signal: NodeJS.Signals | null
}

/** Descriptors are followed as well, for what is written has to be known byte for byte. */
const recorded = [...changing, ...asking, 'close', 'dup', 'dup2', 'dup3', 'fcntl', 'sync']
const longest = 120_000

/**
 * Runs the program to its end under strace, which comes to it once it runs: nothing that Node does before is seen or counted.
 * Without `inject` all threads are written down with all bytes. With it, one thread alone is traced, since strace counts the calls
 * of each thread for itself, and its `count`-th call of that name is the last (`kill`) or fails.
 */
export async function traced(
  program: string,
  order: Order,
  inject?: { readonly role: Role; readonly name: string; readonly count: number; readonly what: Injection },
): Promise<Traced> {
  rmSync(order.log, { force: true })
  const child = spawn(process.execPath, [program, JSON.stringify(order)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, UV_THREADPOOL_SIZE: '1', UV_USE_IO_URING: '0', NODE_OPTIONS: '' },
  })
  const ended = once(child, 'close')
  const timer = setTimeout(() => child.kill('SIGKILL'), longest)
  try {
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
    const threads: Threads = JSON.parse((await lines.next()).value)
    const names = inject ? [...changing, ...asking] : recorded
    const options = ['-qq', '-y', '-xx', '-o', order.log, '-e', 'signal=none']
    options.push('-e', `trace=${names.map((name) => `?${name}`).join(',')}`)
    if (inject) {
      const does = inject.what === 'kill' ? 'signal=KILL' : `error=${inject.what}`
      options.push(
        '-s',
        '400',
        '-e',
        `inject=${inject.name}:${does}:when=${inject.count}`,
        '-p',
        `${threads[inject.role]}`,
      )
    } else options.push('-f', '-s', `${1 << 26}`, '-p', `${threads.main}`)
    const strace = spawn('strace', options, { stdio: ['ignore', 'ignore', 'inherit'] })
    const detached = once(strace, 'close')
    const line = await lines.next()
    const [, signal] = await ended
    await detached
    const calls = parseLog(readFileSync(order.log, 'latin1'))
    return { calls, threads, signal, ...(!line.done && { ending: JSON.parse(line.value) as Ending }) }
  } finally {
    clearTimeout(timer)
    child.kill('SIGKILL')
  }
}
