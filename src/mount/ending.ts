import { setTimeout as sleep } from 'node:timers/promises'
import { codeOf } from '../model/errors.ts'
import type { Attached } from './mounted.ts'

/** The signals that ask a process to end. */
const endings = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Milliseconds that being cut off may take. */
const patience = 3000

/** What people do to end a process, one after the other. */
export class Endings implements Disposable {
  readonly #controller = new AbortController()
  readonly #waiting: ((signal: NodeJS.Signals) => void)[] = []
  readonly #told: NodeJS.Signals[] = []
  readonly #hear = (signal: NodeJS.Signals): void => {
    this.add(signal)
  }

  /** @param heard a signal that has come before, if it is aborted */
  constructor(heard?: AbortSignal) {
    if (heard?.aborted) this.add(heard.reason)
    for (const signal of endings) process.on(signal, this.#hear)
  }

  /** As if a signal had come. */
  add(signal: NodeJS.Signals): void {
    this.#controller.abort(signal)
    const waiting = this.#waiting.shift()
    if (waiting) waiting(signal)
    else this.#told.push(signal)
  }

  /** Aborted by the first one, with its name as the reason. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Waits for the next one that nobody has waited for. */
  next(): Promise<NodeJS.Signals> {
    const told = this.#told.shift()
    return told ? Promise.resolve(told) : new Promise((resolve) => this.#waiting.push(resolve))
  }

  [Symbol.dispose](): void {
    for (const signal of endings) process.off(signal, this.#hear)
  }
}

/**
 * Serves a mount until it is mounted no more, or somebody ends it: the first time it is unmounted; if somebody is in it, its name goes, and
 * it is served on for those; the second time they are cut off. Answers with the first signal, `undefined` if none came.
 *
 * @param busy told that somebody is in it, with the error that says who
 */
export async function servedUntilTold(
  mount: Pick<Attached, 'ended' | 'unmount'>,
  endings: Pick<Endings, 'next'>,
  busy: (error: Error) => void = () => {},
): Promise<NodeJS.Signals | undefined> {
  const ended = mount.ended.then(() => undefined)
  const first = await Promise.race([ended, endings.next()])
  if (first === undefined) return undefined
  try {
    await mount.unmount()
  } catch (error) {
    if (codeOf(error) !== 'EBUSY' && codeOf(error) !== 'PLY_MOUNT_BUSY') throw error
    busy(error as Error)
    const left = mount.unmount({ detach: true }).then(() => undefined)
    // Who ends it once more does not wait for them.
    if ((await Promise.race([left, endings.next()])) === undefined) return first
    await Promise.race([mount.unmount({ force: true }), sleep(patience, undefined, { ref: false })])
    // Where connections cannot be cut off, who serves can: everything that was written is with the kernel.
    if ((await Promise.race([left, Promise.resolve('there')])) === 'there') process.kill(process.pid, 'SIGKILL')
  }
  return first
}
