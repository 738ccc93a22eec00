import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Violation } from '../oracle/outcome.ts'

/** Something that must not happen and did. */
export interface Finding {
  readonly target: string
  /** `error`, `hang`, `crash` or `memory`. */
  readonly kind: string
  /** What tells it from other findings: the error and where it came from. */
  readonly what: string
  /** The file with the input. */
  readonly file: string
}

/** Keeps the input beside a text that says what is wrong with it. `key` is what the text begins with, in short. */
export function saveFinding(
  folder: string,
  target: string,
  kind: string,
  input: Uint8Array,
  text: string,
  key = text,
): Finding {
  mkdirSync(folder, { recursive: true })
  const name = `${target}-${kind}-${createHash('sha256').update(input).digest('hex').slice(0, 12)}`
  const file = join(folder, name)
  writeFileSync(file, input)
  writeFileSync(`${file}.txt`, `${text}\n\nnpm run fuzz -- --reproduce ${file} --target ${target}\n`)
  return { target, kind, what: key.split('\n')[0]!, file }
}

/** All that is known of an error. */
export function textOf(error: unknown): string {
  if (!(error instanceof Error)) return `thrown: ${String(error)}`
  const cause = error.cause === undefined ? '' : `\n\ncaused by ${textOf(error.cause)}`
  return (error.stack ?? String(error)) + cause
}

/** An error by its name and where in the code it came up: numbers in its message differ from input to input. */
export function keyOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error instanceof Violation) return error.what
  const place = /^ +at .*$/m.exec(error.stack ?? '')
  return `${error.name} ${error.message.replace(/\d+/g, 'N').slice(0, 120)} ${place?.[0].trim() ?? ''}`
}
