import type { Ability } from '../library.ts'
import { StoreCommand } from '../store-command.ts'
import { table } from '../table.ts'

const waysShown = { kernel: 'by the kernel', fuse: 'by FUSE', extract: 'by a copy' } as const
const abilitiesShown = {
  mounting: 'mount as root of the machine',
  erofs: 'EROFS',
  files: 'EROFS over files',
  loops: 'loop devices',
  overlay: 'overlayfs',
  uppers: 'containers in its form',
  idMapping: 'shifted owners in the kernel',
  fuseDevice: 'the FUSE device',
  fusermount: 'fusermount3',
  namespaces: 'user namespaces',
} as const
const runtimesShown = { runc: 'commands by runc', crun: 'commands by crun', bwrap: 'commands by bwrap' } as const
const indexShown = {
  current: 'index.json has all names',
  behind: 'index.json is behind the names, and other tools do not see all of them: ply gc writes it anew',
  damaged: 'index.json is damaged: ply fsck --repair writes it anew',
} as const

export class Doctor extends StoreCommand {
  static override summary = 'Say what this machine can do, why not, and how to get more.'
  static override description =
    'Ways to mount, for this user and this store, the best first; then what they are built on; then what runs the commands of ply run and of RUN, of which one is enough. Also whether index.json, which other tools read, has all names, and what is mounted.'
  static override examples = [
    { description: 'How images and containers can be mounted here, and what runs commands', command: 'ply doctor' },
    { description: 'The same for programs', command: 'ply doctor --json' },
  ]

  async run() {
    await this.parse(Doctor)
    const { diagnose, runAbilities } = await this.library()
    const found = await diagnose(await this.store())
    const { ways, abilities, index, mounts, root, node, native } = found
    const run = runAbilities()
    const rows = [
      ['system calls (koffi)', native] as const,
      ...Object.entries(waysShown).flatMap(([way, name]) => [
        [`an image ${name}`, ways.image[way as keyof typeof waysShown]] as const,
        [`a container ${name}`, ways.container[way as keyof typeof waysShown]] as const,
      ]),
      ...Object.entries(abilitiesShown).map(
        ([one, name]) => [name, abilities[one as keyof typeof abilitiesShown]] as const,
      ),
      ...Object.entries(runtimesShown).map(
        ([one, name]) => [name, run.runtimes[one as keyof typeof runtimesShown]] as const,
      ),
      ['commands as other users', run.users] as const,
    ]
    await this.printAll(
      table(rows, [
        { header: 'ability', of: ([name]) => name },
        { header: 'works', of: ([, { able }]) => (able ? 'yes' : 'no') },
        { header: 'why not, and how to get it', of: ([, ability]) => reasonOf(ability) },
      ]),
    )
    this.print('')
    const { version } = this.config
    this.print(`plyfs ${version}, Linux ${abilities.kernel}, Node.js ${node}, store ${root}`)
    this.print(indexShown[index])
    const dead = mounts.filter(({ state }) => state === 'dead').length
    if (mounts.length > 0)
      this.print(`mounted: ${mounts.length}${dead > 0 ? `, ${dead} of them dead: ply umount --all removes them` : ''}`)
    return { version, ...found, run }
  }
}

function reasonOf(ability: Ability): string {
  if (ability.able) return ''
  return ability.more === undefined ? ability.why : `${ability.why}; ${ability.more}`
}
