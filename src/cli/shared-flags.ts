import * as Flags from '@oclif/core/flags'
import { type ProgressStyle, progressStyles } from './progress.ts'

/** What is told on stderr: failures alone, also what ply has to say, also how long each phase took, and where an error came from. */
export const logLevels = ['error', 'info', 'debug'] as const
export const logFormats = ['text', 'json'] as const

/** The flags of every command, in the order of the reference: they mean the same everywhere. */
export const sharedFlags = {
  quiet: Flags.boolean({ char: 'q', helpGroup: 'global', summary: 'Print ids only, and no progress.' }),
  root: Flags.string({
    env: 'PLY_ROOT',
    helpGroup: 'global',
    helpValue: 'DIR',
    summary: 'The store; by default $XDG_DATA_HOME/ply or ~/.local/share/ply.',
  }),
  'any-owner': Flags.boolean({
    env: 'PLY_ANY_OWNER',
    helpGroup: 'global',
    summary: 'Open the store even if it belongs to another user, who then decides what you read.',
  }),
  below: Flags.string({
    multiple: true,
    multipleNonGreedy: true,
    helpGroup: 'global',
    helpValue: 'DIR',
    summary:
      'A store below, of which only is read; may be said again. By default those in $PLY_STORES_BELOW, with colons between them.',
  }),
  'no-durable': Flags.boolean({
    helpGroup: 'global',
    summary: 'If there is no store yet, make one that syncs nothing: faster, and worth nothing after a loss of power.',
  }),
  'block-copy-up': Flags.string({
    helpGroup: 'global',
    helpValue: 'SIZE|never',
    summary:
      'From which size on a file of an image is not copied whole when a container first writes it: the blocks that are written are. By default 64Mi.',
  }),
  json: Flags.boolean({
    helpGroup: 'global',
    summary: 'Print the result as JSON: sizes in bytes, times as RFC 3339.',
  }),
  progress: Flags.option({
    options: progressStyles,
    default: 'auto' as ProgressStyle,
    env: 'PLY_PROGRESS',
    helpGroup: 'global',
    summary: 'How to show progress on stderr; json: an object a line.',
  })(),
  'log-level': Flags.option({
    options: logLevels,
    default: 'info' as (typeof logLevels)[number],
    env: 'PLY_LOG',
    helpGroup: 'global',
    summary: 'What else to say on stderr: errors alone, notes too, or also how long each phase took.',
  })(),
  'log-format': Flags.option({
    options: logFormats,
    default: 'text' as (typeof logFormats)[number],
    env: 'PLY_LOG_FORMAT',
    helpGroup: 'global',
    summary: 'How to say it; json: an object a line, with level, time and message.',
  })(),
}

/** What the shared flags say. */
export interface SharedFlags {
  readonly root?: string | undefined
  readonly 'any-owner'?: boolean
  readonly 'no-durable'?: boolean
  readonly 'block-copy-up'?: string | undefined
  readonly below?: readonly string[] | undefined
  readonly quiet?: boolean
  readonly progress?: ProgressStyle
  readonly 'log-level'?: (typeof logLevels)[number]
  readonly 'log-format'?: (typeof logFormats)[number]
}
