import { randomBytes } from 'node:crypto'
import * as Flags from '@oclif/core/flags'
import { requiredArg } from '../arguments.ts'
import { StoreCommand } from '../store-command.ts'

export class Create extends StoreCommand {
  static override summary = 'Make a container: a writable file system over an image.'
  static override examples = [
    { description: 'A container named work over debian:12', command: 'ply create debian:12 --name work' },
  ]
  static override args = { image: requiredArg('The name of an image in the store.') }
  static override flags = {
    name: Flags.string({ summary: 'The name of the container; made up if there is none.', helpValue: 'NAME' }),
  }

  async run() {
    const { args, flags } = await this.parse(Create)
    const store = await this.store()
    const from = await this.named(args.image)
    const container = this.closing(await store.containers.create(flags.name ?? nameFor(from), from, this.operation))
    const { name, image, manifest, created } = container
    this.print(name)
    return { name, image, manifest, created }
  }
}

/** `registry/team/app:1` → `app-3f9c21`. */
function nameFor(image: string): string {
  const base = image
    .replace(/@.*$/s, '')
    .split('/')
    .at(-1)!
    .replace(/:.*$/s, '')
    .replace(/[^A-Za-z0-9_.-]/g, '-')
  return `${base.replace(/^[^A-Za-z0-9]+/, '') || 'container'}-${randomBytes(3).toString('hex')}`
}
