import * as Flags from '@oclif/core/flags'
import { imageArg } from '../arguments.ts'
import { layerFlags, nameFlag, RewriteCommand } from '../rewrite-command.ts'
import { UsageError } from '../usage-error.ts'

export class Squash extends RewriteCommand {
  static override summary = 'Make one layer of several.'
  static override description =
    'Layers are counted from the base, which is 0; without flags it is all of them. The new image shows the same files. What the layers remove from below stays removed, and in the history one step stands for them, with the time of the last. The same layers give the same digest.'
  static override examples = [
    { description: 'All layers but the base', command: 'ply squash app:1 --from 1 -t app:small' },
    { description: 'The last three', command: 'ply squash app:1 --last 3' },
  ]
  static override args = { image: imageArg() }
  static override flags = {
    from: Flags.integer({ helpValue: 'N', min: 0, summary: 'The lowest layer of the range; 0, the base, by default.' }),
    to: Flags.integer({ helpValue: 'N', min: 0, summary: 'The highest one; the top by default.' }),
    last: Flags.integer({ helpValue: 'N', min: 1, summary: 'The highest N layers, in place of --from and --to.' }),
    message: Flags.string({ char: 'm', summary: 'The comment in the history of the image.', helpValue: 'TEXT' }),
    ...nameFlag,
    ...layerFlags,
  }

  async run() {
    const { args, flags } = await this.parse(Squash)
    const { from, to, last, message } = flags
    if (last !== undefined && (from !== undefined || to !== undefined))
      throw new UsageError('say the range once: with --last, or with --from and --to')
    return this.rewritten(args.image, flags, async (image, as) => {
      const { length } = image.layers
      if (last !== undefined && last > length && length > 0)
        throw new UsageError(`--last ${last}: the image has ${length} layer${length === 1 ? '' : 's'}`)
      const first = last === undefined ? from : length - last
      return (await this.store()).squash(image, { from: first, to, message, ...this.writing(flags, as) })
    })
  }
}
