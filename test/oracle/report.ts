import { displayName } from '../../src/model/bytes.ts'
import type { Outcomes, Sequence } from './engine.ts'
import { hazards, improvements, refusals } from './improvements.ts'
import type { LayerEntry } from './layers.ts'
import { leeways } from './leeways.ts'
import { operationText } from './operations.ts'
import type { Failure } from './run.ts'

/** A failure as it is written to a file, to be replayed. */
export interface Script {
  readonly line: string
  readonly disk: string
  readonly sequences: readonly Sequence[]
}

/** A failure for people: what lies below, what is done, what came out. */
export function failureText({ line, difference, sequences }: Failure): string {
  const lines = [`line ${line.name}, systems ${line.systems.join(', ')}`]
  for (const [number, { directory, layers, operations }] of sequences.entries()) {
    if (sequences.length > 1) lines.push(`sequence ${number}, in ${directory || 'the root'}`)
    for (const [i, layer] of layers.entries()) {
      lines.push(`layer ${i}: ${layer.map(entryText).join(', ')}`)
    }
    for (const [at, operation] of operations.entries())
      lines.push(`${String(at).padStart(4)}  ${operationText(operation)}`)
  }
  const { system, at, what, expected, got } = difference
  lines.push(`${system}, ${typeof at === 'number' ? `operation ${at}` : at}: ${what}`)
  lines.push(`  expected ${displayName(expected)}`, `  got      ${displayName(got)}`)
  return lines.join('\n')
}

/** What a run has done, as it goes from process to process. */
export interface Summary {
  readonly operations: number
  readonly kinds: readonly (readonly [string, Outcomes])[]
  readonly errors: readonly (readonly [string, number])[]
  readonly forgiven: readonly (readonly [string, number])[]
  /** By line. */
  readonly systems: readonly (readonly [string, readonly string[]])[]
  readonly disks: readonly string[]
  /** Seconds. */
  readonly cpu: number
  readonly failures: readonly string[]
}

/** A run for people, as Markdown. */
export function reportOf(summary: Summary, seed: string, jobs: number, clock: number): string {
  const { operations, kinds, errors, forgiven, systems, disks, cpu, failures } = summary
  const uses = new Map(forgiven)
  const known = [...improvements, ...refusals, ...hazards, ...leeways]
  const used = known.filter(({ name }) => uses.has(name))
  const unused = known.filter(({ name }) => !uses.has(name)).map(({ name }) => name)
  const tried = new Map(systems)
  const runs = [...tried.values()].reduce((sum, of) => sum + of.length, 0) / tried.size
  return [
    `${operations} operations, seed ${seed}, ${jobs} processes; ${clock.toFixed(0)} s, ${cpu.toFixed(0)} CPU seconds: ` +
      `${Math.round(operations / cpu)} operations a CPU second, each on ${runs.toFixed(1)} systems (${Math.round((operations * runs) / cpu)} calls)`,
    '',
    `${failures.length} unexplained differences`,
    '',
    ...[...tried].map(([line, of]) => `- ${line}: ${of.join(', ')}`),
    `- on ${disks.join(', ')}`,
    '',
    '| operation | done | refused | no handle |',
    '| --- | --: | --: | --: |',
    ...[...kinds].sort().map(([kind, { done, refused, empty }]) => `| ${kind} | ${done} | ${refused} | ${empty} |`),
    '',
    `Refusals: ${[...errors]
      .sort(([, a], [, b]) => b - a)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ')}`,
    '',
    '| tolerated | times |',
    '| --- | --: |',
    ...used.map(({ name }) => `| ${name} | ${uses.get(name)} |`),
    '',
    unused.length === 0 ? 'Every entry of the tables was used.' : `Never used: ${unused.join(', ')}`,
    '',
  ].join('\n')
}

function entryText({ path, kind, mode, size, target, of, opaque, uid, gid, xattrs }: LayerEntry): string {
  const parts = [`${displayName(path) || '/'} ${opaque ? 'opaque ' : ''}${kind}`]
  if (mode !== undefined) parts.push(mode.toString(8))
  if (uid !== undefined) parts.push(`${uid}:${gid}`)
  if (size !== undefined) parts.push(`${size}`)
  if (target !== undefined) parts.push(`-> ${displayName(target)}`)
  if (of !== undefined) parts.push(`= ${displayName(of)}`)
  if (xattrs !== undefined) parts.push(Object.keys(xattrs).join('+'))
  return parts.join(' ')
}
