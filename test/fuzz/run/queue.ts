import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Random } from '../random.ts'

/** The inputs that were worth keeping, in the order they were found, in memory and in a folder. */
export class Queue {
  readonly inputs: Buffer[] = []
  readonly #names = new Set<string>()
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
    mkdirSync(folder, { recursive: true })
  }

  /** What an earlier process left. */
  static saved(folder: string): Buffer[] {
    return readdirSync(folder)
      .sort()
      .map((name) => readFileSync(join(folder, name)))
  }

  /** `false` if it is there already. */
  add(input: Buffer): boolean {
    const name = createHash('sha256').update(input).digest('hex').slice(0, 16)
    if (this.#names.has(name)) return false
    this.#names.add(name)
    this.inputs.push(Buffer.from(input))
    writeFileSync(join(this.#folder, `${String(this.inputs.length).padStart(6, '0')}-${name}`), input)
    return true
  }

  /** New ones and small ones more often. */
  pick(random: Random): Buffer {
    const { inputs } = this
    const one = () =>
      random.chance(0.4) ? inputs[inputs.length - 1 - random.small(inputs.length)]! : random.pick(inputs)
    const first = one()
    const second = one()
    return random.chance(0.7) === first.length <= second.length ? first : second
  }
}
