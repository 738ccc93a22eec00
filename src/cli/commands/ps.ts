import { humanAge } from '../ages.ts'
import { StoreCommand } from '../store-command.ts'
import { shortId, table } from '../table.ts'

export class Ps extends StoreCommand {
  static override summary = 'List the containers in the store, with their snapshots.'
  static override examples = [{ description: 'Containers, and the images they were made from', command: 'ply ps' }]

  async run() {
    await this.parse(Ps)
    const containers = await (await this.store()).containers.list()
    if (this.quiet) await this.printAll(containers.map((container) => container.name))
    else {
      await this.printAll(
        table(containers, [
          { header: 'name', of: (container) => container.name },
          { header: 'image', of: (container) => container.image },
          { header: 'manifest', of: (container) => shortId(container.manifest, false) },
          { header: 'snapshots', of: (container) => container.snapshots.map(({ name }) => name).join(' ') || '-' },
          { header: 'created', of: (container) => humanAge(container.created) },
        ]),
      )
    }
    return containers
  }
}
