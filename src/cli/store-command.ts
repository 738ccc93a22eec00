import type { Interfaces } from '@oclif/core'
import { Command } from '@oclif/core/command'
import * as Flags from '@oclif/core/flags'
import { contentOf } from './copy-out.ts'
import type { ExitCode } from './exit-codes.ts'
import { jsonText } from './json.ts'
import type { Image, Library, Operation, Store, StoredImage, Tree, WriteOptions } from './library.ts'
import { Output, OutputClosed } from './output.ts'
import { pathInContainer, treeTransports } from './places.ts'
import { chooseStyle, type ProgressRenderer, type ProgressStyle, progressRenderer, progressStyles } from './progress.ts'
import type { World } from './world.ts'

/** What oclif's parser makes of flags and arguments. */
type Parsed = Record<string, unknown>

interface Settings {
  readonly root?: string | undefined
  readonly 'any-owner'?: boolean
  readonly 'no-durable'?: boolean
  readonly below?: readonly string[] | undefined
  readonly quiet?: boolean
  readonly progress?: ProgressStyle
}

/**
 * What all commands share: the flags that mean the same everywhere, the store, progress, and output. A command parses,
 * makes one call, prints, and returns the value that `--json` shows. What it opens through here is closed when it ends,
 * the last first, whether it succeeds or not.
 */
export abstract class StoreCommand extends Command {
  static override enableJsonFlag = true

