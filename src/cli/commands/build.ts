import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import * as Flags from '@oclif/core/flags'
import { type CachePlace, parseCachePlace } from '../build-caches.ts'
import { BuildCommand, buildContextArg, buildFlags } from '../build-command.ts'
import { type BuildOutput, parseBuildOutput, referencesOf } from '../build-outputs.ts'
import type { BuildOptions, BuiltSteps, Parcel } from '../library.ts'
import { UsageError } from '../usage-error.ts'

export class Build extends BuildCommand {
  static override summary = 'Build an image from a Dockerfile.'
  static override description =
    'Instructions are those of BuildKit’s frontend. No time of the clock and no name of this machine goes into the image: all times are SOURCE_DATE_EPOCH, or when the image below was made. What was built before is taken from the store as long as it is the same; files are compared by what they hold. RUN takes an OCI runtime (runc or crun) or bubblewrap, as root or in a user namespace; what runs nothing needs no privileges, and is built for any platform.'
  static override examples = [
    { description: 'The Dockerfile of this directory', command: 'ply build -t app:1 .' },
    { description: 'Another file, up to one of its stages', command: 'ply build -f deploy/Dockerfile --target test .' },
    { description: 'For another machine', command: 'ply build --platform linux/arm64 -t app:arm .' },
    {
      description: 'For several machines, into a registry',
      command: 'ply build --platform linux/amd64,linux/arm64 --push -t registry.example.com/app:1 .',
    },
    { description: 'What a stage makes, as files', command: 'ply build --target bin -o ./out .' },
    { description: 'From a repository', command: 'ply build -t app:1 https://git.example.com/app.git#main:server' },
    { description: 'What is odd about a Dockerfile', command: 'ply build --check .' },
    { description: 'Why a step was built again', command: 'ply build --explain-cache .' },
    {
      description: 'With what another machine built',
      command: 'ply build --cache-from registry.example.com/app:cache .',
    },
  ]
  static override args = {
    context: buildContextArg,
  }
  static override flags = {
    tag: Flags.string({
      char: 't',
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'NAME',
      summary: 'The name of the image; may be said again.',
    }),
    platform: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'OS/ARCH[,...]',
      summary: 'What machine the image is for; this one by default. Of several comes an index.',
    }),
    check: Flags.boolean({
      summary:
        'Build nothing: say what is odd about the Dockerfile, by the names of BuildKit’s checks. Exit code 1 if there is something.',
    }),
    output: Flags.string({
      char: 'o',
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'type=TYPE,dest=PATH',
      summary:
        'Where it goes beside the store: oci, docker and tar are files (- is stdout), local is a directory, registry goes by the names of -t. A path alone is local.',
    }),
    push: Flags.boolean({ summary: 'The same as -o type=registry.' }),
    'metadata-file': Flags.string({ helpValue: 'FILE', summary: 'Write digests and names to a file, as JSON.' }),
    iidfile: Flags.string({ helpValue: 'FILE', summary: 'Write the id of the image to a file.' }),
    jobs: Flags.integer({
      min: 1,
      helpValue: 'N',
      summary: 'So many commands and layers at once; by default as many as need nothing of each other.',
    }),
    'no-cache': Flags.boolean({ summary: 'Take nothing that was built before.' }),
    'no-cache-filter': Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'STAGE',
      summary: 'Take nothing that was built before for this stage.',
    }),
    'explain-cache': Flags.boolean({
      summary: 'Say of each step that is built why it could not be taken from before.',
    }),
    'cache-from': Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'type=local,src=DIR',
      summary:
        'Take what other builds have made from there: a directory that --cache-to has written, type=registry,ref=HOST/NAME:TAG, or a reference by itself. What cannot be reached is a warning.',
    }),
    'cache-to': Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'type=local,dest=DIR',
      summary:
        'Write what this build has made there, for other machines: type=local, type=registry, or a reference; mode=max with all stages, and not only the layers of the result.',
    }),
    ...buildFlags,
  }

  async run() {
    const { args, flags } = await this.parse(Build)
    const { build, BuiltSteps, buildPlatforms, checkBuild, describeImage, openBuildCache, parcelOf } =
      await this.library()
    const outputs = (flags.output ?? []).map(parseBuildOutput)
    if (flags.push) outputs.push({ type: 'registry', names: [], directory: false })
    const cachesTo = (flags['cache-to'] ?? []).map((text) => parseCachePlace('--cache-to', text))
    const cachesFrom = (flags['cache-from'] ?? []).map((text) => parseCachePlace('--cache-from', text))
    const caches = cachesFrom.map(({ reference }) =>
      this.closing(openBuildCache(reference, { registry: this.registry, ...this.operation })),
    )
    const steps = cachesTo.length > 0 ? new BuiltSteps() : undefined
    const tags = flags.tag ?? []
    const platforms = (flags.platform ?? []).flatMap((one) => one.split(','))
    for (const output of outputs) await this.#checkOutput(output, tags, platforms.length > 1)
    const store = await this.store()
    const inputs = await this.inputs(flags, args.context)
    const options: BuildOptions = {
      ...inputs,
      platform: platforms[0],
      noCache: flags['no-cache-filter'] ?? flags['no-cache'],
      explainCache: flags['explain-cache'],
      jobs: flags.jobs,
      caches,
      made: steps,
    }
    if (flags.check) {
      const found = await checkBuild(store, options)
      for (const { rule, line, text } of found) this.print(`${inputs.file}:${line}: ${rule}: ${text}`)
      this.negative = found.length > 0
      return found
    }
    const parcel: Parcel =
      platforms.length > 1
        ? await buildPlatforms(store, { ...options, platforms })
        : parcelOf(await build(store, options))
    if (parcel.is === 'index' && tags.length === 0) await store.writeParcel(parcel, undefined, this.operation)
    for (const name of tags) await store.writeParcel(parcel, name, this.operation)
    for (const output of outputs) await this.#put(parcel, output, tags)
    const { digest } = parcel.descriptor
    const id = parcel.is === 'index' ? digest : parcel.manifest.config.digest
    if (flags.iidfile !== undefined) writeFileSync(flags.iidfile, id)
    if (flags['metadata-file'] !== undefined) writeFileSync(flags['metadata-file'], metadataOf(parcel, tags))
    const line = this.quiet ? id : digest
    if (outputs.some(({ dest }) => dest === '-')) this.say(line)
    else this.print(line)
    for (const place of cachesTo) await this.#writeCache(steps!, place)
    if (parcel.is === 'manifest') return describeImage(parcel.image!)
    return { digest, mediaType: parcel.descriptor.mediaType, manifests: parcel.index.manifests }
  }

  /** What cannot be written is said before anything is built. */
  async #checkOutput(output: BuildOutput, tags: readonly string[], several: boolean): Promise<void> {
    referencesOf(output, tags)
    if (output.dest === '-') await this.claimStdout({ binary: true, instead: 'name a file' })
    if (several && ['docker', 'tar'].includes(output.type))
      throw new UsageError(`type=${output.type} holds one image: use oci or registry, or build one platform`)
    if (several && output.compress !== undefined)
      throw new UsageError('compression is for one platform: write them to the store, and use ply recompress')
  }

  async #put(parcel: Parcel, output: BuildOutput, tags: readonly string[]): Promise<void> {
    const { copyWhole, parcelOf, copy, manifestsIn } = await this.library()
    if (output.type === 'local' && parcel.is === 'index') {
      for (const { image } of manifestsIn(parcel)) {
        const { os, architecture, variant } = image!.config
        const dest = `${output.dest}/${[os, architecture, variant].filter(Boolean).join('_')}`
        await this.#put(parcelOf(image!), { ...output, dest }, tags)
      }
      return
    }
    const names = output.names.length > 0 ? output.names : tags
    const as = ['oci', 'docker'].includes(output.type) ? names[0] : undefined
    if (output.type === 'local') mkdirSync(dirname(output.dest!), { recursive: true })
    for (const reference of referencesOf(output, tags)) {
      const { sink } = await this.sink(reference)
      this.closing(sink)
      if (parcel.is === 'index') {
        await copyWhole(parcel, sink, { as, ...this.operation })
        continue
      }
      const form = { compress: output.compress, 'compress-level': output.level }
      const { image } = await this.asCompressed(parcel.image!, form, reference)
      await copy(image, sink, { as, ...this.operation })
    }
  }

  /** The image is stored and said by then: what fails now is the cache alone. */
  async #writeCache(steps: BuiltSteps, { reference, ignoreError, ...form }: CachePlace): Promise<void> {
    const { writeBuildCache, codeOf } = await this.library()
    try {
      await writeBuildCache(steps, reference, { ...form, registry: this.registry, ...this.operation })
    } catch (error) {
      if (!ignoreError || [undefined, 'PLY_ABORTED'].includes(codeOf(error))) throw error
      this.say(`the cache ${reference} could not be written: ${(error as Error).message}`)
    }
  }
}

/** As BuildKit's clients write it. */
function metadataOf(parcel: Parcel, tags: readonly string[]): string {
  const { digest, mediaType, size } = parcel.descriptor
  const metadata = {
    ...(parcel.is === 'manifest' && { 'containerimage.config.digest': parcel.manifest.config.digest }),
    'containerimage.descriptor': { mediaType, digest, size },
    'containerimage.digest': digest,
    ...(tags.length > 0 && { 'image.name': tags.join(',') }),
  }
  return `${JSON.stringify(metadata, undefined, 2)}\n`
}
