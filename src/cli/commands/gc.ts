import * as Flags from '@oclif/core/flags'
import { humanSize } from '../sizes.ts'
import { StoreCommand } from '../store-command.ts'

export class Gc extends StoreCommand {
  static override summary = 'Free what no name and no container needs.'
  static override examples = [
    { description: 'See what would go', command: 'ply gc --dry-run' },
    { description: 'Let it go', command: 'ply gc' },
  ]
  static override flags = { 'dry-run': Flags.boolean({ summary: 'Remove nothing; say what would be removed.' }) }

  async run() {
    const { flags } = await this.parse(Gc)
    const dryRun = flags['dry-run'] ?? false
    const collected = await (await this.store()).collect({ dryRun, ...this.operation })
    await this.printAll(collected.blobs)
    if (!this.quiet) await this.printAll(collected.files)
    this.say(`${dryRun ? 'would free' : 'freed'} ${humanSize(collected.freed)}`)
    return collected
  }
}
