import * as Flags from '@oclif/core/flags'
import { imageArg } from '../arguments.ts'
import { rulesIn } from '../check-rules.ts'
import { jsonText } from '../json.ts'
import { LookCommand } from '../look-command.ts'
import { registryFlags } from '../registry-flags.ts'
import { requireFlags } from '../signature-flags.ts'
import { countOf } from '../sizes.ts'

export class Check extends LookCommand {
  static override summary = 'Check an image by rules: sizes, waste, forbidden files, set-id bits, secrets, labels.'
  static override description =
    'The rules are a file, TOML or JSON; docs/check.md has all of them. Without one there may be no secrets in any layer or in the config, and no files that everybody may write. What is told is one line each; errors fail, warnings and what the rules ignore do not. Exit code 0 if the image passes, 1 if it fails, 2 for rules that mean nothing.'
  static override examples = [
    { description: 'Secrets and open files', command: 'ply check app:1' },
    { description: 'By rules of your own, before it is pushed', command: 'ply check app:1 --rules check.toml' },
    {
      description: 'For a page of a forge that shows findings',
      command: 'ply check oci-archive:app.tar --format sarif',
    },
  ]
  static override args = { image: imageArg() }
  static override flags = {
    rules: Flags.string({ helpValue: 'FILE', summary: 'What the image has to be like.' }),
    format: Flags.option({
      options: ['text', 'json', 'junit', 'sarif'] as const,
      default: 'text' as const,
      summary: 'How to tell it; json is what --json shows.',
    })(),
    platform: Flags.string({ helpValue: 'OS/ARCH', summary: 'Which image of an index.' }),
    ...registryFlags,
    ...requireFlags,
  }

  async run() {
    const { args, flags } = await this.parse(Check)
    const library = await this.library()
    const rules = flags.rules === undefined ? library.defaultRules : await rulesIn(flags.rules, library)
    const report = await library.checkImage(await this.stack(args.image), rules, this.operation)
    this.negative = !report.passed
    if (this.quiet && flags.format === 'text') return report
    switch (flags.format) {
      case 'text': {
        const told = report.findings.filter(({ ignored }) => ignored === undefined)
        await this.printAll(
          told.map((finding) => library.displayText(library.encodeText(library.findingLine(finding)))),
        )
        const errors = told.filter(({ severity }) => severity === 'error').length
        const ignored = report.findings.length - told.length
        this.say(
          `${report.passed ? 'passed' : 'failed'}: ${countOf(errors, 'error')}, ${countOf(told.length - errors, 'warning')}, ${ignored} ignored; ${countOf(report.rules.length, 'rule')}`,
        )
        break
      }
      case 'json':
        this.print(jsonText(report))
        break
      case 'junit':
        this.print(library.junitReport(report, args.image).trimEnd())
        break
      case 'sarif':
        this.print(jsonText(library.sarifReport(report, args.image, this.config.version)))
        break
    }
    return report
  }
}
