import * as Flags from '@oclif/core/flags'
import { imagesArg } from '../arguments.ts'
import { compressFlags } from '../compress-flags.ts'
import { ImageCommand } from '../image-command.ts'
import type { Listed, RecompressedLayer } from '../library.ts'
import { hasColon } from '../places.ts'
import { registryFlags } from '../registry-flags.ts'

interface Saved extends Listed {
  /** Layers whose compressed digest is another one there. */
  readonly recompressed: readonly RecompressedLayer[]
}

/** Places outside the store: any other text before a colon would be part of a name in it. */
const outside = /^(?:ocidir|oci|oci-archive|docker-archive|dir|tar|rootfs|docker):/

const formats = ['docker-archive', 'oci-archive', 'oci'] as const

export class Save extends ImageCommand {
  static override summary = 'Write images to an archive or a layout that other tools read, or to a registry.'
  static override examples = [
    { description: 'For docker load and podman load', command: 'ply save debian:hello -o hello.tar' },
    { description: 'An OCI layout, digests kept', command: 'ply save debian:hello -o oci:./out:hello' },
    {
      description: 'An archive of an OCI layout, its layers compressed anew',
      command: 'ply save debian:hello -o oci-archive:hello.tar --compress gzip --compress-level 9',
    },
    {
      description: 'To a registry',
      command: 'ply save debian:hello docker://registry.example.com/team/debian:hello',
    },
    { description: 'Into a pipe', command: 'ply save debian:hello | docker load' },
  ]
  static override args = { images: imagesArg() }
  static override flags = {
    output: Flags.string({
      char: 'o',
      helpValue: 'FILE',
      summary: 'A file, a directory or a reference; - or nothing for stdout.',
    }),
    format: Flags.option({
      options: formats,
      summary: 'What to write, where -o is a path; docker-archive by default.',
    })(),
    platform: Flags.string({ helpValue: 'OS/ARCH', summary: 'Which image of an index.' }),
    ...compressFlags,
    ...registryFlags,
  }

  async run() {
    const { args, flags } = await this.parse(Save)
    const library = await this.library()
    // `ply save NAME docker://…`, as push has it elsewhere: only a registry can be told from an image.
    const last = args.images.at(-1)!
    const pushes = flags.output === undefined && args.images.length > 1 && last.startsWith('docker://')
    const images = pushes ? args.images.slice(0, -1) : args.images
    const { output = pushes ? last : '-' } = flags
    const format = flags.format ?? 'docker-archive'
    if (output === '-') await this.claimStdout({ binary: true, instead: 'use -o FILE' })
    if (output === '-' && format === 'oci') {
      throw new library.PlyError('PLY_USAGE', {
        reason: 'a layout is a directory: name it with -o DIR, or use --format oci-archive',
      })
    }
    const isReference = outside.test(output)
    if (!isReference && hasColon(output)) {
      throw new library.PlyError('PLY_USAGE', {
        reason: `-o ${output}: a file name with a colon could not be told from a name for the image; write to one without, or to ${format}:FILE[:NAME:TAG]`,
      })
    }
    if (isReference && flags.format !== undefined) {
      throw new library.PlyError('PLY_USAGE', { reason: `${output} says the format already; leave --format out` })
    }
    // `transport:PATH:NAME`: the path ends at the first colon. What goes to a registry has its name there.
    const stated = isReference && /^(?:docker:|[^:]+:[^:]*:[^@])/.test(output)
    if (stated && images.length > 1) {
      throw new library.PlyError('PLY_USAGE', {
        reason: `${output} names one image; ${output.startsWith('docker:') ? 'save them one by one' : 'leave its name out to save several'}`,
      })
    }
    const saved: Saved[] = []
    const target = isReference ? output : `${format}:${output}`
    const { sink, name } = await this.sink(target)
    this.closing(sink)
    for (const reference of images) {
      const found = await this.image(reference, flags.platform)
      const { image, recompressed } = await this.asCompressed(found, flags, target)
      const as = stated ? undefined : (name ?? (await this.storeName(await this.named(reference))))
      saved.push({ name: as, descriptor: await sink.write(image, as, this.operation), recompressed })
    }
    for (const { descriptor } of saved) this.sayResult(output, descriptor.digest)
    return saved
  }

  /** The digest is the result, except where stdout carries the archive. */
  private sayResult(output: string, digest: string): void {
    if (output === '-') this.say(digest)
    else this.print(digest)
  }
}
