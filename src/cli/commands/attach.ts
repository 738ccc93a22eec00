import { basename } from 'node:path'
import * as Flags from '@oclif/core/flags'
import { requiredArg, requiredArgs } from '../arguments.ts'
import { registryFlags } from '../registry-flags.ts'
import { smallFile } from '../secret.ts'
import { annotationFlag, annotationsOf } from '../signature-flags.ts'
import { StoreCommand } from '../store-command.ts'

export class Attach extends StoreCommand {
  static override summary = 'Lay files beside an image: a bill of materials, a report.'
  static override description =
    'They become an artifact that refers to the image (OCI 1.1), which ply referrers, oras and regctl list. The image stays as it is. The same files give the same digest, which is printed.'
  static override examples = [
    {
      description: 'A bill of materials',
      command: 'ply attach docker://registry.example.com/team/app:1 sbom.json --type application/spdx+json',
    },
  ]
  static override args = {
    image: requiredArg('docker://HOST/NAME[:TAG][@DIGEST] or oci:DIR[:TAG].'),
    files: requiredArgs('The files.'),
  }
  static override flags = {
    type: Flags.string({ required: true, helpValue: 'TYPE', summary: 'What they are: application/spdx+json.' }),
    'media-type': Flags.string({
      helpValue: 'TYPE',
      summary: 'Of each file; as --type by default, where there is one file.',
    }),
    annotation: annotationFlag('Say this of them. Repeatable.'),
    platform: Flags.string({ helpValue: 'OS/ARCH', summary: 'To this image of an index, and not to the index.' }),
    ...registryFlags,
  }

  async run() {
    const { args, flags } = await this.parse(Attach)
    const { attach } = await this.library()
    const mediaType = flags['media-type'] ?? (args.files.length === 1 ? flags.type : undefined)
    const files = await Promise.all(
      args.files.map(async (path) => ({ content: await smallFile(path, attachable), name: basename(path), mediaType })),
    )
    const descriptor = await attach(args.image, files, {
      artifactType: flags.type,
      ...(flags.annotation !== undefined && { annotations: annotationsOf(flags.annotation) }),
      ...(flags.platform !== undefined && { platform: flags.platform }),
      registry: this.registry,
      ...this.operation,
    })
    this.print(descriptor.digest)
    return descriptor
  }
}

/** Bytes of one file: it is held in memory. */
const attachable = 256 << 20
