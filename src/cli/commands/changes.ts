import { requiredArg } from '../arguments.ts'
import { changeLine, changeValue } from '../change-lines.ts'
import { StoreCommand } from '../store-command.ts'

export class Changes extends StoreCommand {
  static override summary = 'Show what a container changed.'
  static override description = 'One line a path: A added, C changed, D deleted (with everything under it).'
  static override examples = [{ description: 'What differs from the image', command: 'ply changes work' }]
  static override args = { container: requiredArg('The container.') }

  async run() {
    const { args } = await this.parse(Changes)
    const library = await this.library()
    const store = await this.store()
    const container = this.closing(await store.containers.open(args.container, { readOnly: true, ...this.operation }))
    const values: unknown[] = []
    for await (const change of container.changes(this.operation)) {
      if (this.jsonEnabled()) values.push(changeValue(change, library))
      else await this.printAll([changeLine(change, library)])
    }
    return values
  }
}
