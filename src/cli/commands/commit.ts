import * as Flags from '@oclif/core/flags'
import { requiredArg } from '../arguments.ts'
import { StoreCommand } from '../store-command.ts'

export class Commit extends StoreCommand {
  static override summary = 'Make an image of what a container changed.'
  static override description =
    'The changes, also those before snapshots, become one layer on top of the image that the container was made from. The container stays as it is. The time of the commit is SOURCE_DATE_EPOCH where that is set.'
  static override examples = [
    {
      description: 'Commit the container work, then export the result',
      command: 'ply commit work debian:hello -m "say hello"',
    },
  ]
  static override args = {
    container: requiredArg('The container, or CONTAINER@SNAPSHOT.'),
    name: requiredArg('The name of the new image.'),
  }
  static override flags = {
    message: Flags.string({ char: 'm', summary: 'The comment in the history of the image.', helpValue: 'TEXT' }),
    author: Flags.string({ char: 'a', summary: 'The author in the history of the image.', helpValue: 'TEXT' }),
  }

  async run() {
    const { args, flags } = await this.parse(Commit)
    const { describeImage } = await this.library()
    const store = await this.store()
    // Nobody else writes it meanwhile, but whoever works in its mount: what is there by then is committed.
    const isMounted = store.mounts.list().some(({ state, subject }) => {
      return state === 'live' && subject.kind === 'container' && subject.name === args.container
    })
    const readOnly = isMounted || args.container.includes('@')
    const container = this.closing(await store.containers.open(args.container, { readOnly, ...this.operation }))
    const { message, author } = flags
    const image = await store.commit(container, args.name, { message, author, ...this.operation })
    this.print(image.digest)
    return describeImage(image)
  }
}
