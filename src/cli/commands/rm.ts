import * as Flags from '@oclif/core/flags'
import { requiredArgs } from '../arguments.ts'
import { placeOf } from '../places.ts'
import { StoreCommand } from '../store-command.ts'

const notThere = ['ENOENT', 'PLY_CONTAINER_NOT_FOUND', 'PLY_SNAPSHOT_NOT_FOUND']

export class Rm extends StoreCommand {
  static override summary = 'Remove containers, snapshots, or paths in containers.'
  static override description =
    'Removing a container removes its snapshots and what was written in it; its image stays, and so does what clones stand on. Removing a snapshot frees what nothing newer stands on.'
  static override examples = [
    { description: 'A file in the container work', command: 'ply rm work:/etc/issue' },
    { description: 'A directory with everything in it', command: 'ply rm -r work:/usr/share/doc' },
    { description: 'The container itself', command: 'ply rm work' },
    { description: 'A snapshot of it', command: 'ply rm work@before' },
  ]
  static override args = {
    targets: requiredArgs('Containers, snapshots such as work@before, or paths such as work:/etc/issue.'),
  }
  static override flags = {
    recursive: Flags.boolean({ char: 'r', charAliases: ['R'], summary: 'Remove directories with everything in them.' }),
    force: Flags.boolean({ char: 'f', summary: 'What is not there is fine.' }),
  }

  async run() {
    const { args, flags } = await this.parse(Rm)
    const { codeOf, PlyError } = await this.library()
    const store = await this.store()
    for (const target of args.targets) {
      const place = placeOf(target)
      try {
        if (place.in === 'container') {
          await using container = await store.containers.open(place.container, this.operation)
          if (/^\/*$/.test(place.path))
            throw new PlyError('PLY_USAGE', {
              reason: `${target} is the root; remove the container with: ply rm ${place.container}`,
            })
          await container.fs.promises.rm(place.path, { recursive: flags.recursive ?? false })
        } else await store.containers.remove(target)
      } catch (error) {
        const missing = notThere.includes(codeOf(error) ?? '')
        if (codeOf(error) === 'ERR_FS_EISDIR') {
          throw new PlyError('PLY_USAGE', { reason: `${target} is a directory; remove it with -r` }, { cause: error })
        }
        if (!(flags.force && missing)) throw error
        continue
      }
      this.print(target)
    }
    return args.targets
  }
}
