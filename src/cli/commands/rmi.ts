import { requiredArgs } from '../arguments.ts'
import { registryFlags } from '../registry-flags.ts'
import { StoreCommand } from '../store-command.ts'

export class Rmi extends StoreCommand {
  static override summary = 'Take names of images away.'
  static override description =
    'What no name and no container needs any more is freed by the next `ply gc`. Of docker://HOST/NAME:TAG the tag is taken away in the registry, and of docker://HOST/NAME@DIGEST the manifest with all its tags; what nothing leads to any more the registry frees when it likes. All names are tried; the first failure is reported.'
  static override examples = [
    { description: 'Remove an image, then free its space', command: 'ply rmi debian:12 && ply gc' },
    { description: 'A tag in a registry', command: 'ply rmi docker://registry.example.com/team/app:1' },
  ]
  static override args = {
    images: requiredArgs(
      'Names of images in the store, ids of images that have one name, or docker://HOST/NAME[:TAG|@DIGEST].',
    ),
  }
  static override flags = { ...registryFlags }

  async run() {
    const { args } = await this.parse(Rmi)
    const removed: string[] = []
    let failure: unknown
    for (const text of args.images) {
      try {
        const name = text.startsWith('docker://') ? await this.#removeThere(text) : await this.#removeHere(text)
        removed.push(name)
        this.print(name)
      } catch (error) {
        failure ??= error
      }
    }
    if (failure !== undefined) throw failure
    return removed
  }

  async #removeHere(text: string): Promise<string> {
    const name = await this.onlyName(text)
    await (await this.store()).untag(name)
    return name
  }

  /** Only what is named is taken away: no tag that goes without saying. */
  async #removeThere(text: string): Promise<string> {
    const { openRepository, PlyError } = await this.library()
    const [, reference] =
      /^docker:\/\/.*\/[^/]*?(?:@(sha256:[0-9a-f]{64})|:([^:@/]+))$/.exec(text)?.filter(Boolean) ?? []
    if (reference === undefined)
      throw new PlyError('PLY_USAGE', {
        reason: `${text}: say which, docker://HOST/NAME:TAG or docker://HOST/NAME@DIGEST`,
      })
    await using repository = openRepository(text, this.registry)
    if (await repository.delete(reference, this.operation)) return text
    const { registry: where } = repository
    throw new PlyError('PLY_IMAGE_NOT_FOUND', { name: text, where, available: 'other names, or nothing' })
  }
}
