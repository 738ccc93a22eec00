import * as Flags from '@oclif/core/flags'
import { imagesArg } from '../arguments.ts'
import { jsonText } from '../json.ts'
import { registryFlags } from '../registry-flags.ts'
import { StoreCommand } from '../store-command.ts'

export class Inspect extends StoreCommand {
  static override summary = 'Show images and containers in full, as a JSON array.'
  static override examples = [
    { description: 'Everything about an image', command: 'ply inspect debian:12' },
    { description: 'A container with its snapshots', command: 'ply inspect container:work' },
    {
      description: 'The manifest, byte for byte: it hashes to the digest',
      command: 'ply inspect --raw debian:12 | sha256sum',
    },
  ]
  static override args = { images: imagesArg() }
  static override flags = {
    raw: Flags.boolean({ exclusive: ['config'], summary: 'The manifest of one image, byte for byte.' }),
    config: Flags.boolean({ summary: 'The config of one image, byte for byte.' }),
    platform: Flags.string({ helpValue: 'OS/ARCH', summary: 'Which image of an index.' }),
    ...registryFlags,
  }

  async run() {
    const { args, flags } = await this.parse(Inspect)
    const { describeImage, PlyError } = await this.library()
    if (flags.raw || flags.config) {
      if (args.images.length > 1) throw new PlyError('PLY_USAGE', { reason: '--raw and --config show one image' })
      const image = await this.image(args.images[0]!, flags.platform)
      await this.output.write(flags.raw ? image.rawManifest : image.rawConfig)
      return undefined
    }
    const images: unknown[] = []
    for (const reference of args.images) {
      const container = /^container:([^@]*)$/.exec(reference)?.[1]
      if (container === undefined) images.push(describeImage(await this.image(reference, flags.platform)))
      else images.push(await this.#container(container))
    }
    this.print(jsonText(images))
    return images
  }

  async #container(name: string) {
    const found = (await (await this.store()).containers.list()).find((container) => container.name === name)
    if (found) return found
    const { PlyError } = await this.library()
    throw new PlyError('PLY_CONTAINER_NOT_FOUND', { name })
  }
}
