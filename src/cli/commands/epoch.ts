import * as Flags from '@oclif/core/flags'
import { imageArg } from '../arguments.ts'
import { nameFlag, RewriteCommand } from '../rewrite-command.ts'
import { UsageError } from '../usage-error.ts'

export class Epoch extends RewriteCommand {
  static override summary = 'Lower every time in an image that is later than a source epoch to it.'
  static override description =
    'Of entries in layers, of the config and its history, and of org.opencontainers.image.created among annotations and labels. So that two builds of the same give the same digest. Layers without later times stay as they are, and with --base or --from so do those of the base, with their steps.'
  static override examples = [
    {
      description: 'All but the base, to the time of the last commit',
      command: 'ply epoch app:1 --source-date-epoch $(git log -1 --format=%ct) --base debian:12 -t app:1',
    },
  ]
  static override args = { image: imageArg() }
  static override flags = {
    'source-date-epoch': Flags.integer({
      helpValue: 'SECONDS',
      summary: 'Unix time; by default $SOURCE_DATE_EPOCH.',
    }),
    base: Flags.string({
      helpValue: 'IMAGE',
      exclusive: ['from'],
      summary: 'What the image was built on, and stays as it is.',
    }),
    from: Flags.integer({ helpValue: 'N', min: 0, summary: 'The lowest layer to be looked at; 0 is the base.' }),
    unmark: Flags.boolean({ summary: 'Make ordinary layers also of those that are marked not to be distributed.' }),
    ...nameFlag,
  }

  async run() {
    const { args, flags } = await this.parse(Epoch)
    const sourceEpoch = flags['source-date-epoch'] ?? this.sourceEpoch
    if (sourceEpoch === undefined)
      throw new UsageError('say which time: with --source-date-epoch SECONDS, or in SOURCE_DATE_EPOCH')
    const { from, unmark } = flags
    return this.rewritten(args.image, flags, async (image, as) => {
      const { os, architecture, variant } = image.config
      const platform = flags.all ? [os, architecture, ...(variant ? [variant] : [])].join('/') : flags.platform
      const base = flags.base === undefined ? undefined : await this.image(flags.base, platform)
      return (await this.store()).lowerTimes(image, { sourceEpoch, base, from, as, unmark, ...this.operation })
    })
  }
}
