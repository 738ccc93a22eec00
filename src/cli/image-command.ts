import { stat } from 'node:fs/promises'
import type { CompressFlags } from './compress-flags.ts'
import { type ImportFlags, limitsOf } from './import-flags.ts'
import { type ImageReport, warningLines, writeReport } from './import-reports.ts'
import type { Image, ImageSink, ImageSource, LayerReport, Listed, Parcel, WriteOptions } from './library.ts'
import { unsignedInStore } from './signature-flags.ts'
import { spool } from './spool.ts'
import { StoreCommand } from './store-command.ts'

const transport = /^(?:ocidir|oci|oci-archive|docker-archive|dir|tar|rootfs|upper|docker|store):/

/** An image on its way through a command: `write` is given the last argument of the call that takes it in. */
export interface Passage {
  readonly name: string | undefined
  readonly recompressed?: ImageReport['recompressed']
  write(options: WriteOptions): Promise<ImageReport['descriptor']>
}

/** What the commands share that move images: where they come from, where they go, and what is found on the way. */
export abstract class ImageCommand extends StoreCommand {
  #reported: ImageReport[] = []
  /** Stdout carries an archive. */
  #poured = false
  #judging: ImportFlags | undefined

  /**
   * Runs what takes images in, each by `take`; then, or when it fails, writes the report that was asked for.
   *
   * @throws PLY_USAGE where the report and the result would share stdout, and what `work` throws
   */
  protected async reporting<T>(flags: ImportFlags, work: () => Promise<T>): Promise<T> {
    const library = await this.library()
    if (flags.report === '-') await this.claimStdout({ binary: false, instead: 'use --report FILE' })
    this.#judging = flags
    const place = { library, signal: this.world.signal, print: (text: string) => this.print(text) }
    try {
      const result = await work()
      await writeReport(flags, this.#reported, place)
      return result
    } catch (error) {
      // What went wrong first is what is told.
      await writeReport(flags, this.#reported, { ...place, error }).catch(() => {})
      throw error
    }
  }

  /** Takes one image somewhere, and says what was found in its layers. */
  protected async take({ name, recompressed = [], write }: Passage): Promise<ImageReport> {
    const layers: LayerReport[] = []
    const judgement = await this.judgement(this.#judging!)
    const onReport = (report: LayerReport) => layers.push(report)
    const descriptor = await write({ ...this.operation, ...judgement, onReport })
    for (const line of warningLines(layers, this.#judging!.report)) this.say(line)
    const report: ImageReport = { name, descriptor, layers, recompressed }
    this.#reported.push(report)
    return report
  }

  /** The result, unless the report or an archive has stdout. */
  protected printResult(line: string): void {
    if (this.#poured || this.#judging?.report === '-') this.say(line)
    else this.print(line)
  }

  /** What the flags say of how layers are judged. @throws PLY_USAGE */
  protected async judgement({ strict, lenient, limit }: ImportFlags): Promise<WriteOptions> {
    const { defaultLimits } = await this.library()
    return { strict, lenient, limits: limitsOf(limit, defaultLimits) }
  }

  /**
   * The images that a file, a directory, `-` or a reference stands for, with their names there. Of a reference it is the one it
   * names, of everything else all.
   */
  protected async *imagesOf(
    text: string,
    platform: string | undefined,
    judgement: WriteOptions = {},
  ): AsyncGenerator<{ image: Image; name: string | undefined; source: string | undefined }> {
    const { openSource } = await this.library()
    const named = transport.test(text)
    const reference = named ? text : await this.detected(text)
    const { lenient, limits } = judgement
    // What came from stdin cannot be asked again.
    const from = text === '-' ? undefined : reference
    const signatures = await this.required()
    const opening = { input: this.world.stdin, lenient, limits, registry: this.registry, signatures, ...this.operation }
    const source = this.closing(await openSource(reference, opening))
    const listed: Listed[] = []
    for await (const one of source.list()) listed.push(one)
    const options = { ...(platform !== undefined && { platform }), ...this.operation }
    if (named || listed.length === 1) {
      const image = await source.image(undefined, options)
      yield { image, name: nameOf(image, listed), source: from }
      return
    }
    for (const { name } of listed) yield { image: await source.image(name, options), name, source: from }
  }

  /** All that a name or a reference leads to: an index with all its images, or a manifest that need not be one of an image. */
  protected async whole(text: string, judgement: WriteOptions = {}): Promise<Parcel> {
    return (await this.wholeAt(text, judgement)).parcel
  }

  /** The same, with the place of its signatures, where there is one. */
  protected async wholeAt(
    text: string,
    judgement: WriteOptions = {},
  ): Promise<{ readonly parcel: Parcel; readonly attachments: ImageSource['attachments'] }> {
    const { openSource, parcelFrom, splitReference } = await this.library()
    const reference = await this.named(text)
    const { transport: kind, details } = splitReference(reference)
    const signatures = await this.required()
    if (kind === 'store') {
      if (signatures !== undefined) throw await unsignedInStore(details, this.library())
      return { parcel: await (await this.store()).parcel(details, this.operation), attachments: undefined }
    }
    const { lenient, limits } = judgement
    const opening = { input: this.world.stdin, lenient, limits, registry: this.registry, signatures, ...this.operation }
    const source = this.closing(await openSource(reference, opening))
    return { parcel: await parcelFrom(source, undefined, this.operation), attachments: source.attachments }
  }

  /** The source of a root file system: a tar, a directory, or `-` for a tar on stdin. */
  protected async rootfsSource(text: string, { lenient, limits }: WriteOptions = {}): Promise<ImageSource> {
    const { openSource } = await this.library()
    const reference = transport.test(text)
      ? text
      : `${text !== '-' && (await stat(text)).isDirectory() ? 'rootfs' : 'tar'}:${text}`
    return this.closing(
      await openSource(reference, {
        input: this.world.stdin,
        lenient,
        limits,
        baseOf: async (base, operation) => {
          const store = await this.store()
          const image = await store.image(base, operation)
          return { image, tree: await store.tree(image, operation) }
        },
        onUpperWarning: ({ rule, text }) => this.say(`${text} (${rule})`),
        ...this.operation,
      }),
    )
  }

  /** Where a reference leads to, and the name the image gets there: `undefined` where the reference has said it. */
  protected async sink(reference: string): Promise<{ readonly sink: ImageSink; readonly name: string | undefined }> {
    const { openSink, splitReference } = await this.library()
    const { transport: kind, details } = splitReference(reference)
    if (kind === 'store') return { sink: await this.store(), name: details }
    this.#poured = /^[^:]+:-(?::|$)/.test(reference)
    if (this.#poured) await this.claimStdout({ binary: true, instead: 'write to a file' })
    const sink = await openSink(reference, {
      output: this.output,
      registry: this.registry,
      treeOf: async (image, operation) => {
        const store = await this.store()
        // One from elsewhere is taken in first, without a name; what is here is only looked at.
        await store.write(image, undefined, operation)
        return store.tree(image, operation)
      },
      ...this.operation,
    })
    return { sink, name: undefined }
  }

  /**
   * The image as `--compress` wants it for where it goes, and which digests change; the same image without the flag.
   *
   * @throws PLY_USAGE for a place that holds layers in one form only
   */
  protected async asCompressed(
    image: Image,
    { compress: compression, 'compress-level': level }: CompressFlags,
    target: string,
  ): Promise<{ readonly image: Image; readonly recompressed: ImageReport['recompressed'] }> {
    if (compression === undefined) return { image, recompressed: [] }
    const { PlyError, recompressed, splitReference } = await this.library()
    const { transport: kind } = splitReference(target)
    if (['docker-archive', 'tar', 'rootfs'].includes(kind)) {
      const reason = `--compress: ${kind} has no place for compressed layers; write to oci:, oci-archive: or dir:`
      throw new PlyError('PLY_USAGE', { reason })
    }
    const other = this.closing(await recompressed(image, { compression, level, ...this.operation }))
    for (const { layer, from, to, reason } of other.changed)
      this.say(`layer ${layer}: ${from.digest.slice(0, 19)} is ${to.digest.slice(0, 19)} now (${reason})`)
    return { image: other.image, recompressed: other.changed }
  }

  /** The name of an image in the store, for the archive it goes into; `undefined` for what comes from elsewhere. */
  protected async storeName(reference: string): Promise<string | undefined> {
    const { splitReference } = await this.library()
    const { transport: kind, details } = splitReference(reference)
    return kind === 'store' ? details : undefined
  }

  /** The reference of a file or directory by its content; `-` is kept in a file as long as the command runs. */
  private async detected(text: string): Promise<string> {
    const library = await this.library()
    if (text !== '-') return library.detectReference(text, this.operation)
    const { path } = this.closing(await spool(this.world.stdin, this.world.signal, library))
    try {
      return await library.detectReference(path, this.operation)
    } catch (error) {
      if (!(error instanceof library.PlyError) || error.code !== 'PLY_BAD_ARCHIVE') throw error
      const reason = String(error.details.reason).replaceAll(path, 'standard input')
      throw new library.PlyError('PLY_BAD_ARCHIVE', { reason }, { cause: error })
    }
  }
}

/** What the image is called where it came from. */
function nameOf(image: Image, listed: readonly Listed[]): string | undefined {
  return listed.length === 1
    ? listed[0]!.name
    : listed.find(({ descriptor }) => descriptor.digest === image.digest)?.name
}
