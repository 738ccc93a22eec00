import * as Flags from '@oclif/core/flags'
import { requiredArg } from '../arguments.ts'
import { changeLine, changeValue } from '../change-lines.ts'
import { StoreCommand } from '../store-command.ts'

export class Changes extends StoreCommand {
  static override summary = 'Show what a container changed.'
  static override description = 'One line a path: A added, C changed, D deleted (with everything under it).'
  static override examples = [
    { description: 'What differs from the image', command: 'ply changes work' },
    { description: 'What differs from a snapshot', command: 'ply changes work --since before' },
    { description: 'What differed from the image then', command: 'ply changes work@before' },
  ]
  static override args = { container: requiredArg('The container, or CONTAINER@SNAPSHOT.') }
  static override flags = {
    since: Flags.string({ summary: 'Compare with a snapshot, not with the image.', helpValue: 'SNAPSHOT' }),
  }

  async run() {
    const { args, flags } = await this.parse(Changes)
    const library = await this.library()
    const store = await this.store()
    const container = this.closing(await store.containers.open(args.container, { readOnly: true, ...this.operation }))
    const values: unknown[] = []
    for await (const change of container.changes({ since: flags.since, ...this.operation })) {
      if (this.jsonEnabled()) values.push(changeValue(change, library))
      else await this.printAll([changeLine(change, library)])
    }
    return values
  }
}
