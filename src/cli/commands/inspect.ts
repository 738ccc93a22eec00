import * as Flags from '@oclif/core/flags'
import { imagesArg } from '../arguments.ts'
import { dockerFields } from '../docker-image.ts'
import { goTemplate } from '../go-template.ts'
import { ImageCommand } from '../image-command.ts'
import { jsonText } from '../json.ts'
import type { Image } from '../library.ts'
import { registryFlags } from '../registry-flags.ts'
import { requireFlags, unsignedInStore } from '../signature-flags.ts'

export class Inspect extends ImageCommand {
  static override summary = 'Show images and containers in full, as a JSON array.'
  static override examples = [
    { description: 'Everything about an image', command: 'ply inspect debian:12' },
    { description: 'A container with its snapshots', command: 'ply inspect container:work' },
    {
      description: 'One fact of it',
      command: "ply inspect debian:12 --format '{{.Config.Cmd}} {{len .RootFS.Layers}}'",
    },
    {
      description: 'What an index has, or an artifact that is no image',
      command: 'ply inspect --all docker://registry.example.com/team/app:1',
    },
    {
      description: 'The manifest, byte for byte: it hashes to the digest',
      command: 'ply inspect --raw debian:12 | sha256sum',
    },
  ]
  static override description =
    'The fields of docker image inspect, where an image has them, and those of ply beside them: digests and sizes of layers, the history, annotations.'
  static override args = { images: imagesArg() }
  static override flags = {
    raw: Flags.boolean({ exclusive: ['config'], summary: 'The manifest of one image, byte for byte.' }),
    config: Flags.boolean({ summary: 'The config of one image, byte for byte.' }),
    all: Flags.boolean({
      exclusive: ['config', 'platform'],
      summary:
        'What the reference itself leads to, an index or an artifact too: the document with its digest; with --raw its bytes.',
    }),
    format: Flags.string({
      char: 'f',
      exclusive: ['raw', 'config', 'json'],
      helpValue: 'TEMPLATE',
      summary: 'A line each by a Go template: {{.Id}}, {{json .Config}}, {{join .Config.Env " "}}; json for all of it.',
    }),
    platform: Flags.string({ helpValue: 'OS/ARCH', summary: 'Which image of an index.' }),
    ...registryFlags,
    ...requireFlags,
  }

  async run() {
    const { args, flags } = await this.parse(Inspect)
    const { describeImage, PlyError } = await this.library()
    const template = flags.format === undefined ? undefined : goTemplate(flags.format)
    if (flags.all) return this.#documents(args.images, flags.raw === true)
    if (flags.raw || flags.config) {
      if (args.images.length > 1) throw new PlyError('PLY_USAGE', { reason: '--raw and --config show one image' })
      const image = await this.image(args.images[0]!, flags.platform)
      await this.output.write(flags.raw ? image.rawManifest : image.rawConfig)
      return undefined
    }
    const images: unknown[] = []
    for (const reference of args.images) {
      const container = /^container:([^@]*)$/.exec(reference)?.[1]
      if (container === undefined) {
        const image = await this.image(reference, flags.platform)
        const own = describeImage(image)
        images.push({ ...dockerFields(image, own, await this.#names(reference, image)), ...own })
      } else images.push(await this.#container(container))
    }
    if (template !== undefined) await this.printAll(images.map((one) => template(JSON.parse(jsonText(one)))))
    else this.print(jsonText(images))
    return images
  }

  /** What an image is called in the store, where it comes from there; else as it was asked for, if that has a name. */
  async #names(reference: string, { digest }: Image): Promise<readonly string[]> {
    const { splitReference } = await this.library()
    const { transport, details } = splitReference(await this.named(reference))
    if (transport === 'docker')
      return /:[^/]*$/.test(details) && !details.includes('@') ? [details.replace(/^\/\//, '')] : []
    if (transport !== 'store') return []
    const all = await (await this.store()).images()
    return all.filter((one) => one.digest === digest).map(({ name }) => name)
  }

  async #documents(references: readonly string[], raw: boolean) {
    const { PlyError } = await this.library()
    if (raw && references.length > 1) throw new PlyError('PLY_USAGE', { reason: '--raw shows one document' })
    const documents: unknown[] = []
    for (const reference of references) {
      const { descriptor, raw: bytes } = await this.whole(reference)
      if (raw) {
        await this.output.write(bytes)
        return undefined
      }
      const { mediaType, digest, size } = descriptor
      documents.push({ digest, mediaType, size, document: JSON.parse(Buffer.from(bytes).toString('utf8')) })
    }
    this.print(jsonText(documents))
    return documents
  }

  async #container(name: string) {
    if ((await this.required()) !== undefined) throw await unsignedInStore(`container:${name}`, this.library())
    const found = (await (await this.store()).containers.list()).find((container) => container.name === name)
    if (found) return found
    const { PlyError } = await this.library()
    throw new PlyError('PLY_CONTAINER_NOT_FOUND', { name })
  }
}
