import { requiredArg } from '../arguments.ts'
import { countOf, humanSize } from '../sizes.ts'
import { StoreCommand } from '../store-command.ts'

export class Materialize extends StoreCommand {
  static override summary = 'Make whole files of those of which a container has only the blocks that were written.'
  static override description =
    "Of a large file of its image a container keeps the blocks that were written in it alone (--block-copy-up). Every mount by ply shows it right, also one by the kernel, for which ply does this first. Whoever mounts or copies the directories of a container in overlayfs's form by other means does it before: they would find the file of the image."
  static override examples = [
    { description: 'Before another tool reads the upper of the container work', command: 'ply materialize work' },
  ]
  static override args = { container: requiredArg('The container.') }

  async run() {
    const { args } = await this.parse(Materialize)
    const store = await this.store()
    const made = await store.containers.materialize(args.container, this.operation)
    this.say(made.files === 0 ? 'all files are whole' : `${countOf(made.files, 'file')}, ${humanSize(made.bytes)}`)
    return { container: args.container, ...made }
  }
}