  static override baseFlags = {
    quiet: Flags.boolean({ char: 'q', helpGroup: 'global', summary: 'Print ids only, and no progress.' }),
    root: Flags.string({
      env: 'PLY_ROOT',
      helpGroup: 'global',
      helpValue: 'DIR',
      summary: 'The store; by default $XDG_DATA_HOME/ply or ~/.local/share/ply.',
    }),
    'any-owner': Flags.boolean({
      env: 'PLY_ANY_OWNER',
      helpGroup: 'global',
      summary: 'Open the store even if it belongs to another user, who then decides what you read.',
    }),
    below: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      helpGroup: 'global',
      helpValue: 'DIR',
      summary:
        'A store below, of which only is read; may be said again. By default those in $PLY_STORES_BELOW, with colons between them.',
    }),
    'no-durable': Flags.boolean({
      helpGroup: 'global',
      summary:
        'If there is no store yet, make one that syncs nothing: faster, and worth nothing after a loss of power.',
    }),
    json: Flags.boolean({
      helpGroup: 'global',
      summary: 'Print the result as JSON: sizes in bytes, times as RFC 3339.',
    }),
    progress: Flags.option({
      options: progressStyles,
      default: 'auto' as ProgressStyle,
      env: 'PLY_PROGRESS',
      helpGroup: 'global',
      summary: 'How to show progress on stderr.',
    })(),
  }

  /** Set by a command whose answer is no: exit code 1. */
  protected negative = false
  /** Set by a command that found damage and has told it: exit code 4. */
  protected damaged = false
  #world: World | undefined
  #output: Output | undefined
  #settings: Settings = {}
  #renderer: ProgressRenderer | undefined
  #store: Promise<Store> | undefined
  readonly #open: (() => unknown)[] = []

  /** Runs the command in a world and answers with its exit code. @throws whatever went wrong */
  async execute(world: World): Promise<ExitCode> {
    this.#world = world
    this.#output = new Output(world.stdout, () => this.#renderer?.stop())
    try {
      const result: unknown = await this.run()
      this.#renderer?.stop()
      if (this.jsonEnabled()) this.#output.print(jsonText(result))
      await this.#output.end()
      return this.damaged ? 4 : this.negative ? 1 : 0
    } catch (error) {
      // What was done before the failure was done: its lines are not held back.
      if (!this.jsonEnabled() && !(error instanceof OutputClosed)) await this.#output.room().catch(() => {})
      throw error
    } finally {
      this.#renderer?.stop()
      for (const close of this.#open.reverse()) await close()
    }
  }

  protected override async parse<F extends Parsed, B extends Parsed, A extends Parsed>(
    options?: Interfaces.Input<F, B, A>,
    argv?: string[],
  ): Promise<Interfaces.ParserOutput<F, B, A>> {
    const parsed = await super.parse<F, B, A>(options, argv)
    this.#settings = parsed.flags as Settings
    return parsed
  }

  protected get world(): World {
    if (this.#world === undefined) throw new Error('a command runs by execute()')
    return this.#world
  }

  protected get output(): Output {
    if (this.#output === undefined) throw new Error('a command runs by execute()')
    return this.#output
  }

  protected get quiet(): boolean {
    return this.#settings.quiet === true
  }

  /** One line of the result; nothing with `--json`. */
  protected print(line: string): void {
    if (!this.jsonEnabled()) this.output.print(line)
  }

  /** Many lines, as fast as the reader takes them. */
  protected async printAll(lines: Iterable<string>): Promise<void> {
    for (const line of lines) {
      this.print(line)
      if (this.output.full) await this.output.room()
    }
  }

  /** A line for people on stderr; nothing with `-q`. */
  protected say(line: string): void {
    if (this.quiet) return
    this.#renderer?.stop()
    this.world.stderr.write(`${line}\n`)
  }

  /** Content and `--json` cannot share stdout, and content does not go to a terminal unasked. @throws PLY_USAGE */
  protected async claimStdout(options: { readonly binary: boolean; readonly instead: string }): Promise<void> {
    const { PlyError } = await this.library()
    if (this.jsonEnabled())
      throw new PlyError('PLY_USAGE', { reason: `--json and content cannot share stdout; ${options.instead}` })
    if (options.binary && this.output.isTerminal) {
      throw new PlyError('PLY_USAGE', { reason: `not writing an archive to a terminal; ${options.instead}` })
    }
  }

  /** The library, loaded when it is first needed: help and usage errors do without. */
  protected library(): Promise<Library> {
    return import('../index.ts')
  }

  /** Where signals and progress go; the last argument of every long call. */
  protected get operation(): Required<Operation> {
    this.#renderer ??= this.#chooseRenderer()
    return { signal: this.world.signal, onProgress: this.#renderer.show }
  }

  /** The store of `--root`, opened once. */
  protected store(): Promise<Store> {
    this.#store ??= this.library()
      .then(({ openStore }) => {
        const { root, below, 'any-owner': anyOwner = false, 'no-durable': hasty = false } = this.#settings
        const fromEnvironment = this.world.environment.PLY_STORES_BELOW?.split(':').filter((path) => path !== '')
        return openStore(root, { anyOwner, durable: !hasty, below: below ?? fromEnvironment })
      })
      .then((store) => this.closing(store))
    return this.#store
  }

  /** A tree by its name: `debian:12`, `container:work`, `oci:dir:tag`, `rootfs:dir`, … */
  protected async tree(text: string): Promise<Tree> {
    const { openTree, PlyError } = await this.library()
    try {
      const reference = await this.named(text)
      const store = await this.#storeFor(reference)
      const tree = await openTree(reference, { ...(store && { store }), ...this.operation })
      this.#open.push(() => tree.close())
      return tree
    } catch (error) {
      if (!(error instanceof PlyError) || error.code !== 'PLY_UNKNOWN_TRANSPORT') throw error
      throw new PlyError(error.code, { ...error.details, known: treeTransports.join(', ') }, { cause: error })
    }
  }

  /** Two trees. What the store knows of a directory's files is asked only if the store is open: the other one comes first. */
  protected async trees(first: string, second: string): Promise<readonly [Tree, Tree]> {
    const other = first.startsWith('rootfs:') ? await this.tree(second) : undefined
    return [await this.tree(first), other ?? (await this.tree(second))]
  }

  /**
   * A path in a tree, from what the command line says: `debian:12 /etc`, or `work:/etc` for one in a container. Without a
   * path it is the root. @throws PLY_USAGE for a path said twice
   */
  protected async place(
    text: string,
    path: string | undefined,
  ): Promise<{ readonly tree: Tree; readonly path: string }> {
    const inside = pathInContainer(text)
    if (inside === undefined) return { tree: await this.tree(text), path: path ?? '/' }
    if (path !== undefined) {
      const { PlyError } = await this.library()
      const reason = `${text} is a path already; say it once: ${text}, or container:${inside.container} ${path}`
      throw new PlyError('PLY_USAGE', { reason })
    }
    return { tree: await this.tree(`container:${inside.container}`), path: inside.path }
  }

  /** As `place`, where a path has to be said. @throws PLY_USAGE */
  protected async placeIn(
    text: string,
    path: string | undefined,
  ): Promise<{ readonly tree: Tree; readonly path: string }> {
    if (path === undefined && pathInContainer(text) === undefined) {
      const { PlyError } = await this.library()
      const reason = `missing: PATH; write ply ${this.id} ${text} /path, or ply ${this.id} work:/path for a container`
      throw new PlyError('PLY_USAGE', { reason })
    }
    return this.place(text, path)
  }

  /** An image by its name in the store or by a reference. */
  protected async image(text: string, platform?: string, { lenient, limits }: WriteOptions = {}): Promise<Image> {
    const { openSource, splitReference } = await this.library()
    const reference = await this.named(text)
    const options = { ...(platform !== undefined && { platform }), ...this.operation }
    const { transport, details } = splitReference(reference)
    if (transport === 'store') return (await this.store()).image(details, options)
    const source = this.closing(await openSource(reference, { input: this.world.stdin, lenient, limits, ...options }))
    return source.image(undefined, options)
  }

  /**
   * A name in the store for an id as `ply images` shows it, or the start of one; any other text as it is. A name that
   * looks like an id is a name. @throws PLY_AMBIGUOUS if several images' ids start so
   */
  protected async named(text: string): Promise<string> {
    const found = await this.#withId(text, (image) => [image.config])
    return found?.[0]?.name ?? text
  }

  /**
   * The one name of an image, by an id as `ply images` shows it, by the digest of its manifest, or by the start of either;
   * any other text as it is. @throws PLY_IMAGE_NOT_FOUND; PLY_USAGE if it has several names; PLY_AMBIGUOUS as `named`
   */
  protected async onlyName(text: string): Promise<string> {
    const found = await this.#withId(text, (image) => [image.config, image.digest])
    if (found === undefined) return text
    if (found.length === 1) return found[0]!.name
    const { PlyError } = await this.library()
    if (found.length === 0) throw new PlyError('PLY_IMAGE_NOT_FOUND', { name: text, where: (await this.store()).root })
    const names = found.map(({ name }) => name)
    const reason = `the image ${text} has several names; say which to remove: ${names.join(' ')}`
    throw new PlyError('PLY_USAGE', { reason, names })
  }

  /** The content of a file on stdout. `path` is for the message. @throws EISDIR, EINVAL if it is no file */
  protected async writeContent(tree: Tree, ino: number, path: string): Promise<void> {
    const { kind } = tree.stat(ino)
    if (kind !== 'file') {
      const { PlyError } = await this.library()
      throw new PlyError(kind === 'directory' ? 'EISDIR' : 'EINVAL', { syscall: 'read', path })
    }
    for (const chunk of contentOf(tree, ino)) await this.output.write(chunk)
  }

  /** Sees to it that something is closed when the command ends. */
  protected closing<T extends AsyncDisposable>(held: T): T {
    this.#open.push(() => held[Symbol.asyncDispose]())
    return held
  }

  /** The names of the image one of whose ids starts so; `undefined` for a text that is no id, or is a name. */
  async #withId(
    text: string,
    idsOf: (image: StoredImage) => readonly (string | undefined)[],
  ): Promise<readonly StoredImage[] | undefined> {
    const start = /^(?:sha256:)?([0-9a-f]{4,64})$/.exec(text)?.[1]
    if (start === undefined) return undefined
    const images = await (await this.store()).images()
    if (images.some(({ name }) => name === text || name === `${text}:latest`)) return undefined
    const found = images.filter((image) => idsOf(image).some((id) => id?.startsWith(`sha256:${start}`)))
    if (new Set(found.map(({ config, digest }) => config ?? digest)).size > 1) {
      const { PlyError } = await this.library()
      throw new PlyError('PLY_AMBIGUOUS', { where: text, available: found.map(({ name }) => name).join(', ') })
    }
    return found
  }

  /** The store, where a reference is about it: reading an archive leaves no store behind. */
  async #storeFor(reference: string): Promise<Store | undefined> {
    const { splitReference } = await this.library()
    const { transport } = splitReference(reference)
    return transport === 'store' || transport === 'container' ? this.store() : this.#store
  }

  #chooseRenderer(): ProgressRenderer {
    const { stderr, environment } = this.world
    const style = this.quiet ? 'none' : chooseStyle(this.#settings.progress ?? 'auto', stderr, environment)
    return progressRenderer(style, stderr)
  }
}
