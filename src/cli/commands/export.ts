import * as Flags from '@oclif/core/flags'
import { treeArg } from '../arguments.ts'
import { writeWhole } from '../host-files.ts'
import { StoreCommand } from '../store-command.ts'

export class Export extends StoreCommand {
  static override summary = 'Write a tree as one tar: the merged file system, without layers.'
  static override description = 'The archive is canonical: the same tree gives the same bytes.'
  static override examples = [
    { description: 'The root file system of an image', command: 'ply export debian:12 -o rootfs.tar' },
    {
      description: 'What a container looks like, into another tar',
      command: 'ply export container:work | tar -x -C rootfs',
    },
  ]
  static override args = { tree: treeArg() }
  static override flags = {
    output: Flags.string({ char: 'o', helpValue: 'FILE', summary: 'The file to write; - or nothing for stdout.' }),
  }

  async run() {
    const { args, flags } = await this.parse(Export)
    const { output = '-' } = flags
    if (output === '-') await this.claimStdout({ binary: true, instead: 'use -o FILE' })
    const library = await this.library()
    const tree = await this.tree(args.tree)
    const content = library.exportTree(tree, {
      ...this.operation,
      onWarning: ({ rule, entry, text }) => this.say(`warning: ${entry}: ${text} (${rule})`),
    })
    if (output === '-') {
      for await (const chunk of content) await this.output.write(chunk)
      return undefined
    }
    await writeWhole(output, content, this.world.signal, library)
    return { tree: args.tree, output }
  }
}
