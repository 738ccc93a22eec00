import { requiredArg } from '../arguments.ts'
import { StoreCommand } from '../store-command.ts'

export class Clone extends StoreCommand {
  static override summary = 'Make another container that shows the same.'
  static override description =
    'Both share everything until one of them writes, so nothing is copied, however much there is. The new one has no snapshots.'
  static override examples = [
    { description: 'A twin of the container work', command: 'ply clone work twin' },
    { description: 'A container that goes on from a snapshot', command: 'ply clone work@before other' },
  ]
  static override args = {
    container: requiredArg('The container, or CONTAINER@SNAPSHOT.'),
    name: requiredArg('The name of the new container.'),
  }

  async run() {
    const { args } = await this.parse(Clone)
    const store = await this.store()
    const record = await store.containers.clone(args.container, args.name, this.operation)
    this.print(record.name)
    return record
  }
}
