import { requiredArg } from '../arguments.ts'
import { connectionFlags, registryOptionsOf } from '../registry-flags.ts'
import { StoreCommand } from '../store-command.ts'

export class Logout extends StoreCommand {
  static override summary = 'Forget the password for a registry.'
  static override description =
    'Takes away what login has kept, in the file or with its helper. Files of other tools that know the registry as well are named.'
  static override examples = [{ description: 'Log out', command: 'ply logout registry.example.com' }]
  static override args = { registry: requiredArg('HOST[:PORT], or HOST/NAMESPACE.') }
  static override flags = { authfile: connectionFlags.authfile }

  async run() {
    const { args, flags } = await this.parse(Logout)
    const { logout } = await this.library()
    const options = registryOptionsOf(flags, this.world.environment)
    const result = await logout(args.registry, { ...options, ...this.operation })
    this.say(
      result.removed ? `logged out of ${result.registry}` : `not logged in to ${result.registry} by ${result.file}`,
    )
    if (result.elsewhere.length > 0) this.say(`still known to: ${result.elsewhere.join(', ')}`)
    if (!result.removed) this.negative = true
    return result
  }
}
