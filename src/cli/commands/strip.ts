import * as Flags from '@oclif/core/flags'
import { imageArg, requiredArgs } from '../arguments.ts'
import type { Image } from '../library.ts'
import { nameFlag, RewriteCommand } from '../rewrite-command.ts'

export class Strip extends RewriteCommand {
  static override summary = 'Take paths out of every layer of an image, as if they had never been there.'
  static override description =
    'For secrets and for what should not have been shipped: a whiteout only hides them. Layers that have a path, or remove it, are written anew without it and without the whiteout; all others stay as they are, and the image shows the same but for the paths. Files that are one with a stripped one by a hardlink keep its content: warnings name them. The history keeps its steps, which may tell of the secret themselves, and gets one more. The old image, where it has been sent and in the store, still has all of it: untag it, and run ply gc.'
  static override examples = [
    {
      description: 'A key that was copied in and removed again',
      command: 'ply strip app:1 /root/.ssh/id_rsa -t app:1',
    },
  ]
  static override args = {
    image: imageArg(),
    paths: requiredArgs('What goes, each with all that is under it. Symlinks are not followed.'),
  }
  static override flags = {
    message: Flags.string({ char: 'm', summary: 'The comment in the history of the image.', helpValue: 'TEXT' }),
    unmark: Flags.boolean({ summary: 'Make ordinary layers also of those that are marked not to be distributed.' }),
    ...nameFlag,
  }

  async run() {
    const { args, flags } = await this.parse(Strip)
    const { message } = flags
    const { PlyError } = await this.library()
    // In an index a path may be in the image of one platform only.
    const known = new Set<string>()
    const strip = async (image: Image, as: string | undefined) => {
      const missing = new Set<string>()
      const writing = { ...this.writing(flags, as), sourceEpoch: undefined }
      const onMissing = flags.all ? (path: string) => void missing.add(path) : undefined
      const store = await this.store()
      const stripped = await store.strip(image, { paths: args.paths, message, onMissing, ...writing })
      for (const path of args.paths) if (!missing.has(path)) known.add(path)
      return stripped
    }
    return this.rewritten(args.image, flags, strip, () => {
      const path = args.paths.find((one) => !known.has(one))
      if (path !== undefined) throw new PlyError('ENOENT', { syscall: 'strip', path })
    })
  }
}
