import { apply, copyOf, type Directory, differences, type File, find, type Step } from './model.ts'

/** What a step that has nothing in its way may be answered with. */
const usual = new Set(['EEXIST', 'ENOENT', 'ENOTDIR', 'EISDIR', 'ENOTEMPTY', 'ELOOP', 'EPERM', 'EINVAL'])

export interface Told {
  /** What was answered, in order, and went well. */
  readonly done: number
  /** What was not answered. */
  readonly pending: Step | undefined
  readonly unusual: readonly string[]
}

/** Takes a model through what a program has told. */
export function follow(model: Directory, journal: string): Told {
  const lines = journal.split('\n')
  const unusual: string[] = []
  let done = 0
  let pending: Step | undefined
  // The last line ends with a newline, or was cut off with the program.
  for (const line of lines.slice(0, -1)) {
    if (line.startsWith('{')) pending = JSON.parse(line) as Step
    else if (pending && line === 'done') {
      apply(model, pending)
      pending = undefined
      done++
    } else {
      if (!usual.has(line)) unusual.push(`${JSON.stringify(pending)}: ${line}`)
      pending = undefined
    }
  }
  return { done, pending, unusual }
}

/**
 * Compares what is there with what must be: all that was answered, and of the step that was not all or nothing; of writing that, any of
 * the bytes that were there before or after it.
 */
export function judged(model: Directory, pending: Step | undefined, found: Directory): readonly string[] {
  const asBefore = differences(model, found)
  if (asBefore.length === 0 || !pending) return asBefore
  const after = copyOf(model)
  try {
    apply(after, pending)
  } catch {
    // It would have been refused.
    return asBefore
  }
  if (pending.does === 'write') {
    const before = find(model, pending.path) as File | undefined
    const whole = find(after, pending.path) as File
    const there = find(found, pending.path)
    if (there?.kind === 'file') {
      if (!isBetween(there.content, before?.content ?? Buffer.alloc(0), whole.content))
        return [`${pending.path} holds what nobody wrote`, ...asBefore]
      whole.content = there.content
    }
  }
  const asAfter = differences(after, found)
  return asAfter.length === 0 ? [] : [`after ${JSON.stringify(pending)}:`, ...asBefore]
}

function isBetween(found: Buffer, before: Buffer, after: Buffer): boolean {
  if (found.length > Math.max(before.length, after.length)) return false
  for (let at = 0; at < found.length; at++)
    if (found[at] !== before[at] && found[at] !== after[at] && found[at] !== 0) return false
  return true
}
