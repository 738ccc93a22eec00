/** What the checks look for, by the names that BuildKit gave them (docs.docker.com/reference/build-checks). */
export const lintRules = [
  'StageNameCasing',
  'FromAsCasing',
  'NoEmptyContinuation',
  'ConsistentInstructionCasing',
  'DuplicateStageName',
  'ReservedStageName',
  'JSONArgsRecommended',
  'MaintainerDeprecated',
  'UndefinedArgInFrom',
  'UndefinedVar',
  'MultipleInstructionsDisallowed',
  'WorkdirRelativePath',
  'LegacyKeyValueFormat',
  'RedundantTargetPlatform',
  'SecretsUsedInArgOrEnv',
  'InvalidDefaultArgInFrom',
  'FromPlatformFlagConstDisallowed',
  'CopyIgnoredFile',
  'InvalidDefinitionDescription',
  'ExposeProtoCasing',
  'ExposeInvalidFormat',
  'InvalidBaseImagePlatform',
] as const

/** A check of Dockerfiles, by the name that BuildKit gives it. */
export type LintRule = (typeof lintRules)[number]

/** Rules that say something only where `experimental` names them. */
export const experimentalRules: ReadonlySet<LintRule> = new Set(['InvalidDefinitionDescription'])

/** Something in a Dockerfile that works, and hardly as it is meant. */
export interface Finding {
  readonly rule: LintRule
  /** From 1. */
  readonly line: number
  readonly text: string
}

/** Hears of what is found. */
export type Report = (rule: LintRule, line: number, text: string) => void

/** What is known of the image that a stage begins with. */
export interface LintBase {
  /** `NAME=VALUE` */
  readonly environment: readonly string[]
  /** Whether it says itself what runs a command that is no list. */
  readonly shell: boolean
  /** `os/arch[/variant]` that it is for, and that it should be for. */
  readonly platform: string
  readonly wanted: string
}

export interface LintOptions {
  /** What the user gave for ARG. */
  readonly args?: ReadonlyMap<string, string> | undefined
  /** `TARGETARCH` and the like: see `platformArguments`. */
  readonly platform?: ReadonlyMap<string, string> | undefined
  /** Images by the numbers of the stages on them. Of what is not known nothing is said. */
  readonly bases?: ReadonlyMap<number, LintBase> | undefined
  /** Whether a path of the context is not there because something is told to ignore it. */
  readonly isIgnored?: ((path: string) => boolean) | undefined
  /** `skip=…;error=true`, in the place of what the file says. */
  readonly check?: string | undefined
}
