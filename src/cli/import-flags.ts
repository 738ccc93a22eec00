import * as Flags from '@oclif/core/flags'
import type { LayerLimits } from './library.ts'
import { amountOf } from './sizes.ts'
import { UsageError } from './usage-error.ts'

/** How a command that reads layers judges them, and where it says what it found. */
export const importFlags = {
  strict: Flags.boolean({
    summary: 'Refuse a layer that gives a warning; layers that are here already are read again.',
  }),
  lenient: Flags.boolean({ summary: 'Take layers that can be made sense of, with a warning where they break a rule.' }),
  limit: Flags.string({
    multiple: true,
    multipleNonGreedy: true,
    helpValue: 'NAME=VALUE',
    summary: 'Set a budget of layers: entries=20M, logicalSize=4Ti, expansion, depth and others. Repeatable.',
  }),
  report: Flags.string({ helpValue: 'FILE', summary: 'Write what was found as JSON; - for stdout.' }),
}

export interface ImportFlags {
  readonly strict: boolean
  readonly lenient: boolean
  readonly limit: readonly string[] | undefined
  readonly report: string | undefined
}

/**
 * Reads `entries=20M` and the like; values may have a unit, as `amountOf` reads it. @throws UsageError naming what there is
 */
export function limitsOf(texts: readonly string[] = [], defaults: LayerLimits): Partial<LayerLimits> {
  const limits: Record<string, number> = {}
  for (const text of texts) {
    const [, name = '', value = ''] = /^([^=]*)=(.*)$/s.exec(text) ?? []
    if (!Object.hasOwn(defaults, name)) {
      const known = Object.entries(defaults).map(([limit, usual]) => `${limit}=${usual}`)
      throw new UsageError(`--limit ${text}: there is no such limit; they are, with their defaults: ${known.join(' ')}`)
    }
    const limit = amountOf(value)
    if (limit === undefined) {
      throw new UsageError(`--limit ${text}: not a number; write ${name}=1000000, ${name}=1M or ${name}=1Mi`)
    }
    limits[name] = limit
  }
  return limits
}
