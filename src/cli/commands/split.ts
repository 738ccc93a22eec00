import * as Flags from '@oclif/core/flags'
import { imageArg } from '../arguments.ts'
import { layerFlags, nameFlag, RewriteCommand } from '../rewrite-command.ts'
import { amountOf } from '../sizes.ts'
import { UsageError } from '../usage-error.ts'

export class Split extends RewriteCommand {
  static override summary = 'Cut a layer into several.'
  static override description =
    'By size, by paths, or both: each path becomes a layer of its own, and whatever is larger than the size is cut into several. The new image shows the same files. Hardlinks stay together, what the layer removes from below is in the lowest part, and a file that is larger than the size is a layer of its own. Layers are counted from the base, which is 0.'
  static override examples = [
    { description: 'Layers of about half a gigabyte', command: 'ply split app:1 --layer 2 --size 500MB -t app:cut' },
    {
      description: 'Documentation apart from the rest',
      command: 'ply split app:1 --layer 0 --path usr/share/doc --path usr/share/man',
    },
  ]
  static override args = { image: imageArg() }
  static override flags = {
    layer: Flags.integer({ helpValue: 'N', min: 0, required: true, summary: 'Which layer.' }),
    size: Flags.string({ helpValue: 'SIZE', summary: 'About how large a part may be: 500MB, 1Gi.' }),
    path: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'PATH',
      summary: 'A path that becomes a layer of its own, with all that is under it. Repeatable.',
    }),
    ...nameFlag,
    ...layerFlags,
  }

  async run() {
    const { args, flags } = await this.parse(Split)
    const { layer, path: paths } = flags
    const size = flags.size === undefined ? undefined : amountOf(flags.size)
    if (flags.size !== undefined && size === undefined)
      throw new UsageError(`--size ${flags.size}: not a size; write 500MB, 1Gi or a number of bytes`)
    return this.rewritten(args.image, flags, async (image, as) =>
      (await this.store()).split(image, { layer, size, paths, ...this.writing(flags, as) }),
    )
  }
}
