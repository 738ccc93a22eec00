import * as Flags from '@oclif/core/flags'
import { imagesArg } from '../arguments.ts'
import { limitsOf } from '../import-flags.ts'
import type { Validity } from '../library.ts'
import { registryFlags } from '../registry-flags.ts'
import { RewriteCommand } from '../rewrite-command.ts'

export class Validate extends RewriteCommand {
  static override summary = 'Check images wherever they are: every digest, size, diffID, media type and layer rule.'
  static override description =
    'Of an index every image is checked, unless --platform says which; artifacts are checked as far as they can be. Each layer is read once, nothing is kept. Exit code 0: all is well, though there may be warnings; 1: there are warnings, and --strict; 4: something is wrong.'
  static override examples = [
    { description: 'An archive from elsewhere', command: 'ply validate oci-archive:app.tar' },
    {
      description: 'Only documents and sizes, of all platforms in a registry',
      command: 'ply validate --fast docker://registry.example.com/app:1',
    },
  ]
  static override args = { images: imagesArg() }
  static override flags = {
    fast: Flags.boolean({ summary: 'Documents, their digests and the sizes of blobs: no layer is read.' }),
    strict: Flags.boolean({ summary: 'A warning is a no.' }),
    lenient: Flags.boolean({ summary: 'Layers that can be made sense of are only a warning.' }),
    limit: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'NAME=VALUE',
      summary: 'Set a budget of layers, as ply load has them. Repeatable.',
    }),
    platform: Flags.string({ helpValue: 'OS/ARCH', summary: 'Only this image of an index.' }),
    ...registryFlags,
  }

  async run() {
    const { args, flags } = await this.parse(Validate)
    const { defaultLimits, parcelOf, validate } = await this.library()
    const { fast, lenient, platform, strict } = flags
    const limits = limitsOf(flags.limit, defaultLimits)
    const results: ({ readonly reference: string } & Validity)[] = []
    for (const reference of args.images) {
      const source =
        platform === undefined ? await this.from(reference) : parcelOf(await this.image(reference, platform))
      const { name, place } = 'place' in source ? source : { name: undefined, place: source }
      const validity = await validate(place, { name, fast, lenient, limits, ...this.operation })
      results.push({ reference, ...validity })
      for (const { where, severity, code, entry, reason, document } of validity.findings) {
        const of = validity.documents > 1 ? `${document.slice(0, 19)} ` : ''
        this.print(
          `${reference}: ${severity}: ${of}${where}: ${entry === undefined ? '' : `${entry}: `}${reason} (${code})`,
        )
      }
      if (validity.valid && (!strict || validity.findings.length === 0)) this.print(`${reference}: ${validity.digest}`)
      if (!validity.valid) this.damaged = true
      else if (strict && validity.findings.length > 0) this.negative = true
    }
    return results
  }
}
