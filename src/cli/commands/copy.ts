import * as Flags from '@oclif/core/flags'
import { requiredArg } from '../arguments.ts'
import { compressFlags } from '../compress-flags.ts'
import { ImageCommand } from '../image-command.ts'
import { type ImportFlags, importFlags } from '../import-flags.ts'
import { registryFlags } from '../registry-flags.ts'
import { requireFlags } from '../signature-flags.ts'

export class Copy extends ImageCommand {
  static override summary = 'Take an image from one place to another.'
  static override description =
    'Both sides are references: oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:NAME:TAG], dir:DIR, tar:FILE, rootfs:DIR, docker://HOST/NAME[:TAG], or a name in the store. Bytes and digests are kept wherever the target can hold them, unless --compress asks for others. Layers that go into the store are read by the rules of docs/layer-semantics.md. Prints the digest of what was written.'
  static override examples = [
    {
      description: 'An archive into a layout, past the store',
      command: 'ply copy docker-archive:debian.tar oci:./out:12',
    },
    { description: 'An image of the store under another name', command: 'ply copy debian:12 mine:base' },
    {
      description: 'From one registry to another, past the store',
      command: 'ply copy docker://registry.example.com/team/app:1 docker://mirror.example.com/app:1',
    },
    {
      description: 'Every platform, from one registry to another',
      command: 'ply copy --all docker://registry.example.com/team/app:1 docker://mirror.example.com/app:1',
    },
    { description: 'A layout with zstd layers', command: 'ply copy debian:12 oci:./out:12 --compress zstd' },
  ]
  static override args = {
    from: requiredArg('Where the image is.'),
    to: requiredArg('Where it goes.'),
  }
  static override flags = {
    platform: Flags.string({ helpValue: 'OS/ARCH', exclusive: ['all'], summary: 'Which image of an index.' }),
    all: Flags.boolean({
      summary:
        'All that the reference leads to: an index with every image and attestation, or an artifact that is no image.',
    }),
    signatures: Flags.boolean({
      exclusive: ['compress'],
      summary: 'Take the signatures along, from and to registries and layouts.',
    }),
    ...compressFlags,
    ...importFlags,
    ...registryFlags,
    ...requireFlags,
  }

  async run() {
    const { args, flags } = await this.parse(Copy)
    const { copy, PlyError, splitReference } = await this.library()
    const { transport } = splitReference(args.to)
    if (transport !== 'store' && (flags.strict || flags.limit !== undefined)) {
      throw new PlyError('PLY_USAGE', {
        reason: `${args.to} keeps the bytes of layers and judges none: --strict and --limit are for the store`,
      })
    }
    if (flags.report === '-' && /^[^:]+:-(?::|$)/.test(args.to)) {
      throw new PlyError('PLY_USAGE', { reason: 'the image and the report cannot share stdout; use --report FILE' })
    }
    if (flags.all) {
      if (flags.compress !== undefined)
        throw new PlyError('PLY_USAGE', {
          reason: '--all keeps every byte: leave --compress out, or use ply recompress',
        })
      return this.reporting(flags, async () => this.#all(args, flags, flags.signatures))
    }
    return this.reporting(flags, async () => {
      const found = await this.imageAt(args.from, flags.platform, await this.judgement(flags))
      const { image, recompressed } = await this.asCompressed(found.image, flags, args.to)
      const signatures = flags.signatures && (found.attachments ?? true)
      const { sink, name } = await this.sink(args.to)
      this.closing(sink)
      const { descriptor, layers } = await this.take({
        name,
        recompressed,
        write: (options) => copy(image, sink, { as: name, signatures, ...options, source: args.from }),
      })
      this.printResult(descriptor.digest)
      return { ...descriptor, layers, recompressed }
    })
  }

  async #all({ from, to }: { readonly from: string; readonly to: string }, flags: ImportFlags, carried: boolean) {
    const { copyWhole } = await this.library()
    const { parcel, attachments } = await this.wholeAt(from, await this.judgement(flags))
    const signatures = carried && (attachments ?? true)
    const { sink, name } = await this.sink(to)
    this.closing(sink)
    const { descriptor, layers } = await this.take({
      name,
      write: (options) => copyWhole(parcel, sink, { as: name, signatures, ...options, source: from }),
    })
    this.printResult(descriptor.digest)
    return { ...descriptor, layers, recompressed: [] }
  }
}
