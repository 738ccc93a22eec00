import * as Flags from '@oclif/core/flags'
import { requiredArg } from '../arguments.ts'
import { ImageCommand } from '../image-command.ts'
import { importFlags } from '../import-flags.ts'

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
    ...importFlags,
  }

  async run() {
    const { args, flags } = await this.parse(Import)
    const { copy } = await this.library()
    const { name } = args
    return this.reporting(flags, async () => {
      const source = await this.rootfsSource(args.source, await this.judgement(flags))
      const store = await this.store()
      const { descriptor, layers } = await this.take({
        name,
        write: (options) => copy(source, store, { as: name, platform: flags.platform, ...options }),
      })
      this.printResult(descriptor.digest)
      return { ...descriptor, layers }
    })
  }
}
