import { imageArg } from '../arguments.ts'
import { configurationFlags, configurationOf, indexChangesOf } from '../configuration-flags.ts'
import { nameFlag, RewriteCommand } from '../rewrite-command.ts'

export class Config extends RewriteCommand {
  static override summary =
    'Change what an image says: environment, command, labels, platform, annotations and all else.'
  static override description =
    'Layers stay as they are, and so does every field that no flag names. What changes nothing gives the same digest. Fields are set and added to by their flags, and taken away by --remove. Nothing is said of the clock: the same flags give the same digest.'
  static override examples = [
    {
      description: 'A variable, a label and a command',
      command: `ply config app:1 -e DEBUG=1 -l team=blue --cmd '["serve"]' -t app:debug`,
    },
    { description: 'Take settings away', command: 'ply config app:1 --remove healthcheck --remove env=DEBUG -t app:2' },
    {
      description: 'Every platform of an index, from a registry into a layout, past the store',
      command: 'ply config --all docker://registry.example.com/app:1 -l version=1 -o oci:./out:1',
    },
  ]
  static override args = { image: imageArg() }
  static override flags = { ...configurationFlags, ...nameFlag }

  async run() {
    const { args, flags } = await this.parse(Config)
    const { configure } = await this.library()
    const change = async (image: Parameters<typeof configure>[0]) => {
      const { config = {}, 'os.features': features } = image.config
      return configure(image, configurationOf(flags, { ...config, features }))
    }
    return this.changed(args.image, flags, change, indexChangesOf(flags))
  }
}
