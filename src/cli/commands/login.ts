import * as Flags from '@oclif/core/flags'
import { requiredArg } from '../arguments.ts'
import { connectionFlags, registryOptionsOf } from '../registry-flags.ts'
import { askAtTerminal, secretFromStdin } from '../secret.ts'
import { StoreCommand } from '../store-command.ts'
import { UsageError } from '../usage-error.ts'

export class Login extends StoreCommand {
  static override summary = 'Log in to a registry.'
  static override description =
    'Asks the registry whether name and password are right, then keeps them where podman and docker look too: with the helper that the file names (credHelpers, credsStore), or in the file itself, which only its owner can read.'
  static override examples = [
    {
      description: 'With a password from a pipe',
      command: 'pass registry | ply login registry.example.com -u me --password-stdin',
    },
    { description: 'Asked for name and password', command: 'ply login registry.example.com' },
  ]
  static override args = { registry: requiredArg('HOST[:PORT], or HOST/NAMESPACE for a part of it.') }
  static override flags = {
    username: Flags.string({ char: 'u', helpValue: 'NAME', summary: 'Who to be.' }),
    password: Flags.string({
      char: 'p',
      helpValue: 'PASSWORD',
      exclusive: ['password-stdin'],
      summary: 'The password; whoever lists the processes of this machine sees it: --password-stdin is better.',
    }),
    'password-stdin': Flags.boolean({ summary: 'Read the password from stdin.' }),
    ...connectionFlags,
  }

  async run() {
    const { args, flags } = await this.parse(Login)
    const { login } = await this.library()
    const options = registryOptionsOf(flags, this.world.environment)
    const username = flags.username ?? (await this.#ask('user name: ', '-u', false))
    const password =
      flags.password ??
      (flags['password-stdin']
        ? await secretFromStdin(this.world)
        : await this.#ask('password: ', '--password-stdin', true))
    const result = await login(args.registry, { username, password }, { ...options, ...this.operation })
    this.say(
      `logged in to ${result.registry} as ${result.username}; kept ${result.helper ? `by ${result.helper}` : `in ${result.file}`}`,
    )
    return result
  }

  #ask(question: string, flag: string, hidden: boolean): Promise<string> {
    if (!this.world.stdinIsTerminal)
      throw new UsageError(`${question.slice(0, -2)}: there is nobody to ask; say it with ${flag}`)
    return askAtTerminal(question, this.world, { hidden })
  }
}
