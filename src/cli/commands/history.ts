import * as Flags from '@oclif/core/flags'
import { humanAge } from '../ages.ts'
import { imageArg } from '../arguments.ts'
import { registryFlags } from '../registry-flags.ts'
import { humanSize } from '../sizes.ts'
import { StoreCommand } from '../store-command.ts'
import { shortId, table } from '../table.ts'

export class History extends StoreCommand {
  static override summary = 'Show the steps in which an image was made, newest first.'
  static override examples = [
    { description: 'What made each layer, in full', command: 'ply history debian:12 --no-trunc' },
  ]
  static override args = { image: imageArg() }
  static override flags = {
    'no-trunc': Flags.boolean({ summary: 'Show ids and commands in full.' }),
    platform: Flags.string({ helpValue: 'OS/ARCH', summary: 'Which image of an index.' }),
    ...registryFlags,
  }

  async run() {
    const { args, flags } = await this.parse(History)
    const { describeImage, displayText, encodeText } = await this.library()
    const image = await this.image(args.image, flags.platform)
    const { id, history } = describeImage(image)
    const steps = history.toReversed()
    const full = flags['no-trunc'] ?? false
    const text = (value: string | undefined, most: number) => {
      const line = displayText(encodeText((value ?? '').replaceAll('\n', ' ')))
      return full || line.length <= most ? line : `${line.slice(0, most - 1)}…`
    }
    const rows = steps.map((step, index) => ({ step, id: index === 0 ? shortId(id, full) : '<missing>' }))
    if (this.quiet) await this.printAll(rows.map((row) => row.id))
    else {
      await this.printAll(
        table(rows, [
          { header: 'image', of: ({ id }) => id },
          { header: 'created', of: ({ step }) => humanAge(step.created) },
          { header: 'created by', of: ({ step }) => text(step.createdBy, 45) },
          { header: 'size', of: ({ step }) => humanSize(step.size) },
          { header: 'comment', of: ({ step }) => text(step.comment, 40) },
        ]),
      )
    }
    return steps
  }
}
