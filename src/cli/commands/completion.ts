import * as Args from '@oclif/core/args'
import { completionScripts, type Shell } from '../completion-scripts.ts'
import { StoreCommand } from '../store-command.ts'

export class Completion extends StoreCommand {
  static override summary = 'Print what makes a shell complete command lines of ply.'
  static override description =
    'Commands, flags, images, containers, and paths inside images and containers: ply cat debian:12 /etc/os<TAB>.'
  static override examples = [
    { description: 'In ~/.bashrc', command: 'eval "$(ply completion bash)"' },
    { description: 'In ~/.zshrc, behind compinit', command: 'eval "$(ply completion zsh)"' },
    { description: 'For fish', command: 'ply completion fish > ~/.config/fish/completions/ply.fish' },
  ]
  static override args = {
    shell: Args.string({
      ignoreStdin: true,
      required: true,
      options: Object.keys(completionScripts),
      description: 'Which shell.',
    }),
  }

  async run() {
    const { args } = await this.parse(Completion)
    const script = completionScripts[args.shell as Shell]
    this.print(script.trimEnd())
    return { shell: args.shell, script }
  }
}
