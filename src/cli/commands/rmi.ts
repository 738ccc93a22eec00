import { requiredArgs } from '../arguments.ts'
import { StoreCommand } from '../store-command.ts'

export class Rmi extends StoreCommand {
  static override summary = 'Take names of images away.'
  static override description =
    'What no name and no container needs any more is freed by the next `ply gc`. All names are tried; the first failure is reported.'
  static override examples = [
    { description: 'Remove an image, then free its space', command: 'ply rmi debian:12 && ply gc' },
  ]
  static override args = { images: requiredArgs('Names of images in the store, or ids of images that have one name.') }

  async run() {
    const { args } = await this.parse(Rmi)
    const store = await this.store()
    const removed: string[] = []
    let failure: unknown
    for (const text of args.images) {
      try {
        const name = await this.onlyName(text)
        await store.untag(name)
        removed.push(name)
        this.print(name)
      } catch (error) {
        failure ??= error
      }
    }
    if (failure !== undefined) throw failure
    return removed
  }
}
