import { isDeepStrictEqual } from 'node:util'
import type { Image } from './image.ts'

/** Something that two images say differently of themselves. */
export interface ImageDifference {
  /** Where it stands: `config.Env.PATH`, `architecture`, `annotations.org.example`, `history`. Names hold dots as they are. */
  readonly at: string
  /** JSON values; absent where one of the images says nothing. */
  readonly before?: unknown
  readonly after?: unknown
}

/**
 * What differs between two images beside their layers: the config (variables of the environment one by one), annotations, the media
 * type of the manifest, and the steps of the history, of which those are told that only one of them has.
 */
export function compareImages(before: Image, after: Image): readonly ImageDifference[] {
  const x = new Map(statements(before))
  const y = new Map(statements(after))
  const differences: ImageDifference[] = []
  for (const at of new Set([...x.keys(), ...y.keys()])) {
    const was = x.get(at)
    const is = y.get(at)
    if (JSON.stringify(was) === JSON.stringify(is)) continue
    differences.push({ at, ...(x.has(at) && { before: was }), ...(y.has(at) && { after: is }) })
  }
  return [...differences, ...historyDifferences(before, after)]
}

function* statements({ config, manifest, descriptor }: Image): Generator<readonly [string, unknown]> {
  yield ['mediaType', descriptor.mediaType]
  const { history: _, rootfs: __, config: execution = {}, ...rest } = config
  for (const [key, value] of Object.entries(rest)) yield [key, value]
  for (const [key, value] of Object.entries(execution)) {
    if (key === 'Env' && Array.isArray(value)) {
      for (const variable of value as string[])
        yield [`config.Env.${variable.split('=')[0]}`, variable.replace(/^[^=]*=?/, '')]
    } else if (isPlain(value)) {
      for (const [name, inner] of Object.entries(value)) yield [`config.${key}.${name}`, inner]
    } else if (value !== undefined && value !== null) yield [`config.${key}`, value]
  }
  for (const [key, value] of Object.entries(manifest.annotations ?? {})) yield [`annotations.${key}`, value]
}

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function historyDifferences(before: Image, after: Image): ImageDifference[] {
  const x = before.config.history ?? []
  const y = after.config.history ?? []
  const pairs = aligned(x.map(keyOf), y.map(keyOf), (a, b) => (a === b ? 1 : 0))
  return pairs.flatMap(({ before: a, after: b }) => {
    if (a !== undefined && b !== undefined) return []
    return [{ at: 'history', ...(a !== undefined && { before: x[a] }), ...(b !== undefined && { after: y[b] }) }]
  })
}

function keyOf(step: object): string {
  return JSON.stringify(Object.entries(step).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** Two places of two lists that stand for one another, or one that has no like. */
export interface AlignedPair {
  readonly before?: number
  readonly after?: number
}

/**
 * Two lists side by side, in the order of both, so that what stands beside each other is as alike as can be: `likeness` is 0 for what
 * must not. Takes as long as one list times the other.
 */
export function aligned<T>(
  before: readonly T[],
  after: readonly T[],
  likeness: (a: T, b: T) => number,
): readonly AlignedPair[] {
  const width = after.length + 1
  const best = new Float64Array((before.length + 1) * width)
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      const like = likeness(before[i]!, after[j]!)
      const together = like > 0 ? like + best[(i + 1) * width + j + 1]! : 0
      best[i * width + j] = Math.max(together, best[(i + 1) * width + j]!, best[i * width + j + 1]!)
    }
  }
  const pairs: AlignedPair[] = []
  let i = 0
  let j = 0
  while (i < before.length || j < after.length) {
    const like = i < before.length && j < after.length ? likeness(before[i]!, after[j]!) : 0
    if (like > 0 && best[i * width + j] === like + best[(i + 1) * width + j + 1]!)
      pairs.push({ before: i++, after: j++ })
    else if (j >= after.length || (i < before.length && best[(i + 1) * width + j]! >= best[i * width + j + 1]!))
      pairs.push({ before: i++ })
    else pairs.push({ after: j++ })
  }
  return pairs
}

/** Whether the documents of an image say what those of another one do: a different spelling is no difference. */
export function saysTheSame(one: Image, other: Image): boolean {
  const { config: a, mediaType: _, ...x } = one.manifest
  const { config: b, mediaType: __, ...y } = other.manifest
  return a.mediaType === b.mediaType && isDeepStrictEqual(one.config, other.config) && isDeepStrictEqual(x, y)
}
