import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import * as Flags from '@oclif/core/flags'
import { pathArg } from '../arguments.ts'
import { type BuildOutput, parseBuildOutput, referencesOf } from '../build-outputs.ts'
import { ImageCommand } from '../image-command.ts'
import type { BuildContext, BuildEvent, BuildOptions, Image, Parcel, Tree } from '../library.ts'
import { registryFlags } from '../registry-flags.ts'
import { requireFlags, unsignedInStore } from '../signature-flags.ts'
import { humanSize } from '../sizes.ts'
import { UsageError } from '../usage-error.ts'

export class Build extends ImageCommand {
  static override summary = 'Build an image from a Dockerfile.'
  static override description =
    'Instructions are those of BuildKit’s frontend. No time of the clock and no name of this machine goes into the image: all times are SOURCE_DATE_EPOCH, or when the image below was made. What was built before is taken from the store as long as it is the same; files are compared by what they hold. RUN takes an OCI runtime (runc or crun), as root or in a user namespace; what runs nothing needs no privileges, and is built for any platform.'
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
  ]
  static override args = {
    context: pathArg(
      'What COPY and ADD take from: a directory (default: this one), a tar, an address of a tar or of a git repository (ADDRESS.git#REF:DIR), or - for a tar or a Dockerfile on stdin.',
    ),
  }
  static override flags = {
    tag: Flags.string({
      char: 't',
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'NAME',
      summary: 'The name of the image; may be said again.',
    }),
    file: Flags.string({
      char: 'f',
      helpValue: 'FILE',
      summary:
        'The Dockerfile; default: CONTEXT/Dockerfile. - is stdin. In a context that is no directory, a path there.',
    }),
    target: Flags.string({ helpValue: 'STAGE', summary: 'The stage to build; default: the last.' }),
    'build-arg': Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'NAME[=VALUE]',
      summary: 'What ARG is to have; without a value that of the environment.',
    }),
    'build-context': Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'NAME=TREE',
      summary: 'What --from=NAME and FROM NAME mean: a directory, or an image by any reference.',
    }),
    label: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'NAME=VALUE',
      summary: 'One more label.',
    }),
    annotation: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'NAME=VALUE',
      summary: 'One more annotation of the manifest.',
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
    squash: Flags.boolean({ summary: 'Make one layer of all that is added to the image below.' }),
    'metadata-file': Flags.string({ helpValue: 'FILE', summary: 'Write digests and names to a file, as JSON.' }),
    secret: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'id=ID,src=FILE',
      summary:
        'What RUN --mount=type=secret gives, from a file or a variable (env=NAME); it goes into no layer and no history.',
    }),
    ssh: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'ID[=SOCKET]',
      summary: 'The agent of RUN --mount=type=ssh; default is that of $SSH_AUTH_SOCK.',
    }),
    runtime: Flags.string({
      helpValue: 'PROGRAM',
      summary: 'runc, crun, or the path of one; the first that is here by default.',
    }),
    iidfile: Flags.string({ helpValue: 'FILE', summary: 'Write the id of the image to a file.' }),
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
    ...registryFlags,
    ...requireFlags,
  }

  async run() {
    const { args, flags } = await this.parse(Build)
    const { build, buildPlatforms, checkBuild, describeImage, openContext, parcelOf } = await this.library()
    const outputs = (flags.output ?? []).map(parseBuildOutput)
    if (flags.push) outputs.push({ type: 'registry', names: [], directory: false })
    const tags = flags.tag ?? []
    const platforms = (flags.platform ?? []).flatMap((one) => one.split(','))
    for (const output of outputs) await this.#checkOutput(output, tags, platforms.length > 1)
    const store = await this.store()
    const buildArgs = this.#args(flags['build-arg'] ?? [])
    const context = this.closing(
      await openContext(store, args.context ?? '.', {
        file: flags.file,
        input: this.world.stdin,
        keepGitDirectory: /^(?:1|true)$/i.test(buildArgs.BUILDKIT_CONTEXT_KEEP_GIT_DIR ?? ''),
        ...this.operation,
      }),
    )
    const options: BuildOptions = {
      ...inputsOf(context),
      contexts: await this.#contexts(flags['build-context'] ?? []),
      target: flags.target,
      args: buildArgs,
      labels: pairs('--label', flags.label ?? []),
      annotations: pairs('--annotation', flags.annotation ?? []),
      platform: platforms[0],
      squash: flags.squash,
      noCache: flags['no-cache-filter'] ?? flags['no-cache'],
      explainCache: flags['explain-cache'],
      secrets: Object.fromEntries((flags.secret ?? []).map((text) => this.#secret(text))),
      agents: Object.fromEntries((flags.ssh ?? []).map((text) => this.#agent(text))),
      runtime: flags.runtime,
      opening: this.storeOptions,
      resolve: (name, platform) => this.#base(name, platform),
      onEvent: (event) => this.#show(event),
      ...this.operation,
    }
    if (flags.check) {
      const found = await checkBuild(store, options)
      for (const { rule, line, text } of found) this.print(`${context.file}:${line}: ${rule}: ${text}`)
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

  /** An image of the store, by a reference, or of a registry. Where it has to be signed, one that is in the store will not do. */
  async #base(name: string, platform?: string): Promise<Image> {
    if ((await this.required()) !== undefined) return this.#signedBase(name, platform)
    const { codeOf } = await this.library()
    try {
      return await this.image(name, platform)
    } catch (error) {
      if (codeOf(error) !== 'PLY_IMAGE_NOT_FOUND' || /^[a-z-]+:(?:\.|\/)/.test(name)) throw error
      return await this.image(`docker://${name}`, platform)
    }
  }

  /**
   * A name with a registry is asked for there, whatever the store has under it; one without may be meant for the store, and is asked for
   * elsewhere only if the store has none. @throws PLY_UNSIGNED
   */
  async #signedBase(name: string, platform?: string): Promise<Image> {
    const { codeOf, splitReference } = await this.library()
    const { transport, details } = splitReference(await this.named(name))
    if (transport !== 'store') return this.image(name, platform)
    const saysStore = name.startsWith('store:')
    if (!saysStore && /^(?:[^/]*[.:][^/]*|localhost)\//.test(details)) return this.image(`docker://${name}`, platform)
    const store = await this.store()
    try {
      await store.image(details, { ...(platform !== undefined && { platform }), ...this.operation })
    } catch (error) {
      if (codeOf(error) === 'PLY_IMAGE_NOT_FOUND' && !saysStore) return this.image(`docker://${name}`, platform)
      if (codeOf(error) !== 'PLY_PLATFORM_NOT_FOUND') throw error
    }
    throw await unsignedInStore(details, this.library())
  }

  async #contexts(said: readonly string[]): Promise<Record<string, Tree | Image>> {
    const { contextTree, codeOf } = await this.library()
    const store = await this.store()
    const contexts: Record<string, Tree | Image> = {}
    for (const [name, value] of Object.entries(pairs('--build-context', said))) {
      try {
        const tree = contextTree(value, { digests: store.fileDigests })
        this.atEnd(() => tree.close())
        contexts[name] = tree
      } catch (error) {
        if (codeOf(error) !== 'ENOENT') throw error
        const [, image] = /^docker-image:\/\/(.*)$/.exec(value) ?? []
        contexts[name] = image === undefined ? await this.image(value) : await this.#base(image)
      }
    }
    return contexts
  }

  #args(said: readonly string[]): Record<string, string> {
    const given: Record<string, string> = {}
    for (const text of said) {
      const [, name = '', value] = /^([^=]+)(?:=(.*))?$/s.exec(text) ?? []
      if (name === '') throw new UsageError(`--build-arg ${text}: write NAME=VALUE`)
      const meant = value ?? this.world.environment[name]
      if (meant !== undefined) given[name] = meant
    }
    return given
  }

  #secret(text: string): readonly [string, Uint8Array] {
    const fields = new Map(
      text.split(',').map((part) => [part.split('=', 1)[0]!, part.slice(part.indexOf('=') + 1)] as const),
    )
    const source = fields.get('src') ?? fields.get('source')
    const variable = fields.get('env')
    const id = fields.get('id') ?? variable
    const value = variable === undefined ? undefined : this.world.environment[variable]
    if (id === undefined || (source === undefined && value === undefined))
      throw new UsageError(`--secret ${text}: write id=ID,src=FILE or id=ID,env=NAME`)
    return [id, source === undefined ? Buffer.from(value!) : readFileSync(source)]
  }

  #agent(text: string): readonly [string, string] {
    const [, id = 'default', socket = this.world.environment.SSH_AUTH_SOCK] = /^([^=]+)(?:=(.+))?$/.exec(text) ?? []
    if (socket === undefined) throw new UsageError(`--ssh ${text}: there is no agent: SSH_AUTH_SOCK is not set`)
    return [id, socket]
  }

  #show(event: BuildEvent): void {
    if (this.quiet) return
    if (event.what === 'output') this.world.stderr.write(Buffer.from(event.chunk).toString())
    if (event.what === 'warning') {
      const { line, rule, text } = event
      this.say(`${line === undefined ? '' : `line ${line}: `}${rule === undefined ? '' : `${rule}: `}${text}`)
    }
    if (event.what !== 'step' || event.state === 'begun') return
    const { platform, step, steps, text, state, size, took = 0, because } = event
    const stage = platform === undefined ? event.stage : `${platform} ${event.stage}`
    const done = state === 'cached' ? 'cached' : state === 'set' ? '' : `${(took / 1000).toFixed(1)} s`
    const more = [done, size === undefined ? '' : humanSize(size), because ?? ''].filter((one) => one !== '').join(', ')
    this.say(`[${stage} ${step}/${steps}] ${text}${more === '' ? '' : ` (${more})`}`)
  }
}

function inputsOf({
  tree,
  ignored,
  dockerfile,
  file,
}: BuildContext): Pick<BuildOptions, 'context' | 'ignored' | 'dockerfile' | 'file'> {
  return { context: tree, ignored, dockerfile, file }
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

function pairs(flag: string, said: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    said.map((text) => {
      const equals = text.indexOf('=')
      if (equals < 1) throw new UsageError(`${flag} ${text}: write NAME=VALUE`)
      return [text.slice(0, equals), text.slice(equals + 1)]
    }),
  )
}
