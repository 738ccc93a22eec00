import { readFileSync } from 'node:fs'
import { currentInput } from './current.ts'

/** How much longer than its CPU an input may take by the clock: the machine may have other things to do. */
const clockFactor = 6

/** CPU seconds of a process, where `/proc` tells. */
function cpuOf(pid: number): number | undefined {
  try {
    // The name of the program, in parentheses, may hold anything.
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ')
    return (Number(fields[11]) + Number(fields[12])) / 100
  } catch {
    return undefined
  }
}

/** Notices when a process does not get on with its input. */
export class Watch {
  readonly #pid: number
  readonly #path: string
  readonly #patience: number
  #count = -1
  #cpu = 0
  #since = performance.now()

  /** `patience` is in CPU seconds. `path` is that of the worker's `CurrentInput`. */
  constructor(pid: number, path: string, patience: number) {
    this.#pid = pid
    this.#path = path
    this.#patience = patience
  }

  /** The input it hangs on, if it does. To be asked from time to time. */
  hanging(): Buffer | undefined {
    const current = currentInput(this.#path)
    const cpu = cpuOf(this.#pid)
    if (current === undefined || current.count !== this.#count) {
      this.#count = current?.count ?? -1
      this.#cpu = cpu ?? 0
      this.#since = performance.now()
      return undefined
    }
    const seconds = (performance.now() - this.#since) / 1000
    const worked = cpu === undefined ? 0 : cpu - this.#cpu
    return worked > this.#patience || seconds > this.#patience * clockFactor ? current.input : undefined
  }
}
