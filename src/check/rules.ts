/** What can be wrong with an image, by the names that findings, ignores and severities have. */
export const ruleNames = [
  'size-image',
  'size-contents',
  'size-layer',
  'size-file',
  'layers',
  'efficiency',
  'efficiency-dive',
  'wasted',
  'forbidden-path',
  'missing-path',
  'set-id',
  'world-writable',
  'capability',
  'secret',
  'unscanned',
  'label',
] as const

/** A rule of the gate, as it is called in a file of rules. */
export type RuleName = (typeof ruleNames)[number]

export type Severity = 'error' | 'warning'

/** What is not to be told: findings of a rule, or at paths, or both. */
export interface Ignore {
  readonly rule?: RuleName | undefined
  readonly path?: string | undefined
  /** Why, for whoever reads the report. */
  readonly reason?: string | undefined
}

/** Where set-id bits, open modes and capabilities are looked for: nowhere, or everywhere but at these paths. */
export interface Forbidden {
  readonly allow: readonly string[]
}

export interface SecretRules {
  /** Of every layer, or only of what is visible in the end. */
  readonly layers: 'all' | 'visible'
  /** Bytes of a file that are read, and of all files; the rest is told as `unscanned`. */
  readonly fileLimit: number
  readonly totalLimit: number
  /** Whether the patterns that ply has itself are looked for, too. */
  readonly builtIn: boolean
  readonly patterns: Readonly<Record<string, RegExp>>
  readonly allow: readonly string[]
}

/** What an image has to be like. What is absent is not asked. */
export interface CheckRules {
  readonly size: {
    /** Bytes of manifest, config and layers as they travel. */
    readonly image?: number | undefined
    /** Bytes of the files that are visible in the end. */
    readonly contents?: number | undefined
    /** Bytes of each layer as it travels. */
    readonly layer?: number | undefined
    /** Bytes of each file that is visible in the end. */
    readonly file?: number | undefined
    /** How many layers. */
    readonly layers?: number | undefined
  }
  readonly efficiency: {
    /** The least share of bytes that is of use, from 0 to 1. */
    readonly min?: number | undefined
    /** The same by the score of dive. */
    readonly dive?: number | undefined
    /** Bytes that layers may hold in vain. */
    readonly wasted?: number | undefined
  }
  readonly paths: {
    readonly forbidden: readonly string[]
    readonly required: readonly string[]
    /** Also what a layer above takes away or replaces: whoever has the image has it, too. */
    readonly everyLayer: boolean
  }
  readonly setId?: Forbidden | undefined
  readonly worldWritable?: Forbidden | undefined
  readonly capabilities?: Forbidden | undefined
  readonly secrets?: SecretRules | undefined
  readonly labels: readonly string[]
  readonly severity: Readonly<Partial<Record<RuleName, Severity>>>
  readonly ignore: readonly Ignore[]
}

export const defaultSecrets: SecretRules = {
  layers: 'all',
  fileLimit: 1 << 20,
  totalLimit: 2 ** 32,
  builtIn: true,
  patterns: {},
  allow: [],
}

/** What is asked of an image where nobody says otherwise: no secrets, and no files that everybody may write. */
export const defaultRules: CheckRules = {
  size: {},
  efficiency: {},
  paths: { forbidden: [], required: [], everyLayer: true },
  worldWritable: { allow: [] },
  secrets: defaultSecrets,
  labels: [],
  severity: { unscanned: 'warning' },
  ignore: [],
}
