import * as Flags from '@oclif/core/flags'
import { humanSize } from '../sizes.ts'
import { StoreCommand } from '../store-command.ts'

export class Dedupe extends StoreCommand {
  static override summary = 'Let equal files of different layers share their place on the disk.'
  static override description =
    `Files that are the same in several layers are looked for, and where the disk can (Btrfs and XFS), they share its blocks. Nothing that anybody reads changes, and the kernel compares the bytes itself. Elsewhere it says what could be shared.

A disk shares whole blocks, so files have to lie alike in their tars: of equal files, about one pair in eight does. What is shared shows in df(1), not in ply df or du(1), which count it in each file.`
  static override examples = [
    { description: 'See what could be shared', command: 'ply dedupe --dry-run' },
    { description: 'Share it', command: 'ply dedupe' },
  ]
  static override flags = { 'dry-run': Flags.boolean({ summary: 'Share nothing; say what would be shared.' }) }

  async run() {
    const { flags } = await this.parse(Dedupe)
    const dryRun = flags['dry-run'] ?? false
    const found = await (await this.store()).dedupe({ dryRun, ...this.operation })
    if (this.quiet) {
      this.print(String(found.shared))
      return found
    }
    this.print(`${found.files} files, ${humanSize(found.equal)}, are equal to others`)
    this.print(`${humanSize(found.alike)} of that lies so that blocks can be shared`)
    if (!found.able) this.print('this disk shares no blocks between files: Btrfs and XFS do')
    else if (found.already > 0) this.print(`${humanSize(found.already)} is shared already`)
    if (found.able) this.print(`${dryRun ? 'would share' : 'shared'} ${humanSize(found.shared)}`)
    return found
  }
}
