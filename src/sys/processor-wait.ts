import { closeSync, openSync, readSync } from 'node:fs'

/** A clock of how long a thread has been ready to run, and waited for a processor. */
export interface ProcessorWait {
  /** Milliseconds since the thread began. */
  readonly now: () => number
  readonly close: () => void
}

/** That of the calling thread (Linux, `schedstat` of proc(5)); `undefined` where the kernel does not count it. */
export function processorWait(): ProcessorWait | undefined {
  let fd: number
  try {
    fd = openSync('/proc/thread-self/schedstat', 'r')
  } catch {
    return undefined
  }
  const memory = Buffer.alloc(80)
  return {
    now() {
      // Nanoseconds on a processor, nanoseconds of waiting for one, time slices.
      const text = memory.toString('latin1', 0, readSync(fd, memory, 0, memory.length, 0))
      const from = text.indexOf(' ') + 1
      return Number(text.slice(from, text.indexOf(' ', from))) / 1e6
    },
    close: () => closeSync(fd),
  }
}
