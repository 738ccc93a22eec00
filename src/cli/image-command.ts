import { stat } from 'node:fs/promises'
import type { Image, ImageSink, ImageSource, Listed } from './library.ts'
import { spool } from './spool.ts'
import { StoreCommand } from './store-command.ts'

const transport = /^(?:ocidir|oci|oci-archive|docker-archive|dir|tar|rootfs|docker|store):/

/** What the commands share that move images: where they come from and where they go. */
export abstract class ImageCommand extends StoreCommand {
  /**
   * The images that a file, a directory, `-` or a reference stands for, with their names there. Of a reference it is the one it
   * names, of everything else all.
   */
  protected async *imagesOf(
    text: string,
    platform: string | undefined,
  ): AsyncGenerator<{ image: Image; name: string | undefined }> {
    const { openSource } = await this.library()
    const named = transport.test(text)
    const reference = named ? text : await this.detected(text)
    const source = this.closing(await openSource(reference, { input: this.world.stdin, ...this.operation }))
    const listed: Listed[] = []
    for await (const one of source.list()) listed.push(one)
    const options = { ...(platform !== undefined && { platform }), ...this.operation }
    if (named || listed.length === 1) {
      const image = await source.image(undefined, options)
      yield { image, name: nameOf(image, listed) }
      return
    }
    for (const { name } of listed) yield { image: await source.image(name, options), name }
  }

  /** The source of a root file system: a tar, a directory, or `-` for a tar on stdin. */
  protected async rootfsSource(text: string): Promise<ImageSource> {
    const { openSource } = await this.library()
    const reference = transport.test(text)
      ? text
      : `${text !== '-' && (await stat(text)).isDirectory() ? 'rootfs' : 'tar'}:${text}`
    return this.closing(await openSource(reference, { input: this.world.stdin, ...this.operation }))
  }

  /** Where a reference leads to, and the name the image gets there: `undefined` where the reference has said it. */
  protected async sink(reference: string): Promise<{ readonly sink: ImageSink; readonly name: string | undefined }> {
    const { openSink, splitReference } = await this.library()
    const { transport: kind, details } = splitReference(reference)
    if (kind === 'store') return { sink: await this.store(), name: details }
    const sink = await openSink(reference, {
      output: this.output,
      treeOf: async (image, operation) => (await this.store()).tree(image, operation),
      ...this.operation,
    })
    return { sink, name: undefined }
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
