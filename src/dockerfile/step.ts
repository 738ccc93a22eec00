import type { Heredoc, Instruction } from './instruction.ts'
import type { RunMount } from './mounts.ts'
import type { Pair } from './pairs.ts'

/** A command as a program and its arguments, or as a line for the shell. */
export type Command =
  | { readonly form: 'exec'; readonly words: readonly string[] }
  | { readonly form: 'shell'; readonly line: string }

/** What COPY and ADD have in common; every text is as it is written, variables not put in. */
export interface Copying {
  /** Paths and patterns, heredocs left out. */
  readonly sources: readonly string[]
  /** Files whose content stands in the Dockerfile. */
  readonly inline: readonly Heredoc[]
  readonly target: string
  readonly chown?: string
  readonly chmod?: string
  readonly link: boolean
  readonly excludes: readonly string[]
}

/** What an instruction means. Texts are as they are written: quotes and variables are taken out when it is carried out. */
export type Meaning =
  | { readonly is: 'arg'; readonly args: readonly { readonly name: string; readonly value?: string }[] }
  | { readonly is: 'from'; readonly image: string; readonly platform?: string; readonly as?: string }
  | {
      readonly is: 'run'
      readonly command: Command
      readonly heredocs: readonly Heredoc[]
      readonly mounts: readonly RunMount[]
      readonly network: 'default' | 'none' | 'host'
      readonly security: 'sandbox' | 'insecure'
    }
  | ({ readonly is: 'copy'; readonly from?: string; readonly parents: boolean } & Copying)
  | ({
      readonly is: 'add'
      readonly checksum?: string
      readonly keepGitDirectory: boolean
      readonly unpack?: boolean
    } & Copying)
  | { readonly is: 'env' | 'label'; readonly pairs: readonly Pair[]; readonly spaced: boolean }
  | { readonly is: 'cmd' | 'entrypoint'; readonly command: Command }
  | { readonly is: 'shell'; readonly words: readonly string[] }
  | { readonly is: 'user' | 'stopsignal' | 'maintainer'; readonly text: string }
  | { readonly is: 'workdir'; readonly text: string }
  | { readonly is: 'expose' | 'volume'; readonly words: readonly string[] }
  | { readonly is: 'healthcheck'; readonly check: HealthcheckMeaning }
  | { readonly is: 'onbuild'; readonly text: string; readonly step: Step }

export type HealthcheckMeaning =
  | { readonly none: true }
  | {
      readonly none: false
      readonly command: Command
      /** Nanoseconds. */
      readonly interval?: number
      readonly timeout?: number
      readonly startPeriod?: number
      readonly startInterval?: number
      readonly retries?: number
    }

/** One instruction, where it stands and what it means. */
export interface Step {
  readonly instruction: Instruction
  readonly meaning: Meaning
}
