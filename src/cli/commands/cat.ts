import * as Args from '@oclif/core/args'
import { placeArg } from '../arguments.ts'
import type { Tree } from '../library.ts'
import { LookCommand, treeFlags } from '../look-command.ts'
import { locate } from '../tree-paths.ts'

export class Cat extends LookCommand {
  static override summary = 'Write files of a tree to stdout.'
  static override examples = [
    { description: 'One file of an image, without unpacking it', command: 'ply cat debian:12 /etc/os-release' },
    { description: 'One of a container', command: 'ply cat work:/etc/motd' },
    { description: 'What it was two layers earlier', command: 'ply cat debian:12@1 /etc/motd' },
  ]
  static override args = {
    tree: placeArg(),
    paths: Args.string({
      ignoreStdin: true,
      multiple: true,
      description: 'Paths in it; symlinks are followed inside the tree.',
    }),
  }
  static override flags = { ...treeFlags }

  async run() {
    const { args } = await this.parse(Cat)
    await this.claimStdout({ binary: false, instead: 'use ply cp to write to a file' })
    const library = await this.library()
    const [first, ...more] = args.paths ?? []
    const question = (tree: Tree) => {
      for (const one of args.paths ?? []) tree.open(locate(tree, library.encodeText(one), library).ino).close()
    }
    const { tree, path } = await this.placeIn(args.tree, first, { question })
    for (const one of [path, ...more]) {
      const { ino } = locate(tree, library.encodeText(one), library)
      await this.writeContent(tree, ino, one)
    }
  }
}
