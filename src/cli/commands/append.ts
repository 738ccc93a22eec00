import { stat } from 'node:fs/promises'
import * as Flags from '@oclif/core/flags'
import { imageArg, requiredArgs } from '../arguments.ts'
import type { FilesLayerOptions, Image, Layer, Placement } from '../library.ts'
import { nameFlag, RewriteCommand } from '../rewrite-command.ts'
import { UsageError } from '../usage-error.ts'

/** What becomes a layer: a tar as it is, or files that are placed. */
type Source = { readonly tar: string } | { readonly placements: readonly Placement[] }

export class Append extends RewriteCommand {
  static override summary = 'Put layers on top of an image: tars as they are, or files of this machine.'
  static override description =
    'A tar (compressed or not; - for stdin) becomes a layer with its very bytes. SOURCE:/PATH places a file, or what is in a directory, at a path of the image, where symlinks of the image are followed and directories on the way stay as they are; those that follow one another become one layer. A directory alone is placed at the root. The layers of the image stay as they are. The time in the history is SOURCE_DATE_EPOCH where that is set, and none otherwise: the same files give the same digest. scratch as the image is the image of nothing.'
  static override examples = [
    { description: 'A layer that another tool has made', command: 'ply append debian:12 layer.tar.gz -t app:1' },
    {
      description: 'A program and its settings as one layer',
      command: 'ply append debian:12 ./app:/usr/local/bin/ ./conf:/etc/app --chown 0:0 -t app:1',
    },
  ]
  static override args = {
    image: imageArg(),
    sources: requiredArgs('A tar, - for one on stdin, a directory, or SOURCE:/PATH.'),
  }
  static override flags = {
    chown: Flags.string({ helpValue: 'UID:GID', summary: 'The owner of all placed files; as on the disk by default.' }),
    chmod: Flags.string({ helpValue: 'MODE', summary: 'The mode of placed files, in octal: 755.' }),
    nanoseconds: Flags.boolean({ summary: 'Keep times of placed files to the nanosecond, not to the second.' }),
    'source-date-epoch': Flags.integer({
      helpValue: 'SECONDS',
      summary: 'Lower later times of placed files to this one (Unix time); by default $SOURCE_DATE_EPOCH.',
    }),
    message: Flags.string({ char: 'm', summary: 'The comment in the history of the image.', helpValue: 'TEXT' }),
    author: Flags.string({ char: 'a', summary: 'The author in the history of the image.', helpValue: 'TEXT' }),
    ...nameFlag,
  }

  async run() {
    const { args, flags } = await this.parse(Append)
    const sources = await sourcesOf(args.sources)
    const { chown, chmod, nanoseconds, 'source-date-epoch': sourceEpoch = this.sourceEpoch } = flags
    const [, uid, gid] = /^(\d{1,10})(?::(\d{1,10}))?$/.exec(chown ?? '') ?? []
    if (chown !== undefined && uid === undefined) throw new UsageError(`--chown ${chown}: write UID:GID, in numbers`)
    if (chmod !== undefined && !/^[0-7]{3,4}$/.test(chmod)) throw new UsageError(`--chmod ${chmod}: write 644 or 0755`)
    const options = {
      nanoseconds,
      sourceEpoch,
      ...(uid !== undefined && { owner: { uid: Number(uid), gid: Number(gid ?? uid) } }),
      ...(chmod !== undefined && { mode: Number.parseInt(chmod, 8) }),
      ...this.operation,
    }
    const { append, scratch } = await this.library()
    const epoch = this.sourceEpoch ?? flags['source-date-epoch']
    const history = {
      ...(epoch !== undefined && { created: new Date(epoch * 1000).toISOString().replace('.000Z', 'Z') }),
      created_by: 'ply append',
      ...(flags.author !== undefined && { author: flags.author }),
      ...(flags.message !== undefined && { comment: flags.message }),
    }
    const stacked = async (image: Image, below: boolean) => {
      let made = image
      for (const source of sources)
        made = append(made, await this.layer(source, below ? made : undefined, options), history)
      return made
    }
    const places = sources.some((source) => 'placements' in source)
    if (args.image === 'scratch' || !places) {
      const from = (image: Image) => stacked(image, false)
      return args.image === 'scratch' ? this.madeFrom(scratch, flags, from) : this.changed(args.image, flags, from)
    }
    return this.rewritten(args.image, flags, async (image, as) => {
      const made = await stacked(image, true)
      await (await this.store()).write(made, as, this.operation)
      return made
    })
  }

  /** `below`: the image in the store that the layer will stand on. */
  private async layer(source: Source, below: Image | undefined, options: FilesLayerOptions): Promise<Layer> {
    const { filesLayer, openSource } = await this.library()
    if ('tar' in source) {
      const opening = { input: this.world.stdin, ...this.operation }
      const opened = this.closing(await openSource(`tar:${source.tar}`, opening))
      return (await opened.image(undefined, this.operation)).layers[0]!
    }
    if (below === undefined) return filesLayer(source.placements, options)
    const store = await this.store()
    // Layers that were put on it just now are not there yet.
    await store.write(below, undefined, this.operation)
    const tree = await store.tree(below, this.operation)
    this.atEnd(() => tree.close())
    return filesLayer(source.placements, { ...options, below: tree })
  }
}

async function sourcesOf(texts: readonly string[]): Promise<readonly Source[]> {
  const sources: ({ readonly tar: string } | { readonly placements: Placement[] })[] = []
  for (const text of texts) {
    const [, from = text, to] = /^(.+?):(\/.*)$/s.exec(text) ?? []
    const directory = to === undefined && from !== '-' && (await stat(from)).isDirectory()
    if (to === undefined && !directory) {
      sources.push({ tar: from })
      continue
    }
    const last = sources.at(-1)
    const placement = { from, to: to ?? '/' }
    if (last !== undefined && 'placements' in last) last.placements.push(placement)
    else sources.push({ placements: [placement] })
  }
  return sources
}
