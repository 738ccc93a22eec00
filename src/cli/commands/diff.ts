import * as Flags from '@oclif/core/flags'
import { treeArg } from '../arguments.ts'
import { changeLine, changeValue } from '../change-lines.ts'
import { registryFlags } from '../registry-flags.ts'
import { StoreCommand } from '../store-command.ts'

export class Diff extends StoreCommand {
  static override summary = 'Compare two trees.'
  static override description =
    'One line a path, from the first tree to the second: A added, C changed, D deleted (with everything under it). Exit code 0 if they are equal, 1 if they differ.'
  static override examples = [
    { description: 'Two images', command: 'ply diff debian:12 debian:hello' },
    {
      description: 'An image in the store against an archive',
      command: 'ply diff debian:12 docker-archive:debian.tar',
    },
  ]
  static override args = { before: treeArg(), after: treeArg() }
  static override flags = {
    nanoseconds: Flags.boolean({ summary: 'Compare times to the nanosecond, not to the second.' }),
    'directory-times': Flags.boolean({ summary: 'A directory of which only the time differs counts as changed.' }),
    ...registryFlags,
  }

  async run() {
    const { args, flags } = await this.parse(Diff)
    const library = await this.library()
    const [before, after] = await this.trees(args.before, args.after)
    const { nanoseconds, 'directory-times': directoryTimes } = flags
    const values: unknown[] = []
    for await (const change of library.diff(before, after, { nanoseconds, directoryTimes, ...this.operation })) {
      this.negative = true
      if (this.jsonEnabled()) values.push(changeValue(change, library))
      else if (!this.quiet) await this.printAll([changeLine(change, library)])
      else break
    }
    return values
  }
}
