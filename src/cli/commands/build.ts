import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as Flags from '@oclif/core/flags'
import { pathArg } from '../arguments.ts'
import type { BuildEvent, Image, Tree } from '../library.ts'
import { registryFlags } from '../registry-flags.ts'
import { requireFlags, unsignedInStore } from '../signature-flags.ts'
import { humanSize } from '../sizes.ts'
import { StoreCommand } from '../store-command.ts'
import { UsageError } from '../usage-error.ts'

export class Build extends StoreCommand {
  static override summary = 'Build an image from a Dockerfile.'
  static override description =
    'Instructions are those of BuildKit’s frontend. No time of the clock and no name of this machine goes into the image: all times are SOURCE_DATE_EPOCH, or when the image below was made. What was built before is taken from the store as long as it is the same; files are compared by what they hold. RUN takes an OCI runtime (runc or crun), as root or in a user namespace; what runs nothing needs no privileges, and is built for any platform.'
  static override examples = [
    { description: 'The Dockerfile of this directory', command: 'ply build -t app:1 .' },
    { description: 'Another file, up to one of its stages', command: 'ply build -f deploy/Dockerfile --target test .' },
    { description: 'For another machine', command: 'ply build --platform linux/arm64 -t app:arm .' },
    { description: 'Why a step was built again', command: 'ply build --explain-cache .' },
  ]
  static override args = { context: pathArg('The directory that COPY and ADD take from; default: this one.') }
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
      summary: 'The Dockerfile; default: CONTEXT/Dockerfile. - is stdin.',
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
    platform: Flags.string({ helpValue: 'OS/ARCH', summary: 'What machine the image is for; this one by default.' }),
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
    const { build, contextTree, describeImage } = await this.library()
    const directory = args.context ?? '.'
    const path = flags.file === '-' ? undefined : (flags.file ?? join(directory, 'Dockerfile'))
    const dockerfile = path === undefined ? await this.#stdin() : read(path)
    const store = await this.store()
    const context = contextTree(directory, { dockerfile: path, digests: store.fileDigests })
    this.atEnd(() => context.close())
    const image = await build(store, {
      dockerfile,
      file: path ?? 'stdin',
      context,
      contexts: await this.#contexts(flags['build-context'] ?? []),
      target: flags.target,
      args: this.#args(flags['build-arg'] ?? []),
      labels: pairs('--label', flags.label ?? []),
      annotations: pairs('--annotation', flags.annotation ?? []),
      platform: flags.platform,
      noCache: flags['no-cache-filter'] ?? flags['no-cache'],
      explainCache: flags['explain-cache'],
      secrets: Object.fromEntries((flags.secret ?? []).map((text) => this.#secret(text))),
      agents: Object.fromEntries((flags.ssh ?? []).map((text) => this.#agent(text))),
      runtime: flags.runtime,
      opening: this.storeOptions,
      resolve: (name, platform) => this.#base(name, platform),
      onEvent: (event) => this.#show(event),
      ...this.operation,
    })
    for (const name of flags.tag ?? []) await store.write(image, name, this.operation)
    const { digest } = image.manifest.config
    if (flags.iidfile !== undefined) writeFileSync(flags.iidfile, digest)
    this.print(this.quiet ? digest : image.digest)
    return describeImage(image)
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
    if (event.what === 'warning') this.say(event.line === undefined ? event.text : `line ${event.line}: ${event.text}`)
    if (event.what !== 'step' || event.state === 'begun') return
    const { stage, step, steps, text, state, size, took = 0, because } = event
    const done = state === 'cached' ? 'cached' : state === 'set' ? '' : `${(took / 1000).toFixed(1)} s`
    const more = [done, size === undefined ? '' : humanSize(size), because ?? ''].filter((one) => one !== '').join(', ')
    this.say(`[${stage} ${step}/${steps}] ${text}${more === '' ? '' : ` (${more})`}`)
  }

  async #stdin(): Promise<string> {
    const chunks: Uint8Array[] = []
    for await (const chunk of this.world.stdin) chunks.push(chunk as Uint8Array)
    return Buffer.concat(chunks).toString()
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ENOENT') throw error
    throw new UsageError(`there is no ${path}: name the Dockerfile with -f, or the directory that holds it`)
  }
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
