import * as Flags from '@oclif/core/flags'
import { ImageCommand } from './image-command.ts'
import type { Image, ImageDescription, ImageSource, Parcel, WithImagesOptions } from './library.ts'
import { registryFlags } from './registry-flags.ts'
import { UsageError } from './usage-error.ts'

/** Which images are meant, and where the result goes. */
export const nameFlag = {
  tag: Flags.string({
    char: 't',
    helpValue: 'NAME',
    summary: 'The name of the new image in the store; without one it lives there until the next ply gc.',
  }),
  output: Flags.string({
    char: 'o',
    helpValue: 'REFERENCE',
    summary: 'Write the new image there: oci:DIR:TAG, oci-archive:FILE, docker://HOST/NAME:TAG and others.',
  }),
  platform: Flags.string({ helpValue: 'OS/ARCH', summary: 'Which image of an index.', exclusive: ['all'] }),
  all: Flags.boolean({ summary: 'Every image of an index, in a new index.' }),
  ...registryFlags,
}

export interface PlaceFlags {
  readonly tag?: string | undefined
  readonly output?: string | undefined
  readonly platform?: string | undefined
  readonly all?: boolean | undefined
}

/** How layers are written. */
export const layerFlags = {
  nanoseconds: Flags.boolean({ summary: 'Keep times to the nanosecond, not to the second.' }),
  'source-epoch': Flags.integer({
    helpValue: 'SECONDS',
    aliases: ['source-date-epoch'],
    summary: 'Lower later times to this one (Unix time); by default $SOURCE_DATE_EPOCH.',
  }),
  unmark: Flags.boolean({
    summary: 'Make ordinary layers also of those that are marked not to be distributed.',
  }),
}

/** What `--json` shows of an index that was made. */
export interface IndexDescription {
  readonly digest: string
  readonly mediaType: string
  readonly manifests: readonly object[]
}

/** What the commands share that make an image from another one. */
export abstract class RewriteCommand extends ImageCommand {
  /** An image of the store. One from elsewhere is taken in first, without a name. */
  protected async stored(text: string, platform?: string): Promise<Image> {
    const { splitReference } = await this.library()
    const image = await this.image(text, platform)
    const { transport } = splitReference(await this.named(text))
    if (transport !== 'store') await (await this.store()).write(image, undefined, this.operation)
    return image
  }

  /** All that a name or reference leads to. */
  protected async parcel(text: string): Promise<Parcel> {
    const { parcelFrom } = await this.library()
    const { place, name } = await this.from(text)
    return parcelFrom(place, name, this.operation)
  }

  /** Where a name or reference leads, and what the image is called there, where the place does not know. */
  protected async from(text: string): Promise<{ readonly place: ImageSource; readonly name: string | undefined }> {
    const { openSource, splitReference } = await this.library()
    const reference = await this.named(text)
    const { transport, details } = splitReference(reference)
    if (transport === 'store') return { place: await this.store(), name: details }
    const opening = { input: this.world.stdin, registry: this.registry, ...this.operation }
    return { place: this.closing(await openSource(reference, opening)), name: undefined }
  }

  /** Makes an image in the store of one that is there, or with `--all` an index of all of an index; then takes it where the flags say. */
  protected async rewritten(
    text: string,
    flags: PlaceFlags,
    rewrite: (image: Image, as: string | undefined) => Promise<Image>,
    /** All images are made, and nothing has a name yet. */
    check: () => void = () => {},
  ): Promise<ImageDescription | IndexDescription> {
    const whole = flags.all ? await this.parcel(text) : undefined
    if (whole?.is === 'index') {
      const store = await this.store()
      await store.writeParcel(whole, undefined, this.operation)
      const change = async ({ digest }: Image) => rewrite(await store.image(digest), undefined)
      return this.indexed(whole, flags, change, {}, check)
    }
    const made = await rewrite(await this.stored(text, flags.platform), flags.all ? undefined : flags.tag)
    check()
    if (flags.all && flags.tag !== undefined) await (await this.store()).write(made, flags.tag, this.operation)
    const { describeImage } = await this.library()
    this.printResult(await this.sent(made, flags))
    return describeImage(made)
  }

