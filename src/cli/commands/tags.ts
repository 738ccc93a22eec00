import { requiredArg } from '../arguments.ts'
import { LookCommand } from '../look-command.ts'
import { registryFlags } from '../registry-flags.ts'

export class Tags extends LookCommand {
  static override summary = 'List the tags of a repository, in the order of their names.'
  static override examples = [
    { description: 'What there is of an image', command: 'ply tags docker://registry.example.com/team/app' },
  ]
  static override args = { repository: requiredArg('docker://HOST/NAME.') }
  static override flags = { ...registryFlags }

  async run(): Promise<unknown> {
    const { args } = await this.parse(Tags)
    const { openRepository, PlyError } = await this.library()
    const repository = this.closing(openRepository(args.repository, this.registry))
    const tags: string[] = []
    for await (const tag of repository.tags(this.operation)) tags.push(tag)
    await this.printAll(tags.sort())
    if (tags.length === 0) {
      const name = `${repository.registry}/${repository.repository}`
      throw new PlyError('PLY_IMAGE_NOT_FOUND', { name, where: repository.registry, available: 'no tag of that name' })
    }
    return tags
  }
}
