import * as Flags from '@oclif/core/flags'
import { requiredArg, requiredArgs } from '../arguments.ts'
import { IndexCommand } from '../index-command.ts'
import { registryFlags } from '../registry-flags.ts'
import { annotationFlag, annotationsOf } from '../signature-flags.ts'

export class IndexCreate extends IndexCommand {
  static override summary = 'Make an index of images for several platforms.'
  static override description =
    'Images keep their bytes, and so their digests; each entry has the platform that its config says. Of an index among them all entries are taken over, attestations too. Everything goes to where the index goes. The same images give the same digest. Prints the digest.'
  static override examples = [
    {
      description: 'Of two images in the store, into a registry',
      command: 'ply index create docker://registry.example.com/team/app:1 app:amd64 app:arm64',
    },
    {
      description: 'Of what lies elsewhere, into the store',
      command: 'ply index create app:1 oci:./amd64 oci:./arm64',
    },
  ]
  static override args = {
    index: requiredArg('Where it goes: a name in the store, oci:DIR:TAG, docker://HOST/NAME:TAG, …'),
    images: requiredArgs('Names of images in the store, or references; of indexes all entries.'),
  }
  static override flags = {
    annotation: annotationFlag('Say this in the index. Repeatable.'),
    docker: Flags.boolean({ summary: "Docker's form of an index, a manifest list; without annotations." }),
    ...registryFlags,
  }

  async run() {
    const { args, flags } = await this.parse(IndexCreate)
    const { createIndex, PlyError } = await this.library()
    const annotations = annotationsOf(flags.annotation)
    if (flags.docker && flags.annotation !== undefined)
      throw new PlyError('PLY_USAGE', { reason: "Docker's manifest lists have no annotations: leave out one of them" })
    const members = []
    for (const image of args.images) members.push(await this.whole(image))
    const mediaType = flags.docker ? { mediaType: 'application/vnd.docker.distribution.manifest.list.v2+json' } : {}
    const said = flags.annotation === undefined ? {} : { annotations }
    return this.put(await createIndex(members, { ...mediaType, ...said, ...this.operation }), args.index)
  }
}
