import {
  badDockerfile,
  checksFor,
  type Dockerfile,
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
import { codeOf } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import { formatPlatform, parsePlatform, thisPlatform } from '../model/platform.ts'
import type { Tree } from '../stack/tree.ts'
import { buildGround } from '../store/builds/ground.ts'
import type { Store } from '../store/store.ts'
import { Slots } from '../transport/registry/slots.ts'
import { Bases, placed } from './bases.ts'
import { pathPatterns } from './copy/copy-sources.ts'
import { stillTree } from './copy/restated-tree.ts'
import type { BuildSettings } from './options.ts'
import { proxyArguments, Scope } from './scope.ts'
import { buildStage } from './stage.ts'

/** What a stage on nothing begins with, as BuildKit has it. */
const nothing = { workingDir: '/', env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' } }

/** What is built, beside the steps. */
export type Stated = BuildSettings & { readonly target?: string | undefined }

/** One build of a Dockerfile, for one platform. */
export class Building implements AsyncDisposable {
  readonly #store: Store
  readonly #dockerfile: Dockerfile
  readonly #options: Stated
  readonly #given: ReadonlyMap<string, string>
  readonly #platform: string
  readonly #globals: ReadonlyMap<string, string>
  readonly #stages = new Map<number, Promise<Image>>()
  /** What each stage knows, all of it once the stage is built. */
  readonly #scopes = new Map<number, Scope>()
  readonly #bases: Bases
  readonly #trees: Tree[] = []
  readonly #stopped = new AbortController()
  readonly #turns: Slots | undefined
  /** The stages that the result stands on. */
  readonly #result = new Set<Stage>()

  constructor(store: Store, dockerfile: Dockerfile, options: Stated) {
    this.#store = store
    this.#dockerfile = dockerfile
    this.#options = options
    this.#turns = options.jobs === undefined ? undefined : new Slots(options.jobs)
    this.#given = new Map(Object.entries(options.args ?? {}))
    const target = options.platform === undefined ? thisPlatform() : parsePlatform(options.platform)
    this.#platform = formatPlatform(target)
    const line = dockerfile.globals[0]?.instruction.line ?? 1
    this.#globals = placed({ file: dockerfile.file, line }, () =>
      globalScope(dockerfile, this.#given, platformArguments(target, thisPlatform())),
    )
    this.#bases = new Bases({ ...options, store, read: dockerfile, globals: this.#globals, target: this.#platform })
  }

  async run(): Promise<Image> {
    const { labels = {}, annotations = {}, squash = false } = this.#options
    const target = targetOf(this.#dockerfile, this.#options.target)
    try {
      await this.#check(target)
      for (const stage of this.#below(target)) this.#result.add(stage)
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
    if (checksFail && first !== undefined)
      throw badDockerfile({ file: this.#dockerfile.file, line: first.line }, `${first.rule}: ${first.text}`)
  }

  async #lintBase(stage: Stage): Promise<LintBase | undefined> {
    try {
      const base = this.#bases.of(stage)
      if (base.is !== 'image') return undefined
      const { config } = await this.#bases.found(base.name, base.platform)
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
      const base = attempted(() => this.#bases.of(stage))
      if (base?.is === 'stage') visit(base.stage)
    }
    visit(target)
    return [...reached].sort((a, b) => a.number - b.number)
  }

  /** The image with one layer for all that its stages have added. */
  async #squashed(image: Image, target: Stage): Promise<Image> {
    const from = (await this.#base([...this.#below(target)].at(-1)!)).layers.length
    if (image.layers.length - from < 2) return image
    return this.#store.squash(image, { from, message: 'ply build --squash', ...this.#operation })
  }

  /** A stage, and those that it is built on. */
  *#below(target: Stage): Generator<Stage, void, undefined> {
    yield target
    for (let base = this.#bases.of(target); base.is === 'stage'; base = this.#bases.of(base.stage)) yield base.stage
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
    const epoch = this.#epochOf(base)
    const scope = new Scope({
      escape: this.#dockerfile.directives.escapeToken,
      given: this.#given,
      globals: this.#globals,
      environment: base.config.config?.Env ?? [],
      inherited: this.#scopeBelow(stage),
    })
    this.#scopes.set(stage.number, scope)
    return buildStage({
      store: this.#store,
      dockerfile: this.#dockerfile,
      stage,
      base,
      scope,
      epoch,
      cached: skipped !== true,
      explain: explainCache,
      context,
      leavesOut: (path) =>
        pathPatterns(this.#options.ignored ?? [])?.matches(encodeText(path.replace(/^\/+/, ''))) ?? false,
      treeOf: (name) => this.#treeOf(name, stage, epoch),
      secrets: this.#options.secrets ?? {},
      agents: this.#options.agents ?? {},
      proxies: proxyArguments.flatMap((name) => (this.#given.has(name) ? [`${name}=${this.#given.get(name)}`] : [])),
      runtime: this.#options.runtime,
      opening: this.#options.opening ?? {},
      caches: this.#options.caches ?? [],
      keep: (step) => {
        const inResult = this.#result.has(stage)
        this.#options.made?.add({ ...step, stage: stage.name ?? String(stage.number), inResult })
      },
      turns: this.#turns,
      tell: (event) => onEvent?.(event),
      operation,
    })
  }

  #scopeBelow(stage: Stage): Scope | undefined {
    const base = this.#bases.of(stage)
    return base.is === 'stage' ? this.#scopes.get(base.stage.number) : undefined
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
    const base = this.#bases.of(stage)
    switch (base.is) {
      case 'stage':
        return this.#stage(base.stage)
      case 'nothing':
        return configure(scratch, { platform: base.platform, ...nothing })
      case 'image':
        return this.#bases.image(base.name, base.platform)
      default:
        return base satisfies never
    }
  }

  async #treeOf(name: string, stage: Stage, epoch: number): Promise<Tree> {
    const context = this.#options.contexts?.[name]
    if (context !== undefined && typeof context !== 'function' && !('manifest' in context))
      return stillTree(context, BigInt(epoch) * 1_000_000_000n)
    const earlier = context === undefined ? stageNamed(this.#dockerfile.stages, name, stage.number) : undefined
    if (earlier === undefined && name.includes('$'))
      throw new Error(
        `--from takes no variables: give the image a name with FROM ${name} AS …, where those in front of the first FROM count`,
      )
    const image = earlier === undefined ? await this.#bases.image(name, this.#platform) : await this.#stage(earlier)
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
}

function attempted<T>(attempt: () => T): T | undefined {
  try {
    return attempt()
  } catch {
    // Who builds the stage says it, and names the line.
    return undefined
  }
}
