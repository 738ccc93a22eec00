import * as Flags from '@oclif/core/flags'
import { requiredArg } from '../arguments.ts'
import { ImageCommand } from '../image-command.ts'

export class Import extends ImageCommand {
  static override summary = 'Make an image of one layer from a root file system.'
  static override examples = [
    { description: 'From a tar, compressed or not', command: 'ply import rootfs.tar.gz debian:mine' },
    { description: 'From a directory', command: 'ply import ./rootfs debian:mine' },
    { description: 'From a pipe', command: 'tar -c -C rootfs . | ply import - debian:mine' },
  ]
  static override args = {
    source: requiredArg('A tar, a directory, or - for a tar on stdin.'),
    name: requiredArg('The name of the new image.'),
  }
  static override flags = {
    platform: Flags.string({ helpValue: 'OS/ARCH', summary: 'What machine the image is for; this one by default.' }),
  }

  async run() {
    const { args, flags } = await this.parse(Import)
    const { copy } = await this.library()
    const source = await this.rootfsSource(args.source)
    const descriptor = await copy(source, await this.store(), {
      as: args.name,
      platform: flags.platform,
      ...this.operation,
    })
    this.print(descriptor.digest)
    return descriptor
  }
}
