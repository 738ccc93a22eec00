import * as Flags from '@oclif/core/flags'
import { requiredArg } from '../arguments.ts'
import type { Referrer } from '../library.ts'
import { registryFlags } from '../registry-flags.ts'
import { humanSize } from '../sizes.ts'
import { StoreCommand } from '../store-command.ts'
import { table } from '../table.ts'

export class Referrers extends StoreCommand {
  static override summary = 'List what refers to an image: signatures, bills of materials, attestations.'
  static override description =
    'The registry is asked for its list, or for the index under the fallback tag. Of an index it is what refers to the index itself, or with --platform to an image of it. One is fetched by its digest: ply inspect --all docker://HOST/NAME@DIGEST, or with all that it holds: ply copy --all.'
  static override examples = [
    { description: 'Everything', command: 'ply referrers docker://registry.example.com/team/app:1' },
    {
      description: 'Bills of materials alone',
      command: 'ply referrers docker://registry.example.com/team/app:1 --type application/spdx+json -q',
    },
  ]
  static override args = {
    image: requiredArg('docker://HOST/NAME[:TAG][@DIGEST], oci:DIR[:TAG] or oci-archive:FILE[:TAG].'),
  }
  static override flags = {
    type: Flags.string({ helpValue: 'TYPE', summary: 'Only what is of this type.' }),
    platform: Flags.string({ helpValue: 'OS/ARCH', summary: 'Of this image of an index, and not of the index.' }),
    ...registryFlags,
  }

  async run() {
    const { args, flags } = await this.parse(Referrers)
    const { referrers } = await this.library()
    const { type: artifactType, platform } = flags
    const found: Referrer[] = []
    const options = { registry: this.registry, ...this.operation, ...(artifactType !== undefined && { artifactType }) }
    for await (const one of referrers(args.image, { ...options, ...(platform !== undefined && { platform }) }))
      found.push(one)
    if (this.quiet) await this.printAll(found.map(({ digest }) => digest))
    else {
      await this.printAll(
        table(found, [
          { header: 'digest', of: ({ digest }) => digest },
          { header: 'type', of: ({ artifactType: type }) => type ?? '-' },
          { header: 'size', of: ({ size }) => humanSize(size) },
        ]),
      )
    }
    return found
  }
}
