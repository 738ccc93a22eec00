import * as Flags from '@oclif/core/flags'
import { type ProgressStyle, progressStyles } from './progress.ts'

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
  json: Flags.boolean({
    helpGroup: 'global',
    summary: 'Print the result as JSON: sizes in bytes, times as RFC 3339.',
  }),
  progress: Flags.option({
    options: progressStyles,
    default: 'auto' as ProgressStyle,
    env: 'PLY_PROGRESS',
    helpGroup: 'global',
    summary: 'How to show progress on stderr.',
  })(),
}

/** What the shared flags say. */
export interface SharedFlags {
  readonly root?: string | undefined
  readonly 'any-owner'?: boolean
  readonly 'no-durable'?: boolean
  readonly below?: readonly string[] | undefined
  readonly quiet?: boolean
  readonly progress?: ProgressStyle
}
