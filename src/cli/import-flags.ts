import * as Flags from '@oclif/core/flags'
import type { LayerLimits } from './library.ts'
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

const units: Readonly<Record<string, number>> = {
  ...{ '': 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12 },
  ...{ Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 },
}

/**
 * Reads `entries=20M` and the like. Values may have a unit: k, M, G, T count in thousands, Ki, Mi, Gi, Ti in 1024s, and a
 * B behind them means nothing. @throws UsageError naming what there is
 */
export function limitsOf(texts: readonly string[] = [], defaults: LayerLimits): Partial<LayerLimits> {
  const limits: Record<string, number> = {}
  for (const text of texts) {
    const [, name = '', value = ''] = /^([^=]*)=(.*)$/s.exec(text) ?? []
    if (!Object.hasOwn(defaults, name)) {
      const known = Object.entries(defaults).map(([limit, usual]) => `${limit}=${usual}`)
      throw new UsageError(`--limit ${text}: there is no such limit; they are, with their defaults: ${known.join(' ')}`)
    }
    const [, number = '', unit = ''] = /^(\d{1,15}(?:\.\d+)?)([kMGT]|[KMGT]i)?B?$/.exec(value) ?? []
    const limit = Math.floor(Number(number) * units[unit]!)
    if (number === '' || !Number.isSafeInteger(limit)) {
      throw new UsageError(`--limit ${text}: not a number; write ${name}=1000000, ${name}=1M or ${name}=1Mi`)
    }
    limits[name] = limit
  }
  return limits
}
