import { closeSync, openSync, readSync, writevSync } from 'node:fs'

/**
 * The input that is being read right now, in a file: whoever watches the process can tell that it does not get on, and has
 * the input even if the process is gone.
 */
export class CurrentInput {
  readonly #fd: number
  readonly #head = Buffer.alloc(8)
  #count = 0

  constructor(path: string) {
    this.#fd = openSync(path, 'w+')
  }

  begin(input: Uint8Array): void {
    this.#head.writeUInt32LE(++this.#count, 0)
    this.#head.writeUInt32LE(input.length, 4)
    writevSync(this.#fd, [this.#head, input], 0)
  }
}

/** Reads it from another process. `undefined` before the first input. */
export function currentInput(path: string): { readonly count: number; readonly input: Buffer } | undefined {
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  try {
    const head = Buffer.alloc(8)
    if (readSync(fd, head, 0, 8, 0) < 8) return undefined
    const input = Buffer.alloc(head.readUInt32LE(4))
    return { count: head.readUInt32LE(0), input: input.subarray(0, readSync(fd, input, 0, input.length, 8)) }
  } finally {
    closeSync(fd)
  }
}
