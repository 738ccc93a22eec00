import * as Args from '@oclif/core/args'
import { requiredArg } from '../arguments.ts'
import { StoreCommand } from '../store-command.ts'

export class Snapshot extends StoreCommand {
  static override summary = 'Keep the present state of a container.'
  static override description =
    'What was written so far is frozen, and what is written from now on goes elsewhere: nothing is copied, however much there is. CONTAINER@SNAPSHOT names the state wherever a container is read.'
  static override examples = [
    { description: 'Keep the container work as it is before a change', command: 'ply snapshot work before' },
    { description: 'Keep it, and list what it holds then', command: 'ply ls container:$(ply snapshot work)' },
  ]
  static override args = {
    container: requiredArg('The container.'),
    snapshot: Args.string({
      ignoreStdin: true,
      description: 'The name of the snapshot; s1, s2 and so on if there is none.',
    }),
  }

  async run() {
    const { args } = await this.parse(Snapshot)
    const store = await this.store()
    const made = await store.containers.snapshot(args.container, args.snapshot, this.operation)
    this.print(`${args.container}@${made.name}`)
    return { container: args.container, ...made }
  }
}
