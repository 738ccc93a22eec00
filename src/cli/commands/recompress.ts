import * as Flags from '@oclif/core/flags'
import { imageArg, requiredArg } from '../arguments.ts'
import { nameFlag, RewriteCommand } from '../rewrite-command.ts'
import { UsageError } from '../usage-error.ts'

const compressions = ['gzip', 'zstd', 'none'] as const

export class Recompress extends RewriteCommand {
  static override summary = 'Compress the layers of an image anew, with pinned settings.'
  static override description =
    'What the layers hold stays the same: their diffIDs and the image id are kept, the digests of the blobs and the manifest change. Layers that are compressed so by us come out as they are. Foreign layers, and those below --from, stay.'
  static override examples = [
    { description: 'As small as zstd makes it', command: 'ply recompress app:1 zstd --level 19 -t app:small' },
    {
      description: 'From one layout to another, past the store',
      command: 'ply recompress oci:./in:1 gzip --level 9 -o oci:./out:1',
    },
  ]
  static override args = {
    image: imageArg(),
    compression: requiredArg('gzip, zstd or none.'),
  }
  static override flags = {
    level: Flags.integer({ helpValue: 'N', summary: 'gzip: 1 to 9, 4 by default; zstd: 1 to 22, 3 by default.' }),
    from: Flags.integer({ helpValue: 'N', min: 0, summary: 'The lowest layer to be compressed anew; 0 is the base.' }),
    ...nameFlag,
  }

  async run() {
    const { args, flags } = await this.parse(Recompress)
    const compression = compressions.find((one) => one === args.compression)
    if (compression === undefined)
      throw new UsageError(`${args.compression}: not a compression; write gzip, zstd or none`)
    const { recompressed } = await this.library()
    const { level, from } = flags
    return this.changed(args.image, flags, async (image) => {
      const made = this.closing(await recompressed(image, { compression, level, from, ...this.operation }))
      for (const { layer, from: was, to, reason } of made.changed)
        this.say(`layer ${layer}: ${was.digest.slice(0, 19)} is ${to.digest.slice(0, 19)} now (${reason})`)
      return made.image
    })
  }
}
