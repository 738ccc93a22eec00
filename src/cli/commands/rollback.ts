import { requiredArg } from '../arguments.ts'
import { StoreCommand } from '../store-command.ts'

export class Rollback extends StoreCommand {
  static override summary = 'Take a container back to a snapshot.'
  static override description =
    'What was written since the newest snapshot is removed; make one first to keep it. All snapshots stay, newer ones too.'
  static override examples = [
    { description: 'The container work as it was before', command: 'ply rollback work before' },
  ]
  static override args = { container: requiredArg('The container.'), snapshot: requiredArg('One of its snapshots.') }

  async run() {
    const { args } = await this.parse(Rollback)
    const store = await this.store()
    const record = await store.containers.rollback(args.container, args.snapshot, this.operation)
    this.print(`${args.container}@${args.snapshot}`)
    return record
  }
}
