import * as Flags from '@oclif/core/flags'
import type { Image } from './library.ts'
import { StoreCommand } from './store-command.ts'

/** Where the result goes. */
export const nameFlag = {
  tag: Flags.string({
    char: 't',
    helpValue: 'NAME',
    summary: 'The name of the new image; without one it lives until the next ply gc.',
  }),
}

/** How layers are written. */
export const layerFlags = {
  nanoseconds: Flags.boolean({ summary: 'Keep times to the nanosecond, not to the second.' }),
  'source-epoch': Flags.integer({ helpValue: 'SECONDS', summary: 'Lower later times to this one (Unix time).' }),
}

/** What the commands share that make an image from another one by rewriting its layers. */
export abstract class RewriteCommand extends StoreCommand {
  /** An image of the store. One from elsewhere is taken in first, without a name. */
  protected async stored(text: string): Promise<Image> {
    const { splitReference } = await this.library()
    const image = await this.image(text)
    const { transport } = splitReference(await this.named(text))
    if (transport !== 'store') await (await this.store()).write(image, undefined, this.operation)
    return image
  }

  /** The last argument of the library's call. */
  protected writing(flags: {
    readonly tag: string | undefined
    readonly nanoseconds: boolean
    readonly 'source-epoch': number | undefined
  }) {
    const { tag: as, nanoseconds, 'source-epoch': sourceEpoch } = flags
    const onWarning = ({ rule, entry, text }: { rule: string; entry: string; text: string }) =>
      this.say(`warning: ${entry}: ${text} (${rule})`)
    return { as, nanoseconds, sourceEpoch, onWarning, ...this.operation }
  }
}
