import { pathArg, placeArg } from '../arguments.ts'
import { registryFlags } from '../registry-flags.ts'
import { StoreCommand } from '../store-command.ts'
import { locate } from '../tree-paths.ts'

export class Cat extends StoreCommand {
  static override summary = 'Write a file of a tree to stdout.'
  static override examples = [
    { description: 'One file of an image, without unpacking it', command: 'ply cat debian:12 /etc/os-release' },
    { description: 'One of a container', command: 'ply cat work:/etc/motd' },
  ]
  static override args = {
    tree: placeArg(),
    path: pathArg('A path in it; symlinks are followed inside the tree.'),
  }

  static override flags = { ...registryFlags }

  async run() {
    const { args } = await this.parse(Cat)
    await this.claimStdout({ binary: false, instead: 'use ply cp to write to a file' })
    const library = await this.library()
    const { tree, path } = await this.placeIn(args.tree, args.path)
    const { ino } = locate(tree, library.encodeText(path), library)
    await this.writeContent(tree, ino, path)
  }
}
