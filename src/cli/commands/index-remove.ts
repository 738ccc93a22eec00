import { requiredArg, requiredArgs } from '../arguments.ts'
import { IndexCommand, outputFlag } from '../index-command.ts'

export class IndexRemove extends IndexCommand {
  static override summary = 'Remove images from an index.'
  static override description =
    'Attestations go with what they are about. The images themselves stay where they are. Prints the new digest.'
  static override examples = [
    {
      description: 'What nobody needs any more',
      command: 'ply index remove docker://registry.example.com/team/app:1 linux/arm/v6',
    },
  ]
  static override args = {
    index: requiredArg('The index: a name in the store, or a reference.'),
    entries: requiredArgs('Which: OS/ARCH[/VARIANT], a digest, or the start of one.'),
  }
  static override flags = { ...outputFlag }

  async run() {
    const { args, flags } = await this.parse(IndexRemove)
    const { removeFromIndex } = await this.library()
    const target = await this.targetOf(args.index, flags.output)
    const { index, removed } = removeFromIndex(await this.indexAt(args.index), args.entries)
    this.sayRemoved(removed)
    return { ...(await this.put(index, target)), removed }
  }
}
