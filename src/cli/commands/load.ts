import * as Flags from '@oclif/core/flags'
import { pathArg } from '../arguments.ts'
import { ImageCommand } from '../image-command.ts'
import { importFlags } from '../import-flags.ts'
import type { LayerReport, Listed } from '../library.ts'
import { registryFlags } from '../registry-flags.ts'
import { requireFlags } from '../signature-flags.ts'

interface Loaded extends Listed {
  readonly layers: readonly LayerReport[]
}

export class Load extends ImageCommand {
  static override summary = 'Take the images of an archive or a layout, or one of a registry, into the store.'
  static override description =
    'What the file is (docker-archive, oci-archive, OCI layout; compressed or not) is found by its content. All its images are loaded, under the names they have there; of a reference (oci:DIR:TAG) the one it names. Digests are checked on the way, layers are read by the rules of docs/layer-semantics.md, what is odd is a warning, and nothing is stored of what fails.'
  static override examples = [
    { description: 'What docker save or podman save wrote', command: 'ply load debian.tar' },
    { description: 'From a pipe', command: 'docker save debian:12 | ply load -' },
    {
      description: 'One image of an OCI layout, under another name',
      command: 'ply load oci:./out:latest -t debian:12',
    },
    { description: 'From a registry', command: 'ply load docker://registry.example.com/team/app:1' },
    {
      description: 'Nothing that is odd, and what was found in a file',
      command: 'ply load debian.tar --strict --report found.json',
    },
  ]
  static override args = { source: pathArg('A file, a directory, a reference, or - for stdin (the default).') }
  static override flags = {
    input: Flags.string({ char: 'i', helpValue: 'FILE', summary: 'The same as the argument, as docker load has it.' }),
    tag: Flags.string({ char: 't', helpValue: 'NAME', summary: 'The name in the store, where there is one image.' }),
    platform: Flags.string({ helpValue: 'OS/ARCH', summary: 'Which image of an index.' }),
    ...importFlags,
    ...registryFlags,
    ...requireFlags,
  }

  async run() {
    const { args, flags } = await this.parse(Load)
    const { PlyError } = await this.library()
    if (args.source !== undefined && flags.input !== undefined) {
      throw new PlyError('PLY_USAGE', { reason: 'name what to load once: as the argument or with -i' })
    }
    const text = flags.input ?? args.source ?? '-'
    if (text === '-' && this.world.stdinIsTerminal) {
      throw new PlyError('PLY_USAGE', { reason: 'nothing to load: name a file, or send an archive to stdin' })
    }
    return this.reporting(flags, async () => {
      const judgement = await this.judgement(flags)
      const store = await this.store()
      const loaded: Loaded[] = []
      for await (const { image, name, source } of this.imagesOf(text, flags.platform, judgement)) {
        if (flags.tag !== undefined && loaded.length > 0) {
          throw new PlyError('PLY_USAGE', {
            reason: `${text} holds several images: -t can name one; choose it with a reference such as oci:DIR:TAG`,
          })
        }
        const as = flags.tag ?? name
        const { descriptor, layers } = await this.take({
          name: as,
          write: (options) => store.write(image, as, { ...options, source }),
        })
        loaded.push({ name: as, descriptor, layers })
        this.printResult(this.quiet ? descriptor.digest : `${as ?? '<none>'} ${descriptor.digest}`)
      }
      return loaded
    })
  }
}
