import type { Random } from './random.ts'

/**
 * Something that reads bytes nobody vouches for, and what must be true of it. The fuzzer and the replay of its corpus
 * share it.
 */
export interface Target {
  readonly name: string
  /** Folders and files of `src` that it is meant to try; for the report. */
  readonly covers: readonly string[]
  /** Inputs are cut to so many bytes. */
  readonly largest: number
  /** What to begin with: well-formed inputs in which everything occurs that there is. */
  seeds(): Promise<readonly Buffer[]>
  /** Another input, made from one that was interesting and, perhaps, a second one. Neither is changed. */
  mutate(input: Buffer, other: Buffer, random: Random): Buffer
  /**
   * Reads the input in every way there is and compares the answers. Whatever it throws is a finding. It answers with what
   * happened, in a few words: inputs with new answers are kept.
   */
  run(input: Buffer): Promise<string>
}
