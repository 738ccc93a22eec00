import { PlyError } from './errors.ts'

/** A run of user or group numbers and what they become. */
export interface IdRange {
  /** The first number in the image. */
  readonly from: number
  /** What it becomes. */
  readonly to: number
  readonly count: number
}

/** No owner at all: what the kernel calls the overflow of a mapping. No archive can hold it (layer-semantics F-02). */
export const unmappedId = 0xffffffff

/**
 * A mapping of user or group numbers, as `/proc/PID/uid_map` has it. Ranges that overlap, on either side, are refused,
 * so a mapping can be turned around.
 */
export class IdMapping {
  readonly #ranges: readonly IdRange[]

  /** @throws PLY_USAGE for ranges that overlap or leave the 32-bit numbers. */
  constructor(ranges: readonly IdRange[]) {
    for (const side of ['from', 'to'] as const) {
      const sorted = [...ranges].sort((a, b) => a[side] - b[side])
      sorted.forEach((range, at) => {
        const first = range[side]
        const end = first + range.count
        if (!Number.isSafeInteger(end) || first < 0 || range.count < 1 || end > unmappedId)
          throw usage(`the range ${textOf(range)} is not one of owners`)
        const next = sorted[at + 1]
        if (next !== undefined && next[side] < end)
          throw usage(`the ranges ${textOf(range)} and ${textOf(next)} overlap`)
      })
    }
    this.#ranges = ranges
  }

  /** Reads `FROM:TO:COUNT`, several separated by commas. @throws PLY_USAGE */
  static parse(text: string): IdMapping {
    return new IdMapping(
      text.split(',').map((part) => {
        const found = /^(\d{1,10}):(\d{1,10}):(\d{1,10})$/.exec(part.trim())
        if (!found) throw usage(`“${part}” is no range of owners; write FROM:TO:COUNT`)
        return { from: Number(found[1]), to: Number(found[2]), count: Number(found[3]) }
      }),
    )
  }

  /** As they were given: what can be sent to another thread. */
  get ranges(): readonly IdRange[] {
    return this.#ranges
  }

  /** What a number becomes; `undefined` outside of all ranges. */
  get(id: number): number | undefined {
    for (const { from, to, count } of this.#ranges) if (id >= from && id - from < count) return to + (id - from)
    return undefined
  }

  /** The way back. */
  reversed(): IdMapping {
    return new IdMapping(this.#ranges.map(({ from, to, count }) => ({ from: to, to: from, count })))
  }
}

function textOf({ from, to, count }: IdRange): string {
  return `${from}:${to}:${count}`
}

function usage(reason: string): PlyError {
  return new PlyError('PLY_USAGE', { reason })
}
