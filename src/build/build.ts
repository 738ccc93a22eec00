import {
  badDockerfile,
  type Dockerfile,
  expandWord,
  parseDockerfile,
  type Stage,
  stageNamed,
  targetOf,
} from '../dockerfile/index.ts'
import { scratch } from '../image/append.ts'
import { configure } from '../image/configure.ts'
import type { Image } from '../image/image.ts'
import { PlyError } from '../model/errors.ts'
import { formatPlatform, parsePlatform, thisPlatform } from '../model/platform.ts'
import type { Tree } from '../stack/tree.ts'
import { buildGround } from '../store/builds/ground.ts'
import type { Store } from '../store/store.ts'
import { removeAbandoned } from './execute.ts'
import type { BuildOptions } from './options.ts'
import { globalScope, platformArguments, proxyArguments, Scope } from './scope.ts'
import { buildStage } from './stage.ts'

/**
 * Builds a Dockerfile in a store: the stages that its target needs, those that need nothing of each other side by side. Nothing has the
 * time of the clock or the name of the machine: the same input gives the same image. The image has no name: `Store.write` gives it one.
 *
 * @throws PLY_BAD_DOCKERFILE naming the line; PLY_ABORTED; what the disk says
 */
export async function build(store: Store, options: BuildOptions): Promise<Image> {
  const dockerfile = parseDockerfile(options.dockerfile, options.file)
  using _ = await store[buildGround].hold(options)
  await removeAbandoned(store)
  await using building = new Building(store, dockerfile, options)
  return building.run()
}

