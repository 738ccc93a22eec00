import { setTimeout as sleep } from 'node:timers/promises'
import { codeOf } from '../model/errors.ts'
import type { Attached } from './mounted.ts'

/** The signals that ask a process to end; the last one comes when its terminal is closed. */
const asking: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP']

/** Milliseconds that being cut off may take. */
const patience = 3000
/** Milliseconds between two looks at a mount. */
const glance = 300

/** What people do to end a process, one after the other. */
export class Endings implements Disposable {
  readonly #signals: readonly NodeJS.Signals[]
  readonly #controller = new AbortController()
  readonly #waiting: ((signal: NodeJS.Signals) => void)[] = []
  readonly #told: NodeJS.Signals[] = []
  readonly #hear = (signal: NodeJS.Signals): void => {
    this.add(signal)
  }

  /** @param heard a signal that has come before, if it is aborted */
  constructor(heard?: AbortSignal, signals = asking) {
    this.#signals = signals
    if (heard?.aborted) this.add(heard.reason)
    for (const signal of signals) process.on(signal, this.#hear)
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
    for (const signal of this.#signals) process.off(signal, this.#hear)
  }
}

export interface ServingOptions {
  /** Told that somebody is in it, with the error that says who. */
  readonly busy?: (error: Error) => void
  /** Whether it is still mounted, for what the kernel alone mounts: asked now and then. */
  readonly isThere?: () => boolean
}

/**
 * Serves a mount until it is mounted no more, or somebody ends it: the first time it is unmounted; if somebody is in it, its name goes, and
 * it is served on for those; the second time they are cut off. Answers with the first signal, `undefined` if none came.
 */
export async function servedUntilTold(
  mount: Pick<Attached, 'ended' | 'unmount'>,
  endings: Pick<Endings, 'next'>,
  { busy = () => {}, isThere = () => true }: ServingOptions = {},
): Promise<NodeJS.Signals | undefined> {
  // A mount that nobody has to serve keeps no process, and neither does waiting for a signal; and nobody is told of its end.
  let staying: NodeJS.Timeout | undefined
  const gone = new Promise<void>((resolve) => {
    staying = setInterval(() => isThere() || resolve(), glance)
  })
  try {
    return await toldOrEnded({ ...mount, ended: Promise.race([mount.ended, gone]) }, endings, busy)
  } finally {
    clearInterval(staying)
  }
}

async function toldOrEnded(
  mount: Pick<Attached, 'ended' | 'unmount'>,
  endings: Pick<Endings, 'next'>,
  busy: (error: Error) => void,
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