  /** Changes an image on its way from one place to another: the store is not asked unless it is one of them. */
  protected async changed(
    text: string,
    flags: PlaceFlags,
    change: (image: Image) => Promise<Image>,
    options: WithImagesOptions = {},
  ): Promise<ImageDescription | IndexDescription> {
    const whole = flags.all ? await this.parcel(text) : undefined
    if (whole?.is === 'index') return this.indexed(whole, flags, change, options)
    if (options.annotations !== undefined || options.entryAnnotations !== undefined)
      throw new UsageError('annotations of an index and its entries need an index: say --all')
    return this.madeFrom(await this.image(text, flags.platform), flags, change)
  }

  /** As `changed`, of an image that is at hand. */
  protected async madeFrom(
    image: Image,
    flags: PlaceFlags,
    change: (image: Image) => Promise<Image>,
  ): Promise<ImageDescription> {
    const made = await change(image)
    const { describeImage } = await this.library()
    if (flags.tag !== undefined || flags.output === undefined)
      await (await this.store()).write(made, flags.tag, this.operation)
    this.printResult(await this.sent(made, flags))
    return describeImage(made)
  }

  /** The last argument of the library's call. */
  protected writing(
    flags: {
      readonly nanoseconds?: boolean
      readonly 'source-epoch'?: number | undefined
      readonly unmark?: boolean
    },
    as: string | undefined,
  ) {
    const { nanoseconds, 'source-epoch': sourceEpoch = this.sourceEpoch, unmark } = flags
    const onWarning = ({ rule, entry, text }: { rule: string; entry: string; text: string }) =>
      this.say(`warning: ${entry}: ${text} (${rule})`)
    return { as, nanoseconds, sourceEpoch, unmark, onWarning, ...this.operation }
  }

  /** `$SOURCE_DATE_EPOCH`. @throws UsageError if it is no number */
  protected get sourceEpoch(): number | undefined {
    const text = this.world.environment.SOURCE_DATE_EPOCH
    if (text === undefined || text === '') return undefined
    if (!/^\d{1,13}$/.test(text)) throw new UsageError(`SOURCE_DATE_EPOCH=${text}: write seconds since 1970`)
    return Number(text)
  }

  private async indexed(
    whole: Parcel & { readonly is: 'index' },
    flags: PlaceFlags,
    change: (image: Image) => Promise<Image>,
    options: WithImagesOptions,
    check: () => void = () => {},
  ): Promise<IndexDescription> {
    const { copyWhole, withImages } = await this.library()
    const made = await withImages(whole, change, {
      ...options,
      onDropped: ({ digest, about }) =>
        this.say(`warning: ${digest} is left out: it is about ${about}, which is another image now`),
      ...this.operation,
    })
    check()
    if (flags.tag !== undefined || flags.output === undefined)
      await (await this.store()).writeParcel(made, flags.tag, this.operation)
    let { digest } = made.descriptor
    if (flags.output !== undefined) {
      const { sink, name } = await this.sink(flags.output)
      this.closing(sink)
      ;({ digest } = await copyWhole(made, sink, { as: name, ...this.operation }))
    }
    this.printResult(digest)
    return { digest, mediaType: made.descriptor.mediaType, manifests: made.index.manifests }
  }

  /** Takes an image where `-o` says. Answers the digest that it has there. */
  private async sent(image: Image, { output }: PlaceFlags): Promise<string> {
    if (output === undefined) return image.digest
    const { copy } = await this.library()
    const { sink, name } = await this.sink(output)
    this.closing(sink)
    return (await copy(image, sink, { as: name, ...this.operation })).digest
  }
}
