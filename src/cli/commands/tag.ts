import { requiredArg } from '../arguments.ts'
import { StoreCommand } from '../store-command.ts'

export class Tag extends StoreCommand {
  static override summary = 'Give an image one more name.'
  static override examples = [
    { description: 'The same image under two names', command: 'ply tag debian:12 debian:stable' },
  ]
  static override args = {
    image: requiredArg('A name of the image.'),
    name: requiredArg('The new name; what it pointed at before is no longer named so.'),
  }

  async run() {
    const { args } = await this.parse(Tag)
    const store = await this.store()
    await store.tag(await this.named(args.image), args.name)
    const image = await store.image(args.name, this.operation)
    this.print(image.digest)
    return { name: args.name, descriptor: image.descriptor }
  }
}
