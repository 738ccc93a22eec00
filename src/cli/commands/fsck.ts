import * as Flags from '@oclif/core/flags'
import type { Finding, FsckLevel } from '../library.ts'
import { countOf, humanSize } from '../sizes.ts'
import { StoreCommand } from '../store-command.ts'

const levels = ['structure', 'sizes', 'digests', 'caches'] as const satisfies readonly FsckLevel[]

export class Fsck extends StoreCommand {
  static override summary = 'Check the store, and heal it.'
  static override description =
    '`structure` reads records, manifests and configs and looks whether the rest is there; `sizes` compares sizes too, at the same cost. `digests` reads every blob once (about a second a gigabyte where the disk keeps up). `caches` also builds every cache anew and compares: as much work as importing all images. What is found is damage (something is lost that cannot be made again), drift (a cache or index.json is not what it should be; nothing is lost) or cosmetics. With --repair caches are built anew, and damaged blobs fetched from --from or from where their image came from; what cannot be healed is put into quarantine/, and named with the images and paths that it affects. Exit code: 0 if there is neither damage nor drift (any more), 1 for drift, 4 for damage.'
  static override examples = [
    { description: 'Whether everything is what it should be', command: 'ply fsck' },
    {
      description: 'Heal what the disk has spoiled, from an archive',
      command: 'ply fsck --repair --from docker-archive:debian.tar',
    },
    { description: 'From another store', command: 'ply fsck --repair --from oci:/mnt/other/store' },
    { description: 'A look at the records, in a moment', command: 'ply fsck --level structure' },
  ]
  static override flags = {
    level: Flags.option({ options: levels, default: 'digests' as FsckLevel, summary: 'How much is looked at.' })(),
    repair: Flags.boolean({ summary: 'Heal what can be healed, and put aside what cannot.' }),
    from: Flags.string({
      dependsOn: ['repair'],
      helpValue: 'SOURCE',
      multiple: true,
      summary: 'Where damaged blobs are fetched from: oci:DIR, docker-archive:FILE, … (repeatable).',
    }),
  }

  async run() {
    const { flags } = await this.parse(Fsck)
    const { level, repair, from: sources } = flags
    const report = await (await this.store()).fsck({ level, repair, sources, ...this.operation })
    await this.printAll(report.findings.flatMap(this.quiet ? fileOf : linesOf))
    const { checked, left } = report
    this.damaged = left.damage > 0
    this.negative = left.drift > 0
    this.say(
      `${countOf(checked.images, 'image')}, ${countOf(checked.containers, 'container')}, ${countOf(checked.blobs, 'blob')}, ${countOf(checked.caches, 'cache')}, ${humanSize(checked.bytes)} read: ${left.damage} damaged, ${left.drift} drifted, ${left.cosmetics} cosmetic`,
    )
    return report
  }
}

function fileOf({ file }: Finding): string[] {
  return [file]
}

function linesOf({ kind, file, problem, advice, affects, paths, remedy, obstacles }: Finding): string[] {
  const more = (count: number, shown: number) => (count > shown ? `, and ${count - shown} more` : '')
  const some = affects.slice(0, 10)
  return [
    `${kind}: ${file}: ${problem}${remedy === undefined ? '' : ` (${remedy})`}`,
    ...(some.length > 0 ? [`  affects ${some.join(', ')}${more(affects.length, some.length)}`] : []),
    ...(paths !== undefined && paths.count > 0
      ? [`  paths ${paths.paths.join(', ')}${more(paths.count, paths.paths.length)}`]
      : []),
    ...(obstacles ?? []).map((reason) => `  not healed: ${reason}`),
    ...(remedy === undefined || remedy === 'quarantined' ? [`  ${advice}`] : []),
  ]
}