/** What a stage on nothing begins with, as BuildKit has it. */
const nothing = { workingDir: '/', env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' } }

class Building implements AsyncDisposable {
  readonly #store: Store
  readonly #dockerfile: Dockerfile
  readonly #options: BuildOptions
  readonly #given: ReadonlyMap<string, string>
  readonly #platform: string
  readonly #globals: ReadonlyMap<string, string>
  readonly #stages = new Map<number, Promise<Image>>()
  readonly #trees: Tree[] = []
  readonly #stopped = new AbortController()

  constructor(store: Store, dockerfile: Dockerfile, options: BuildOptions) {
    this.#store = store
    this.#dockerfile = dockerfile
    this.#options = options
    this.#given = new Map(Object.entries(options.args ?? {}))
    const target = options.platform === undefined ? thisPlatform() : parsePlatform(options.platform)
    this.#platform = formatPlatform(target)
    this.#globals = this.#placed(dockerfile.globals[0]?.instruction.line ?? 1, () =>
      globalScope(dockerfile, this.#given, platformArguments(target, thisPlatform())),
    )
  }

  async run(): Promise<Image> {
    const { labels = {}, annotations = {} } = this.#options
    const target = targetOf(this.#dockerfile, this.#options.target)
    try {
      const image = await this.#stage(target)
      const finished = configure(image, {
        ...(Object.keys(labels).length > 0 && { labels }),
        ...(Object.keys(annotations).length > 0 && { annotations }),
      })
      return await this.#store[buildGround].keep(finished, this.#options)
    } catch (error) {
      this.#stopped.abort(error)
      await Promise.allSettled(this.#stages.values())
      throw error
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const tree of this.#trees) tree.close()
  }

  #stage(stage: Stage): Promise<Image> {
    let built = this.#stages.get(stage.number)
    if (built === undefined) {
      built = this.#build(stage)
      this.#stages.set(stage.number, built)
      built.catch((error) => this.#stopped.abort(error))
    }
    return built
  }

  async #build(stage: Stage): Promise<Image> {
    const { noCache = false, explainCache = false, signal, onProgress, onEvent, context } = this.#options
    // What is needed later is begun now.
    for (const other of this.#needs(stage)) void this.#stage(other)
    const base = await this.#base(stage)
    const skipped = Array.isArray(noCache)
      ? noCache.some((name) => stageNamed(this.#dockerfile.stages, name) === stage)
      : noCache
    const operation = {
      signal: signal === undefined ? this.#stopped.signal : AbortSignal.any([signal, this.#stopped.signal]),
      onProgress,
    }
    return buildStage({
      store: this.#store,
      dockerfile: this.#dockerfile,
      stage,
      base,
      scope: new Scope({
        escape: this.#dockerfile.directives.escapeToken,
        given: this.#given,
        globals: this.#globals,
        environment: base.config.config?.Env ?? [],
      }),
      epoch: this.#epochOf(base),
      cached: skipped !== true,
      explain: explainCache,
      context,
      treeOf: (name) => this.#treeOf(name, stage),
      secrets: this.#options.secrets ?? {},
      agents: this.#options.agents ?? {},
      proxies: proxyArguments.flatMap((name) => (this.#given.has(name) ? [`${name}=${this.#given.get(name)}`] : [])),
      runtime: this.#options.runtime,
      opening: this.#options.opening ?? {},
      tell: (event) => onEvent?.(event),
      operation,
    })
  }

  /** The stages that a stage copies from. */
  #needs({ steps, number }: Stage): Stage[] {
    const names = steps.flatMap(({ meaning }) =>
      meaning.is === 'copy'
        ? (meaning.from ?? [])
        : meaning.is === 'run'
          ? meaning.mounts.flatMap(({ from }) => from ?? [])
          : [],
    )
    return names.flatMap((name) =>
      this.#options.contexts?.[name] ? [] : (stageNamed(this.#dockerfile.stages, name, number) ?? []),
    )
  }

  async #base(stage: Stage): Promise<Image> {
    const { instruction, meaning } = stage.from
    const name = this.#placed(instruction.line, () => this.#expanded(meaning.image))
    if (name === '')
      throw this.#wrong(
        instruction.line,
        `FROM: ${meaning.image} is nothing: say what it is by --build-arg, or give ARG a default`,
      )
    const earlier = stageNamed(this.#dockerfile.stages, name, stage.number)
    if (this.#options.contexts?.[name] === undefined && earlier !== undefined) return this.#stage(earlier)
    const platform =
      meaning.platform === undefined
        ? this.#platform
        : this.#placed(instruction.line, () => formatPlatform(parsePlatform(this.#expanded(meaning.platform!))))
    if (name === 'scratch') return configure(scratch, { platform, ...nothing })
    return this.#image(name, platform)
  }

  #expanded(text: string): string {
    return expandWord(text, (name) => this.#globals.get(name), { escape: this.#dockerfile.directives.escapeToken })
  }

  async #image(name: string, platform: string): Promise<Image> {
    const context = this.#options.contexts?.[name]
    if (context !== undefined) {
      if ('manifest' in context) return this.#store[buildGround].keep(context, this.#options)
      throw new PlyError('PLY_USAGE', { reason: `the context ${name} is a directory, and no image to build on` })
    }
    const { resolve } = this.#options
    const found =
      resolve === undefined ? await this.#store.image(name, { platform }) : await resolve(name, platform, this.#options)
    return this.#store[buildGround].keep(found, this.#options)
  }

  async #treeOf(name: string, stage: Stage): Promise<Tree> {
    const context = this.#options.contexts?.[name]
    if (context !== undefined && !('manifest' in context)) return context
    const earlier = context === undefined ? stageNamed(this.#dockerfile.stages, name, stage.number) : undefined
    if (earlier === undefined && name.includes('$'))
      throw new Error(
        `--from takes no variables: give the image a name with FROM ${name} AS …, where those in front of the first FROM count`,
      )
    const image = earlier === undefined ? await this.#image(name, this.#platform) : await this.#stage(earlier)
    const tree = await this.#store.tree(image, this.#options)
    this.#trees.push(tree)
    return tree
  }

  #epochOf(base: Image): number {
    const { epoch } = this.#options
    if (epoch !== undefined) return epoch
    const given = this.#given.get('SOURCE_DATE_EPOCH') ?? process.env.SOURCE_DATE_EPOCH
    if (given !== undefined && /^\d{1,12}$/.test(given)) return Number(given)
    const made = Date.parse(base.config.created ?? '')
    return Number.isFinite(made) && made > 0 ? Math.floor(made / 1000) : 0
  }

  #placed<T>(line: number, attempt: () => T): T {
    try {
      return attempt()
    } catch (error) {
      if (error instanceof PlyError || !(error instanceof Error)) throw error
      throw this.#wrong(line, error.message, error)
    }
  }

  #wrong(line: number, reason: string, cause?: unknown): PlyError {
    return badDockerfile({ file: this.#dockerfile.file, line }, reason, cause)
  }
}
