import * as Flags from '@oclif/core/flags'
import { humanAge } from '../ages.ts'
import { humanSize } from '../sizes.ts'
import { StoreCommand } from '../store-command.ts'
import { shortId, table } from '../table.ts'

export class Images extends StoreCommand {
  static override summary = 'List the images in the store.'
  static override examples = [
    { description: 'Every name, with its id, its age and its size', command: 'ply images' },
    { description: 'Every id, for another command', command: 'ply images -q' },
  ]
  static override flags = {
    'no-trunc': Flags.boolean({ summary: 'Show ids in full.' }),
    digests: Flags.boolean({ summary: 'Show the digest of each manifest.' }),
  }

  async run() {
    const { flags } = await this.parse(Images)
    const images = await (await this.store()).images()
    const full = flags['no-trunc'] ?? false
    if (this.quiet) await this.printAll(images.map((image) => shortId(image.config ?? image.digest, full)))
    else {
      await this.printAll(
        table(images, [
          { header: 'name', of: (image) => image.name },
          ...(flags.digests ? [{ header: 'digest', of: (image: (typeof images)[number]) => image.digest }] : []),
          { header: 'image id', of: (image) => shortId(image.config ?? image.digest, full) },
          { header: 'platform', of: (image) => image.platform ?? '' },
          { header: 'layers', of: (image) => String(image.layers), right: true },
          { header: 'created', of: (image) => humanAge(image.created) },
          { header: 'size', of: (image) => humanSize(image.size), right: true },
        ]),
      )
    }
    await this.output.room()
    for (const { name, problem } of images) if (problem !== undefined) this.say(`${name}: ${problem}`)
    return images
  }
}
