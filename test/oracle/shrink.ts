import type { Arena, Line } from './arena.ts'
import { type Difference, type Sequence, Tally } from './engine.ts'
import type { Layer } from './layers.ts'
import { type Failure, replay } from './run.ts'

/** At most so many replays: each is a mount or two. */
const patience = 600

/** The smallest part of a failure that still fails in the same way; the failure itself where it does not come again. */
export async function shrink(arena: Arena, failure: Failure): Promise<Failure> {
  const shrinking = new Shrinking(arena, failure)
  return await shrinking.run()
}

class Shrinking {
  readonly #arena: Arena
  readonly #line: Line
  #sequences: readonly Sequence[]
  #difference: Difference
  #left = patience

  constructor(arena: Arena, { line, sequences, difference }: Failure) {
    this.#arena = arena
    this.#line = line
    this.#sequences = sequences
    this.#difference = difference
  }

  async run(): Promise<Failure> {
    const failing = this.#sequences[this.#difference.sequence]!
    if (!(await this.#try([{ ...failing, directory: 's0' }]))) {
      if (!(await this.#try(this.#sequences))) return this.#answer()
      await this.#less(this.#sequences, (some) => some)
    }
    for (let before = -1; before !== this.#size(); ) {
      before = this.#size()
      for (let i = 0; i < this.#sequences.length; i++) {
        await this.#less(this.#sequences[i]!.operations, (operations) => this.#with(i, { operations }))
        await this.#layers(i)
      }
    }
    if (!this.#line.systems.includes('turns')) await this.#try([{ ...this.#sequences[0]!, directory: '' }])
    return this.#answer()
  }

  async #layers(i: number): Promise<void> {
    const { layers } = this.#sequences[i]!
    for (let k = layers.length - 1; k > 0; k--) {
      await this.#try(this.#with(i, { layers: this.#sequences[i]!.layers.filter((_, each) => each !== k) }))
    }
    for (let k = this.#sequences[i]!.layers.length - 1; k >= 0; k--) {
      const of = (entries: Layer) =>
        this.#with(i, { layers: this.#sequences[i]!.layers.map((layer, each) => (each === k ? entries : layer)) })
      // Children stand behind their parents.
      for (let at = this.#sequences[i]!.layers[k]!.length - 1; at > 0; at--) {
        const layer = this.#sequences[i]!.layers[k]!
        const { path } = layer[at]!
        const needed = layer.some((other) => other.of === path || other.path.startsWith(`${path}/`))
        if (!needed) await this.#try(of(layer.filter((_, each) => each !== at)))
      }
    }
  }

  /** Leaves out halves, quarters, … of a list, as long as it still fails. */
  async #less<T>(list: readonly T[], of: (some: readonly T[]) => readonly Sequence[]): Promise<void> {
    let kept = list
    for (let chunk = Math.ceil(kept.length / 2); chunk >= 1; chunk = chunk === 1 ? 0 : Math.ceil(chunk / 2)) {
      for (let start = kept.length - chunk; start > -chunk; start -= chunk) {
        const some = kept.filter((_, i) => i < Math.max(0, start) || i >= start + chunk)
        if (await this.#try(of(some))) kept = some
      }
    }
  }

  #with(i: number, change: Partial<Sequence>): readonly Sequence[] {
    return this.#sequences.map((sequence, each) => (each === i ? { ...sequence, ...change } : sequence))
  }

  async #try(sequences: readonly Sequence[]): Promise<boolean> {
    if (this.#left-- <= 0 || sequences.length === 0) return false
    const found = await replay(this.#arena, this.#line, sequences, new Tally())
    if (found === undefined || found.system !== this.#difference.system || !this.#alike(found)) return false
    this.#sequences = sequences
    this.#difference = found
    return true
  }

  #alike({ what, at, expected, got }: Difference): boolean {
    const known = this.#difference
    if (typeof at !== typeof known.at || what.split(' ')[0] !== known.what.split(' ')[0]) return false
    const begins = (text: string) => (what === 'answer' ? text.startsWith('E') : text.split(' ')[0])
    return begins(expected) === begins(known.expected) && begins(got) === begins(known.got)
  }

  #size(): number {
    let size = 0
    for (const { operations, layers } of this.#sequences) {
      size += operations.length
      for (const layer of layers) size += layer.length
    }
    return size
  }

  #answer(): Failure {
    return { line: this.#line, difference: this.#difference, sequences: this.#sequences }
  }
}
