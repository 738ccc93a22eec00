import * as Flags from '@oclif/core/flags'
import { requiredArg } from '../arguments.ts'
import { ImageCommand } from '../image-command.ts'
import { importFlags } from '../import-flags.ts'

export class Import extends ImageCommand {
  static override summary = 'Make an image from a root file system, or from what was written over one.'
  static override description =
    'A tar or a directory is an image of one layer. upper:DIR@IMAGE is one more layer on an image of the store: what an upper directory of overlayfs says, as the kernel (podman, docker, containerd) or fuse-overlayfs has written it.'
  static override examples = [
    { description: 'From a tar, compressed or not', command: 'ply import rootfs.tar.gz debian:mine' },
    { description: 'From a directory', command: 'ply import ./rootfs debian:mine' },
    { description: 'From a pipe', command: 'tar -c -C rootfs . | ply import - debian:mine' },
    {
      description: 'What another tool has written over an image',
      command: 'ply import upper:/var/tmp/diff@debian:12 debian:mine',
    },
  ]
  static override args = {
    source: requiredArg('A tar, a directory, - for a tar on stdin, or upper:DIR@IMAGE.'),
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
