import {
  badDockerfile,
  checksFor,
  type Dockerfile,
  expandWord,
  type Finding,
  globalScope,
  type LintBase,
  lint,
  platformArguments,
  type Stage,
  stageNamed,
  targetOf,
} from '../dockerfile/index.ts'
import { scratch } from '../image/append.ts'
import { configure } from '../image/configure.ts'
import type { Image } from '../image/image.ts'
import { encodeText } from '../model/bytes.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import { formatPlatform, parsePlatform, thisPlatform } from '../model/platform.ts'
import type { Tree } from '../stack/tree.ts'
import { buildGround } from '../store/builds/ground.ts'
import type { Store } from '../store/store.ts'
import { pathPatterns } from './copy-sources.ts'
import type { BuildOptions } from './options.ts'
import { proxyArguments, Scope } from './scope.ts'
import { buildStage } from './stage.ts'

/** What a stage on nothing begins with, as BuildKit has it. */
const nothing = { workingDir: '/', env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' } }

/** One build of a Dockerfile, for one platform. */
export class Building implements AsyncDisposable {
  readonly #store: Store
  readonly #dockerfile: Dockerfile
  readonly #options: BuildOptions
  readonly #given: ReadonlyMap<string, string>
  readonly #platform: string
  readonly #globals: ReadonlyMap<string, string>
  readonly #stages = new Map<number, Promise<Image>>()
  readonly #images = new Map<string, Promise<Image>>()
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
    const { labels = {}, annotations = {}, squash = false } = this.#options
    const target = targetOf(this.#dockerfile, this.#options.target)
    try {
      await this.#check(target)
      const built = await this.#stage(target)
      const image = squash ? await this.#squashed(built, target) : built
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

  /** What the checks find, with what the images of these stages say. */
  async findings(stages: readonly Stage[]): Promise<readonly Finding[]> {
    const bases = new Map<number, LintBase>()
    for (const stage of stages) {
      const base = await this.#lintBase(stage)
      if (base !== undefined) bases.set(stage.number, base)
    }
    const ignored = pathPatterns(this.#options.ignored ?? [])
    return lint(this.#dockerfile, {
      args: this.#given,
      platform: platformArguments(parsePlatform(this.#platform), thisPlatform()),
      bases,
      isIgnored: ignored && ((path) => ignored.matches(encodeText(path))),
      check: this.#given.get('BUILDKIT_DOCKERFILE_CHECK'),
    })
  }

  async #check(target: Stage): Promise<void> {
    const found = await this.findings(this.#reached(target))
    for (const { rule, line, text } of found) this.#options.onEvent?.({ what: 'warning', rule, line, text })
    const { checksFail } = checksFor(this.#dockerfile, this.#given.get('BUILDKIT_DOCKERFILE_CHECK'))
    const [first] = found
    if (checksFail && first !== undefined) throw this.#wrong(first.line, `${first.rule}: ${first.text}`)
  }

  async #lintBase(stage: Stage): Promise<LintBase | undefined> {
    try {
      const base = this.#named(stage)
      if (base.is !== 'image') return undefined
      const { config } = await this.#found(base.name, base.platform)
      return {
        environment: config.config?.Env ?? [],
        shell: Array.isArray(config.config?.Shell),
        platform: formatPlatform(config),
        wanted: base.platform,
      }
    } catch (error) {
      // Who builds the stage says it, and names the line.
      if (codeOf(error) === 'PLY_ABORTED') throw error
      return undefined
    }
  }

  /** A stage, and all that it needs. */
  #reached(target: Stage): readonly Stage[] {
    const reached = new Set<Stage>()
    const visit = (stage: Stage) => {
      if (reached.has(stage)) return
      reached.add(stage)
      for (const other of this.#needs(stage)) visit(other)
      const base = attempted(() => this.#named(stage))
      if (base?.is === 'stage') visit(base.stage)
    }
    visit(target)
    return [...reached].sort((a, b) => a.number - b.number)
  }

  /** The image with one layer for all that its stages have added. */
  async #squashed(image: Image, target: Stage): Promise<Image> {
    let stage = target
    for (let base = this.#named(stage); base.is === 'stage'; base = this.#named(stage)) stage = base.stage
    const from = (await this.#base(stage)).layers.length
    if (image.layers.length - from < 2) return image
    return this.#store.squash(image, { from, message: 'ply build --squash', ...this.#operation })
  }

  get #operation(): Operation {
    const { signal, onProgress } = this.#options
    return { signal, onProgress }
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
    const base = this.#named(stage)
    switch (base.is) {
      case 'stage':
        return this.#stage(base.stage)
      case 'nothing':
        return configure(scratch, { platform: base.platform, ...nothing })
      case 'image':
        return this.#image(base.name, base.platform)
      default:
        return base satisfies never
    }
  }

  /** What FROM names. */
  #named(
    stage: Stage,
  ):
    | { readonly is: 'stage'; readonly stage: Stage }
    | { readonly is: 'nothing'; readonly platform: string }
    | { readonly is: 'image'; readonly name: string; readonly platform: string } {
    const { instruction, meaning } = stage.from
    const name = this.#placed(instruction.line, () => this.#expanded(meaning.image))
    if (name === '')
      throw this.#wrong(
        instruction.line,
        `FROM: ${meaning.image} is nothing: say what it is by --build-arg, or give ARG a default`,
      )
    const earlier = stageNamed(this.#dockerfile.stages, name, stage.number)
    if (this.#options.contexts?.[name] === undefined && earlier !== undefined) return { is: 'stage', stage: earlier }
    const platform =
      meaning.platform === undefined
        ? this.#platform
        : this.#placed(instruction.line, () => formatPlatform(parsePlatform(this.#expanded(meaning.platform!))))
    return name === 'scratch' ? { is: 'nothing', platform } : { is: 'image', name, platform }
  }

  #expanded(text: string): string {
    return expandWord(text, (name) => this.#globals.get(name), { escape: this.#dockerfile.directives.escapeToken })
  }

  async #image(name: string, platform: string): Promise<Image> {
    return this.#store[buildGround].keep(await this.#found(name, platform), this.#options)
  }

  /** An image as it is where it was found; asked for once. */
  #found(name: string, platform: string): Promise<Image> {
    const key = JSON.stringify([name, platform])
    let found = this.#images.get(key)
    if (found === undefined) {
      found = this.#lookedUp(name, platform)
      found.catch(() => {})
      this.#images.set(key, found)
    }
    return found
  }

  async #lookedUp(name: string, platform: string): Promise<Image> {
    const context = this.#options.contexts?.[name]
    if (context !== undefined) {
      if ('manifest' in context) return context
      throw new PlyError('PLY_USAGE', { reason: `the context ${name} is a directory, and no image to build on` })
    }
    const { resolve } = this.#options
    return resolve === undefined ? this.#store.image(name, { platform }) : resolve(name, platform, this.#options)
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

function attempted<T>(attempt: () => T): T | undefined {
  try {
    return attempt()
  } catch {
    // Who builds the stage says it, and names the line.
    return undefined
  }
}
