import * as Flags from '@oclif/core/flags'
import { imageArg } from '../arguments.ts'
import { layerFlags, nameFlag, RewriteCommand } from '../rewrite-command.ts'

export class Flatten extends RewriteCommand {
  static override summary = 'Make an image of one layer that shows the same.'
  static override description =
    'The layer holds what is visible and nothing else: no whiteouts, nothing that a later layer replaced, every directory with its attributes. Configuration and the steps of the history that made no layer stay.'
  static override examples = [{ description: 'What nobody can see is gone', command: 'ply flatten app:1 -t app:flat' }]
  static override args = { image: imageArg() }
  static override flags = {
    message: Flags.string({ char: 'm', summary: 'The comment in the history of the image.', helpValue: 'TEXT' }),
    ...nameFlag,
    ...layerFlags,
  }

  async run() {
    const { args, flags } = await this.parse(Flatten)
    const { message } = flags
    return this.rewritten(args.image, flags, async (image, as) =>
      (await this.store()).flatten(image, { message, ...this.writing(flags, as) }),
    )
  }
}
