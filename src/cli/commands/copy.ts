import * as Flags from '@oclif/core/flags'
import { requiredArg } from '../arguments.ts'
import { ImageCommand } from '../image-command.ts'

export class Copy extends ImageCommand {
  static override summary = 'Take an image from one place to another.'
  static override description =
    'Both sides are references: oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:NAME:TAG], dir:DIR, tar:FILE, rootfs:DIR, or a name in the store. Bytes and digests are kept wherever the target can hold them. Prints the digest of what was written.'
  static override examples = [
    {
      description: 'An archive into a layout, past the store',
      command: 'ply copy docker-archive:debian.tar oci:./out:12',
    },
    { description: 'An image of the store under another name', command: 'ply copy debian:12 mine:base' },
  ]
  static override args = {
    from: requiredArg('Where the image is.'),
    to: requiredArg('Where it goes.'),
  }
  static override flags = { platform: Flags.string({ helpValue: 'OS/ARCH', summary: 'Which image of an index.' }) }

  async run() {
    const { args, flags } = await this.parse(Copy)
    const image = await this.image(args.from, flags.platform)
    const { copy } = await this.library()
    const { sink, name } = await this.sink(args.to)
    const descriptor = await copy(image, this.closing(sink), { as: name, ...this.operation })
    this.print(descriptor.digest)
    return descriptor
  }
}
