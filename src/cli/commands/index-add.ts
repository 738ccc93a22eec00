import { requiredArg, requiredArgs } from '../arguments.ts'
import { IndexCommand, outputFlag } from '../index-command.ts'

export class IndexAdd extends IndexCommand {
  static override summary = 'Add images to an index.'
  static override description =
    'An image for a platform that the index has takes the place of that one, whose attestations go with it. Everything else stays as it is. Prints the new digest.'
  static override examples = [
    {
      description: 'One more platform',
      command: 'ply index add docker://registry.example.com/team/app:1 app:s390x',
    },
  ]
  static override args = {
    index: requiredArg('The index: a name in the store, or a reference.'),
    images: requiredArgs('Names of images in the store, or references; of indexes all entries.'),
  }
  static override flags = { ...outputFlag }

  async run() {
    const { args, flags } = await this.parse(IndexAdd)
    const { addToIndex } = await this.library()
    const target = await this.targetOf(args.index, flags.output)
    const before = await this.indexAt(args.index)
    const more = []
    for (const image of args.images) more.push(await this.whole(image))
    const { index, removed } = await addToIndex(before, more, this.operation)
    this.sayRemoved(removed)
    return { ...(await this.put(index, target)), removed }
  }
}
