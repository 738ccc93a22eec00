/** By the major version of V8: when a function that is called often is compiled for good. Measured for these alone. */
const compileSooner: Readonly<Record<string, readonly string[]>> = {
  11: ['--interrupt-budget=20000'],
  12: ['--invocation-count-for-turbofan=1000'],
}

/** Compilers and collectors of garbage in four threads of their own push the one that serves aside, and who asks. */
const oneThreadBeside = '--v8-pool-size=1'

/**
 * What Node is told that serves a mount in a process of its own: to compile what runs often after a third of the calls that it
 * usually waits for, and beside no more than one other thread. A mount is asked the same few things thousands of times, and who
 * asks waits for each answer.
 */
export function servingFlags(v8: string = process.versions.v8): readonly string[] {
  return [oneThreadBeside, ...(compileSooner[v8.slice(0, v8.indexOf('.'))] ?? [])]
}
