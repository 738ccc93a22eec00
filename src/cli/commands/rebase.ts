import * as Flags from '@oclif/core/flags'
import { imageArg } from '../arguments.ts'
import type { LayerReport } from '../library.ts'
import { nameFlag, RewriteCommand } from '../rewrite-command.ts'

export class Rebase extends RewriteCommand {
  static override summary = 'Put the layers of an image on another base.'
  static override description =
    'The layers of the old base must be the lowest of the image. The layers above them are not changed, and neither is the configuration: what it took from the old base (PATH, the platform) stays. A hardlink into the base that the new one lacks is an error. Warnings name what could surprise: files of the new base that the layers shadow or remove, where they are not those of the old base, and directories that take the place of a symlink.'
  static override examples = [
    {
      description: 'A newer base under an application, without building it again',
      command: 'ply rebase app:1 --old-base debian:12.1 --onto debian:12.2 -t app:1.1',
    },
  ]
  static override args = { image: imageArg() }
  static override flags = {
    'old-base': Flags.string({ helpValue: 'IMAGE', required: true, summary: 'What the image was built on.' }),
    onto: Flags.string({
      helpValue: 'IMAGE',
      required: true,
      aliases: ['new-base'],
      summary: 'What it shall stand on.',
    }),
    ...nameFlag,
  }

  async run() {
    const { args, flags } = await this.parse(Rebase)
    return this.rewritten(args.image, flags, async (image, as) => {
      const { os, architecture, variant } = image.config
      // Of an index of bases each image gets the one for its platform.
      const platform = flags.all ? [os, architecture, ...(variant ? [variant] : [])].join('/') : flags.platform
      const oldBase = await this.image(flags['old-base'], platform)
      const newBase = await this.stored(flags.onto, platform)
      const reports: LayerReport[] = []
      const onReport = (report: LayerReport) => void reports.push(report)
      const rebased = await (await this.store()).rebase(image, { oldBase, newBase, as, onReport, ...this.operation })
      for (const { layer, warnings } of reports) {
        for (const { rule, entry, text } of warnings) this.say(`warning: layer ${layer}: ${entry}: ${text} (${rule})`)
      }
      return rebased
    })
  }
}
