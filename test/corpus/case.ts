import type { LayerLimits } from '../../src/layer/limits.ts'
import { archive } from '../tar/raw.ts'

/**
 * One archive of the corpus (layer-semantics, section 19) and what the rules make of it.
 *
 * What is expected is written down by hand from the rules, never recorded from the code. A table has one line a path, in
 * the order of a walk, names in byte order; `lines.ts` says how they read.
 */
export interface Case {
  /** Rules, a colon, and a sentence. */
  readonly name: string
  readonly rules: readonly string[]
  /** The layer as it travels: a tar, unless it is about compression. */
  readonly blob: Buffer
  /** What the blob decompresses to. Where the blob is refused: what it should have been. */
  readonly tar: Buffer
  readonly options: CaseOptions
  /** The tar of a layer below, for a layer that refers to one. */
  readonly below?: Buffer | undefined
  /** Why Linux shows something else than the index says, if it does. */
  readonly notInLinux?: string | undefined
  readonly expect: Refused | Accepted
}

export interface CaseOptions {
  readonly lenient?: boolean
  readonly limits?: Partial<LayerLimits>
  readonly mediaType?: string
}

export interface Refused {
  readonly refused: string
  readonly code: string
}

export interface Accepted {
  readonly says: readonly string[]
  /** Rules, in the order in which they were found. */
  readonly warnings: readonly string[]
  /** What is found besides when the layer below is known. */
  readonly warningsOverBelow: readonly string[]
}

export interface More extends CaseOptions {
  readonly warnings?: readonly string[]
  readonly warningsOverBelow?: readonly string[]
  readonly code?: string
  readonly below?: Buffer
  readonly notInLinux?: string
  /** The blob is compressed: what is in it. */
  readonly tar?: Buffer
}

/** Members that get an end marker, or a whole blob. */
type Content = readonly Buffer[] | Buffer

/** An archive that is accepted and says this: lines, or a text of lines. */
export function says(name: string, content: Content, table: string | readonly string[], more: More = {}): Case {
  const lines = typeof table === 'string' ? table.split('\n') : table
  const expected = lines.map((line) => line.trim()).filter((line) => line !== '')
  const { warnings = [], warningsOverBelow = [] } = more
  return makeCase(name, content, more, { says: expected, warnings, warningsOverBelow })
}

/** An archive that is refused by a rule: the first one its name gives, unless another is said. */
export function refuses(name: string, content: Content, more: More & { readonly rule?: string } = {}): Case {
  const rule = more.rule ?? rulesIn(name)[0] ?? ''
  return makeCase(name, content, more, { refused: rule, code: more.code ?? 'PLY_BAD_LAYER' })
}

function makeCase(name: string, content: Content, more: More, expect: Refused | Accepted): Case {
  const { lenient, limits, mediaType, below, notInLinux } = more
  const blob = Buffer.isBuffer(content) ? content : archive(...(content as readonly Buffer[]))
  const options = { ...(lenient && { lenient }), ...(limits && { limits }), ...(mediaType && { mediaType }) }
  return { name, rules: rulesIn(name), blob, tar: more.tar ?? blob, options, below, notInLinux, expect }
}

function rulesIn(name: string): readonly string[] {
  return name.slice(0, name.indexOf(':')).match(/\b[A-Z]-\d\d\b|section \d+/g) ?? []
}
