import * as Flags from '@oclif/core/flags'
import { pathArg, requiredArg } from '../arguments.ts'
import { IndexCommand, outputFlag } from '../index-command.ts'
import { annotationFlag, annotationsOf } from '../signature-flags.ts'
import { UsageError } from '../usage-error.ts'

const removable = ['os-version', 'os-feature'] as const

export class IndexAnnotate extends IndexCommand {
  static override summary = 'Change what an index says of one of its images, or of itself.'
  static override description = 'The images stay as they are. Prints the new digest.'
  static override examples = [
    {
      description: 'An annotation of the index itself',
      command: 'ply index annotate app:1 -a org.opencontainers.image.version=1.2',
    },
    {
      description: 'The platform of an entry',
      command: 'ply index annotate docker://registry.example.com/app:1 3f2a --platform linux/arm/v7',
    },
  ]
  static override args = {
    index: requiredArg('The index: a name in the store, or a reference.'),
    entry: pathArg('Which entry: OS/ARCH[/VARIANT], a digest, or the start of one; without it the index itself.'),
  }
  static override flags = {
    annotation: annotationFlag('Say this. Repeatable.'),
    platform: Flags.string({ helpValue: 'OS/ARCH', summary: 'What the entry is for.' }),
    'os-version': Flags.string({ helpValue: 'VERSION', summary: 'Which version of the system it needs.' }),
    'os-feature': Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'NAME',
      summary: 'Which features of the system it needs, in place of those that are said. Repeatable.',
    }),
    remove: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'FIELD[=NAME]',
      summary: `Take away annotation=NAME, ${removable.join(' or ')}. Repeatable.`,
    }),
    ...outputFlag,
  }

  async run() {
    const { args, flags } = await this.parse(IndexAnnotate)
    const { annotateIndex } = await this.library()
    const annotations: Record<string, string | null> = annotationsOf(flags.annotation)
    let osVersion: string | null | undefined = flags['os-version']
    let osFeatures: readonly string[] | null | undefined = flags['os-feature']
    for (const word of flags.remove ?? []) {
      const name = /^annotation=(.+)$/s.exec(word)?.[1]
      if (name !== undefined) annotations[name] = null
      else if (word === 'os-version') osVersion = null
      else if (word === 'os-feature') osFeatures = null
      else throw new UsageError(`--remove ${word}: write annotation=NAME, ${removable.join(' or ')}`)
    }
    const target = await this.targetOf(args.index, flags.output)
    const change = { annotations, platform: flags.platform, osVersion, osFeatures }
    return this.put(annotateIndex(await this.indexAt(args.index), change, args.entry), target)
  }
}
