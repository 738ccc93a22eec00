import type { Progress } from '../index.ts'
import { humanSize } from './sizes.ts'

export const progressStyles = ['auto', 'tty', 'plain', 'json', 'none'] as const
export type ProgressStyle = (typeof progressStyles)[number]

/** What progress is written to: stderr, or an array in a test. */
export interface ProgressTarget {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

/** Shows how far a long call has come. `stop` leaves the line clean; it may be called at any time, and `show` after it. */
export interface ProgressRenderer {
  readonly show: (progress: Progress) => void
  readonly stop: () => void
}

/** The style for a terminal or for a log, unless one is asked for. */
export function chooseStyle(
  asked: ProgressStyle,
  target: ProgressTarget,
  environment: NodeJS.ProcessEnv,
): ProgressStyle {
  if (asked !== 'auto') return asked
  return target.isTTY === true && environment.TERM !== 'dumb' && environment.CI === undefined ? 'tty' : 'plain'
}

export function progressRenderer(
  style: ProgressStyle,
  target: ProgressTarget,
  clock: () => number = Date.now,
): ProgressRenderer {
  if (style === 'tty') return bar(target, clock)
  if (style === 'none') return { show() {}, stop() {} }
  if (style === 'json') return documents(target, clock)
  return lines(target, clock)
}

/** One line that is drawn over and over, at most ten times a second. */
function bar(target: ProgressTarget, clock: () => number): ProgressRenderer {
  let drawn = Number.NEGATIVE_INFINITY
  let dirty = false
  return {
    show(progress) {
      const now = clock()
      if (now - drawn < 100 && progress.done !== progress.total) return
      drawn = now
      dirty = true
      target.write(`\r${barLine(progress, Math.max(20, (target.columns ?? 80) - 1))}\x1b[K`)
    },
    stop() {
      if (dirty) target.write('\r\x1b[K')
      dirty = false
    },
  }
}

/** Documents of an image are smaller; nobody waits for them. */
const worthALine = 1 << 16

/** A line for each thing of some size that is finished, and for a slow one at most one a second. */
function lines(target: ProgressTarget, clock: () => number): ProgressRenderer {
  let written = clock()
  let last = ''
  return {
    show(progress) {
      const finished = progress.total !== undefined && progress.done >= progress.total && progress.total >= worthALine
      const now = clock()
      if (!finished && now - written < 1000) return
      const line = `${shown(progress.what)} ${amount(progress)}\n`
      if (line === last) return
      written = now
      last = line
      target.write(line)
    },
    stop() {},
  }
}

/** A line of JSON for each thing that is finished, and for what goes on at most ten a second. */
function documents(target: ProgressTarget, clock: () => number): ProgressRenderer {
  let written = Number.NEGATIVE_INFINITY
  return {
    show(progress) {
      const now = clock()
      if (progress.done !== progress.total && now - written < 100) return
      written = now
      target.write(documentLine('progress', progress))
    },
    stop() {},
  }
}

/** What is told by `--progress json`: an object with one member, which says what it is. */
export function documentLine(kind: string, value: unknown): string {
  return `${JSON.stringify({ [kind]: value })}\n`
}

function barLine(progress: Progress, width: number): string {
  const right = amount(progress)
  const { total } = progress
  if (total === undefined || total === 0 || width < 60)
    return `${fit(shown(progress.what), width - right.length - 1)} ${right}`
  const cells = 20
  const filled = Math.min(cells, Math.floor((progress.done / total) * cells))
  const drawing = `[${'='.repeat(filled)}${filled < cells ? '>' : ''}${' '.repeat(Math.max(0, cells - filled - 1))}]`
  return `${fit(shown(progress.what), width - right.length - drawing.length - 2)} ${drawing} ${right}`
}

function amount({ done, total }: Progress): string {
  return total === undefined ? humanSize(done) : `${humanSize(done)}/${humanSize(total)}`
}

/** Digests are shown by their first 12 digits; control characters never reach the terminal. */
function shown(what: string): string {
  return what
    .replace(/sha256:([0-9a-f]{12})[0-9a-f]{52}/g, '$1')
    .replace(/[\x00-\x1f\x7f]/g, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

function fit(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`
}
