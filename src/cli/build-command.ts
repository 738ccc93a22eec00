import { readFileSync } from 'node:fs'
import * as Flags from '@oclif/core/flags'
import { pathArg } from './arguments.ts'
import { ImageCommand } from './image-command.ts'
import type { BuildContext, BuildEvent, BuildOptions, Image } from './library.ts'
import { registryFlags } from './registry-flags.ts'
import { requireFlags, unsignedInStore } from './signature-flags.ts'
import { humanSize } from './sizes.ts'
import { UsageError } from './usage-error.ts'

export const buildContextArg = pathArg(
  'What COPY and ADD take from: a directory (default: this one), a tar, an address of a tar or of a git repository (ADDRESS.git#REF:DIR), or - for a tar or a Dockerfile on stdin.',
)

/** What says what is built, and of what. */
export const buildFlags = {
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
  squash: Flags.boolean({ summary: 'Make one layer of all that is added to the image below.' }),
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
    summary: 'runc, crun, bwrap, or the path of one; the first that works by default.',
  }),
  ...registryFlags,
  ...requireFlags,
}

interface BuildFlags {
  readonly file?: string | undefined
  readonly target?: string | undefined
  readonly 'build-arg'?: readonly string[] | undefined
  readonly 'build-context'?: readonly string[] | undefined
  readonly label?: readonly string[] | undefined
  readonly annotation?: readonly string[] | undefined
  readonly squash?: boolean | undefined
  readonly secret?: readonly string[] | undefined
  readonly ssh?: readonly string[] | undefined
  readonly runtime?: string | undefined
}

/** What the commands share that build: what they are told to build, and how they say what happens. */
export abstract class BuildCommand extends ImageCommand {
  /** What the flags say, and what is in the context. */
  protected async inputs(flags: BuildFlags, place = '.'): Promise<BuildOptions> {
    const { openContext } = await this.library()
    const args = this.#args(flags['build-arg'] ?? [])
    const context = this.closing(
      await openContext(await this.store(), place, {
        file: flags.file,
        input: this.world.stdin,
        keepGitDirectory: /^(?:1|true)$/i.test(args.BUILDKIT_CONTEXT_KEEP_GIT_DIR ?? ''),
        ...this.operation,
      }),
    )
    return {
      ...inputsOf(context),
      contexts: await this.#contexts(flags['build-context'] ?? []),
      target: flags.target,
      args,
      labels: pairs('--label', flags.label ?? []),
      annotations: pairs('--annotation', flags.annotation ?? []),
      squash: flags.squash,
      secrets: Object.fromEntries((flags.secret ?? []).map((text) => this.#secret(text))),
      agents: Object.fromEntries((flags.ssh ?? []).map((text) => this.#agent(text))),
      runtime: flags.runtime,
      opening: this.storeOptions,
      resolve: (name, platform) => this.#base(name, platform),
      onEvent: (event) => this.#show(event),
      ...this.operation,
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

  async #contexts(said: readonly string[]): Promise<NonNullable<BuildOptions['contexts']>> {
    const { contextTree, codeOf } = await this.library()
    const store = await this.store()
    const contexts: Record<string, NonNullable<BuildOptions['contexts']>[string]> = {}
    for (const [name, value] of Object.entries(pairs('--build-context', said))) {
      try {
        const tree = contextTree(value, { digests: store.fileDigests })
        this.atEnd(() => tree.close())
        contexts[name] = tree
      } catch (error) {
        if (codeOf(error) !== 'ENOENT') throw error
        const [, image] = /^docker-image:\/\/(.*)$/.exec(value) ?? []
        contexts[name] = (platform) => (image === undefined ? this.image(value, platform) : this.#base(image, platform))
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
    if (this.tellsDocuments) {
      this.#tellEvent(event)
      return
    }
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

  #tellEvent({ what, ...event }: BuildEvent): void {
    this.document(
      what,
      'chunk' in event ? { ...event, chunk: undefined, text: Buffer.from(event.chunk).toString() } : event,
    )
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

function pairs(flag: string, said: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    said.map((text) => {
      const equals = text.indexOf('=')
      if (equals < 1) throw new UsageError(`${flag} ${text}: write NAME=VALUE`)
      return [text.slice(0, equals), text.slice(equals + 1)]
    }),
  )
}
