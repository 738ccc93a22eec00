import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { StoreCommand } from '../store-command.ts'

export class Umount extends StoreCommand {
  static override summary = 'Unmount what ply mount has mounted.'
  static override description =
    'Returns when everything that was written is on the disk. What is named by a container, a snapshot or an image is unmounted wherever it is mounted. What was changed in a copy (--via extract) comes back into the container first. Mounts that nobody serves any more are removed, too.'
  static override examples = [
    { description: 'What is mounted on /mnt', command: 'ply umount /mnt' },
    { description: 'The container work, wherever it is', command: 'ply umount work' },
    { description: 'Take the name away, although somebody is in it', command: 'ply umount --detach /mnt' },
  ]
  static override args = {
    mounts: Args.string({
      ignoreStdin: true,
      multiple: true,
      description: 'Directories, names of containers or images, or ids of mounts as ply ps --json shows them.',
    }),
  }
  static override flags = {
    detach: Flags.boolean({
      char: 'l',
      exclusive: ['force'],
      summary: 'Take the name away at once; what is open stays open until it is closed.',
    }),
    force: Flags.boolean({ char: 'f', summary: 'Cut off whoever is in it.' }),
    all: Flags.boolean({ char: 'a', summary: 'Everything of the store that is mounted.' }),
  }

  async run() {
    const { args, flags } = await this.parse(Umount)
    const { PlyError, unmount } = await this.library()
    const names = args.mounts ?? []
    if (names.length === 0 && !flags.all) {
      throw new PlyError('PLY_USAGE', { reason: 'missing: MOUNTS, or --all' })
    }
    const store = await this.store()
    const how = { detach: flags.detach ?? false, force: flags.force ?? false, signal: this.world.signal }
    const targets: string[] = []
    let failure: unknown
    // What is mounted on another one goes first.
    const all = flags.all ? store.mounts.list().toReversed() : []
    for (const name of flags.all ? all.map(({ id }) => id) : names) {
      try {
        for (const target of await unmount(store, name, how)) {
          targets.push(target)
          this.print(target)
        }
      } catch (error) {
        // The others are unmounted all the same; what was first in the way is told.
        failure ??= error
      }
    }
    if (failure !== undefined) throw failure
    return targets
  }
}
