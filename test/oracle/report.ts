import { displayName } from '../../src/model/bytes.ts'
import type { Sequence } from './engine.ts'
import type { LayerEntry } from './layers.ts'
import { operationText } from './operations.ts'
import type { Failure } from './run.ts'

/** A failure as it is written to a file, to be replayed. */
export interface Script {
  readonly line: string
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
