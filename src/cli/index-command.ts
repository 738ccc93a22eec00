import * as Flags from '@oclif/core/flags'
import { ImageCommand } from './image-command.ts'
import type { Descriptor, Parcel } from './library.ts'
import { registryFlags } from './registry-flags.ts'
import { UsageError } from './usage-error.ts'

type IndexParcel = Parcel & { readonly is: 'index' }

/** What is told of an index: `--json` shows it. */
export interface ShownIndex {
  readonly digest: string
  readonly mediaType: string
  readonly manifests: readonly Descriptor[]
}

/** Where a changed index goes. */
export const outputFlag = {
  output: Flags.string({
    char: 'o',
    helpValue: 'REFERENCE',
    summary: 'Where it goes, in place of where it came from: a name in the store, oci:DIR:TAG, docker://HOST/NAME:TAG.',
  }),
  ...registryFlags,
}

/** What the commands share that make and change indexes: they come from anywhere, and go anywhere, with all that is in them. */
export abstract class IndexCommand extends ImageCommand {
  /** @throws UsageError if it is none */
  protected async indexAt(text: string): Promise<IndexParcel> {
    const parcel = await this.whole(text)
    if (parcel.is === 'index') return parcel
    throw new UsageError(`${text} is no index but a single manifest; make one of it: ply index create NAME ${text}`)
  }

  /** Takes an index with all its images where it is to be. Prints its digest. */
  protected async put(index: IndexParcel, reference: string): Promise<ShownIndex> {
    const { copyWhole } = await this.library()
    const { sink, name } = await this.sink(reference)
    this.closing(sink)
    const { digest } = await copyWhole(index, sink, { as: name, ...this.operation })
    this.print(digest)
    return { digest, mediaType: index.descriptor.mediaType, manifests: index.index.manifests }
  }

  /** Where an index goes that came from somewhere: there again. @throws UsageError for an archive, which would lose all else */
  protected async targetOf(text: string, output: string | undefined): Promise<string> {
    if (output !== undefined) return output
    const { splitReference } = await this.library()
    const { transport, details } = splitReference(await this.named(text))
    if (['store', 'docker', 'oci', 'dir'].includes(transport) && !/@[0-9a-z]+:/.test(details)) return text
    throw new UsageError(`${text} cannot be changed where it is: say with -o where the index goes`)
  }

  protected sayRemoved(removed: readonly Descriptor[]): void {
    for (const { digest, platform } of removed)
      this.say(`removed ${digest}${platform === undefined ? '' : ` (${platform.os}/${platform.architecture})`}`)
  }
}
