import * as Flags from '@oclif/core/flags'
import { imageArg } from '../arguments.ts'
import type { LayerReport } from '../library.ts'
import { nameFlag, RewriteCommand } from '../rewrite-command.ts'

export class Rebase extends RewriteCommand {
  static override summary = 'Put the layers of an image on another base.'
  static override description =
    'The layers of the old base must be the lowest of the image. The layers above them are not changed, and neither is the configuration: what it took from the old base (PATH, the platform) stays. A hardlink into the base that the new one lacks is an error; a directory that takes the place of a symlink in the new base is a warning.'
  static override examples = [
    {
      description: 'A newer base under an application, without building it again',
      command: 'ply rebase app:1 --old-base debian:12.1 --new-base debian:12.2 -t app:1.1',
    },
  ]
  static override args = { image: imageArg() }
  static override flags = {
    'old-base': Flags.string({ helpValue: 'IMAGE', required: true, summary: 'What the image was built on.' }),
    'new-base': Flags.string({ helpValue: 'IMAGE', required: true, summary: 'What it shall stand on.' }),
    ...nameFlag,
  }

  async run() {
    const { args, flags } = await this.parse(Rebase)
    const { describeImage } = await this.library()
    const image = await this.stored(args.image)
    const oldBase = await this.image(flags['old-base'])
    const newBase = await this.stored(flags['new-base'])
    const reports: LayerReport[] = []
    const rebased = await (await this.store()).rebase(image, {
      oldBase,
      newBase,
      as: flags.tag,
      onReport: (report) => void reports.push(report),
      ...this.operation,
    })
    for (const { layer, warnings } of reports) {
      for (const { rule, entry, text } of warnings) this.say(`warning: layer ${layer}: ${entry}: ${text} (${rule})`)
    }
    this.print(rebased.digest)
    return describeImage(rebased)
  }
}
