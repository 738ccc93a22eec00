import { createHash } from 'node:crypto'
import { posix } from 'node:path'
import {
  badDockerfile,
  type Copying,
  contentOf,
  type Dockerfile,
  type Meaning,
  parseTrigger,
  type RunMount,
  type Stage,
  type Step,
} from '../dockerfile/index.ts'
import { append } from '../image/append.ts'
import { configure } from '../image/configure.ts'
import type { Image } from '../image/image.ts'
import { type ByteString, encodeText } from '../model/bytes.ts'
import { chainIds } from '../model/digest.ts'
import type { ExecutionConfig, History } from '../model/documents.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import { formatPlatform } from '../model/platform.ts'
import type { Tree } from '../stack/tree.ts'
import { type BuildGround, buildGround } from '../store/builds/ground.ts'
import type { Store, StoreOptions } from '../store/store.ts'
import { memoryUpper } from '../union/memory-upper.ts'
import { plainLayer } from '../union/plain-layer.ts'
import { union } from '../union/union-tree.ts'
import { type CopyRules, copyInto, copyParents } from './copy.ts'
import { findSources, pathPatterns } from './copy-sources.ts'
import { Draft } from './draft.ts'
import { draftDigest } from './draft-digest.ts'
import { checkRunnable } from './emulation.ts'
import { execute } from './execute.ts'
import { modeChange } from './mode-change.ts'
import type { BuildEvent } from './options.ts'
import { ownerIn } from './owners.ts'
import { type FetchOptions, fetchRemote, type Remote, remoteOf } from './remote.ts'
import { prepareMounts } from './run-mounts.ts'
import type { Scope } from './scope.ts'
import { scriptOf } from './scripts.ts'
import { type StageMemory, setting } from './settings.ts'
import { unpacked } from './unpack.ts'

/** What a stage is built in. */
export interface StageSurroundings {
  readonly store: Store
  readonly dockerfile: Dockerfile
  readonly stage: Stage
  readonly scope: Scope
  /** What the stage begins with, which is in the store. */
  readonly base: Image
  /** Seconds since the epoch. */
  readonly epoch: number
  readonly cached: boolean
  readonly explain: boolean
  readonly context: Tree | undefined
  /** What `--from` means. The caller closes nothing. @throws for what it does not know */
  treeOf(name: string): Promise<Tree>
  readonly secrets: Readonly<Record<string, Uint8Array>>
  readonly agents: Readonly<Record<string, string>>
  /** `NAME=VALUE` that commands see and no key holds. */
  readonly proxies: readonly string[]
  readonly runtime: string | undefined
  readonly opening: StoreOptions
  tell(event: BuildEvent): void
  readonly operation: Operation
}

/** Builds one stage: step after step, each on what the one before has made. */
export async function buildStage(around: StageSurroundings): Promise<Image> {
  await using building = new StageBuilding(around)
  return building.run()
}

type Copied = Extract<Meaning, { readonly is: 'copy' | 'add' }>

class StageBuilding implements AsyncDisposable {
  readonly #around: StageSurroundings
  readonly #ground: BuildGround
  readonly #memory: StageMemory = { commandSaid: false }
  #image: Image
  #tree: Tree | undefined
  #line = 1

  constructor(around: StageSurroundings) {
    this.#around = around
    this.#ground = around.store[buildGround]
    this.#image = around.base
  }

  async run(): Promise<Image> {
    const { stage, dockerfile } = this.#around
    const steps = [...this.#triggers(), ...stage.steps]
    for (const [at, step] of steps.entries()) {
      const { line } = step.instruction
      this.#line = line
      try {
        await this.#step(step, at + 1, steps.length)
      } catch (error) {
        // What is plain words says what is wrong; everything else has a code that says it better.
        if (error instanceof PlyError || codeOf(error) !== undefined || !(error instanceof Error))
          throw this.#placed(error, step)
        throw badDockerfile({ file: dockerfile.file, line }, `${step.instruction.keyword}: ${error.message}`, error)
      }
    }
    return this.#image
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#tree?.close()
  }

  /** What the image below wants done first. */
  #triggers(): Step[] {
    const { base, dockerfile } = this.#around
    const { OnBuild } = base.config.config ?? {}
    if (!Array.isArray(OnBuild) || OnBuild.length === 0) return []
    this.#image = configure(this.#image, { onBuild: null })
    return OnBuild.map((text) => parseTrigger(String(text), dockerfile))
  }

  /** A failure of the file system, with what was to be done. */
  #placed(error: unknown, { instruction }: Step): unknown {
    const code = codeOf(error)
    if (code === undefined || code.startsWith('PLY_')) return error
    const { path = '' } = (error as { details?: { path?: string } }).details ?? {}
    const missing = code === 'ENOENT' ? `${path} is not there to be copied` : `${path}: ${(error as Error).message}`
    const { file } = this.#around.dockerfile
    return badDockerfile({ file, line: instruction.line }, `${instruction.keyword}: ${missing}`, error)
  }

  async #step({ instruction, meaning }: Step, step: number, steps: number): Promise<void> {
    const { stage, tell } = this.#around
    const text = [
      instruction.keyword,
      ...instruction.flags.map(({ name, value }) => `--${name}${value === undefined ? '' : `=${value}`}`),
      instruction.rest,
    ].join(' ')
    const about = { what: 'step', stage: stage.name ?? String(stage.number), step, steps, text } as const
    const begun = performance.now()
    const layers = this.#image.layers.length
    tell({ ...about, state: 'begun' })
    const { state, because } = await this.#do(meaning, text)
    const made = this.#image.layers.length > layers ? this.#image.layers.at(-1) : undefined
    tell({
      ...about,
      state,
      took: performance.now() - begun,
      ...(made !== undefined && { size: made.descriptor.size }),
      ...(because !== undefined && { because }),
    })
  }

  async #do(meaning: Meaning, text: string): Promise<Done> {
    const { scope } = this.#around
    switch (meaning.is) {
      case 'arg':
        for (const { name, value } of meaning.args) scope.declare(name, value)
        return { state: 'set' }
      case 'workdir':
        return this.#workdir(scope.word(meaning.text), text)
      case 'copy':
      case 'add':
        return this.#copy(meaning, text)
      case 'run':
        return this.#run(meaning, text)
      case 'from':
        throw new Error('FROM begins a stage')
      default: {
        const { configuration, said } = setting(meaning, this.#config, scope, this.#memory)
        this.#image = configure(this.#image, { ...configuration, ...this.#made, history: this.#history(said) })
        return { state: 'set' }
      }
    }
  }

  async #workdir(text: string, said: string): Promise<Done> {
    if (text === '') throw new Error('it wants a path')
    const path = posix.resolve(this.#workingDirectory, text)
    const tree = await this.#below()
    const draft = new Draft(tree)
    const { User = '' } = this.#config
    draft.directory(encodeText(path), { mode: 0o755, ...ownerIn(tree, User), mtime: this.#time })
    this.#image = configure(this.#image, { workingDir: path })
    return this.#layer(draft, `WORKDIR ${path}`, said)
  }

  async #run(meaning: Extract<Meaning, { readonly is: 'run' }>, text: string): Promise<Done> {
    const { scope, operation, store, cached, dockerfile, stage, explain } = this.#around
    if (meaning.security === 'insecure')
      throw new PlyError('PLY_UNSUPPORTED', {
        what: 'RUN --security=insecure',
        reason: 'commands of a build have no more rights than those of a container',
      })
    await using mounts = await prepareMounts(meaning.mounts, {
      ground: this.#ground,
      directory: this.#workingDirectory,
      word: (word) => scope.word(word),
      treeOf: async (from) => (from === undefined ? this.#context() : this.#around.treeOf(from)),
      secrets: this.#around.secrets,
      agents: this.#around.agents,
      operation,
    })
    const { words, scripts } = scriptOf(meaning, this.#config)
    const environment = [...(this.#config.Env ?? []), ...scope.args.map(([name, value]) => `${name}=${value}`)]
    const chain = chainIds(this.#image.layers.map(({ diffId }) => diffId)).at(-1) ?? ''
    const { User = '' } = this.#config
    const inputs = {
      below: chain,
      platform: formatPlatform(this.#image.config),
      command: JSON.stringify([words, scripts]),
      environment: JSON.stringify(environment),
      directory: this.#workingDirectory,
      user: User,
      network: meaning.network,
      mounts: await this.#mountsDigest(meaning.mounts),
    }
    const said = `RUN ${words.join(' ')}`
    const key = keyOf('run', inputs)
    using _ = await this.#ground.alone(key, operation)
    const known = cached ? await this.#ground.recall(key, operation) : undefined
    if (known !== undefined) {
      const made = known.layers.length > this.#image.layers.length ? known.layers.at(-1) : undefined
      if (made === undefined) this.#image = configure(this.#image, { ...this.#made, history: this.#history(said) })
      else this.#image = configure(append(this.#image, made, this.#history(said)), this.#made)
      this.#renew()
      return { state: 'cached' }
    }
    const because = explain ? this.#why(text, inputs) : undefined
    checkRunnable(this.#image.config)
    this.#image = await execute({
      store,
      image: this.#image,
      words,
      scripts,
      environment: [...environment, ...this.#around.proxies, ...mounts.environment],
      directory: this.#workingDirectory,
      user: User,
      network: meaning.network === 'none' ? 'none' : 'host',
      mounts,
      epoch: this.#around.epoch,
      history: this.#history(said),
      finish: (made) => configure(made, this.#made),
      runtime: this.#around.runtime,
      opening: this.#around.opening,
      onOutput: (chunk) => this.#around.tell({ what: 'output', stage: stage.name ?? String(stage.number), chunk }),
      failed: (how, output) =>
        new PlyError('PLY_BUILD_FAILED', {
          file: dockerfile.file,
          line: this.#line,
          step: text,
          how,
          output: output === '' ? '' : `; it said:\n${output}`,
        }),
      operation,
    })
    this.#ground.remember({ key, manifest: this.#image.digest, step: said, place: this.#place(text), inputs })
    this.#renew()
    return { state: 'done', ...(because !== undefined && { because }) }
  }

  /** What of its mounts a command may depend on: where they are, and what is in those that are there to be read. */
  async #mountsDigest(mounts: readonly RunMount[]): Promise<string> {
    const { scope, operation, treeOf } = this.#around
    const parts: unknown[] = []
    for (const mount of mounts) {
      const word = (text: string | undefined) => (text === undefined ? undefined : scope.word(text))
      parts.push([mount.type, word(mount.target), word(mount.id), word(mount.env), mount.readOnly])
      if (mount.type !== 'bind') continue
      const from = word(mount.from)
      const tree = from === undefined ? this.#context() : await treeOf(from)
      const draft = new Draft(union([], memoryUpper()))
      const found = findSources(tree, encodeText(word(mount.source) ?? ''))
      await copyInto(
        draft,
        tree,
        found,
        { path: '/', isDirectory: true },
        { time: { at: 0n, always: from === undefined } },
        operation,
      )
      parts.push(await draftDigest(draft, operation))
    }
    return JSON.stringify(parts)
  }

  async #copy(meaning: Copied, text: string): Promise<Done> {
    const { scope } = this.#around
    const below = await this.#below()
    const from = meaning.is === 'copy' && meaning.from !== undefined ? meaning.from : undefined
    const sources = meaning.sources.map((source) => encodeText(scope.word(source)))
    const targetText = scope.word(meaning.target)
    const isDirectory = /(?:^|\/)\.{0,2}$/.test(targetText)
    if (sources.length + meaning.inline.length > 1 && !isDirectory)
      throw new Error(`several files go into a directory: write ${targetText}/`)
    const target = { path: encodeText(posix.resolve(this.#workingDirectory, targetText)), isDirectory }
    const rules = this.#rules(meaning, below, from === undefined)
    const draft = new Draft(below)
    /** Trees that are made for it stay open as long as the draft is read. */
    await using held = closers()
    for (const source of sources) {
      if (meaning.is === 'add') {
        await this.#add(draft, meaning, source, target, rules, held)
        continue
      }
      const tree = from === undefined ? this.#context() : await this.#around.treeOf(from)
      if (meaning.parents) await this.#parents(draft, tree, source, target, rules)
      else await copyInto(draft, tree, findSources(tree, source), target, rules, this.#around.operation)
    }
    if (meaning.inline.length > 0) {
      const tree = this.#inline(meaning)
      const found = meaning.inline.map(({ name }) => ({
        path: encodeText(name),
        ino: tree.lookup(tree.root, encodeText(name))!,
      }))
      await copyInto(draft, tree, found, target, rules, this.#around.operation)
    }
    return await this.#layer(draft, text, text)
  }

  async #add(
    draft: Draft,
    meaning: Extract<Meaning, { readonly is: 'add' }>,
    source: ByteString,
    target: { readonly path: ByteString; readonly isDirectory: boolean },
    rules: CopyRules,
    held: Closers,
  ): Promise<void> {
    const { store, operation, scope } = this.#around
    const remote = remoteOf(Buffer.from(source, 'latin1').toString())
    const checksum = meaning.checksum === undefined ? undefined : scope.word(meaning.checksum)
    if (remote === undefined && checksum !== undefined)
      throw new Error('--checksum is of what is fetched, and this is a file of the context')
    const { keepGitDirectory } = meaning
    const tree =
      remote === undefined
        ? this.#context()
        : await this.#fetched(remote, { checksum, keepGitDirectory, ...operation }, held)
    const found =
      remote === undefined
        ? findSources(tree, source)
        : remote.is === 'git'
          ? [{ path: '', ino: tree.root }]
          : [...tree.list(tree.root)].map(({ name, ino }) => ({ path: name, ino }))
    for (const one of found) {
      const isFile = tree.stat(one.ino).kind === 'file'
      const archive =
        isFile && (meaning.unpack ?? remote === undefined)
          ? await unpacked(() => tree.open(one.ino), store, operation)
          : undefined
      if (archive === undefined) {
        await copyInto(draft, tree, [one], target, rules, operation)
        continue
      }
      held.add(() => archive.close())
      const { owner, ...others } = rules
      const kept = { ...others, ...(meaning.chown !== undefined && { owner }), time: { at: this.#time, always: false } }
      await copyInto(draft, archive, [{ path: '', ino: archive.root }], target, kept, operation)
    }
  }

  async #fetched(remote: Remote, options: FetchOptions, held: Closers): Promise<Tree> {
    const fetched = await fetchRemote(remote, options)
    held.add(() => fetched[Symbol.dispose]())
    return fetched.tree
  }

  async #parents(
    draft: Draft,
    tree: Tree,
    source: ByteString,
    target: { readonly path: ByteString; readonly isDirectory: boolean },
    rules: CopyRules,
  ): Promise<void> {
    const pivot = source.indexOf('/./')
    const root = pivot < 0 ? '' : source.slice(0, pivot)
    const pattern = (pivot < 0 ? source : source.slice(pivot + 3)).replace(/^(?:\.?\/)+/, '')
    const [from] = findSources(tree, root === '' ? '.' : root)
    const wanted = pathPatterns([Buffer.from(pattern, 'latin1').toString()])
    if (from === undefined || wanted === undefined) throw new Error(`${source} names nothing`)
    await copyParents(draft, tree, from, target, wanted, rules, this.#around.operation)
  }

  #rules(meaning: Copying, below: Tree, fromContext: boolean): CopyRules {
    const { scope } = this.#around
    const chown = meaning.chown === undefined ? undefined : scope.word(meaning.chown)
    const chmod = meaning.chmod === undefined ? undefined : scope.word(meaning.chmod)
    return {
      owner: chown !== undefined ? ownerIn(below, chown) : fromContext ? { uid: 0, gid: 0 } : undefined,
      mode: chmod === undefined ? undefined : modeChange(chmod),
      excluded: pathPatterns(meaning.excludes.map((pattern) => scope.word(pattern))),
      // What a stage has made has its times already.
      time: { at: this.#time, always: fromContext },
    }
  }

  #inline(meaning: Copied): Tree {
    const { scope } = this.#around
    const files = meaning.inline.map((heredoc) => {
      const content = contentOf(heredoc)
      return [heredoc.name, { content: heredoc.expand ? scope.content(content) : content, mode: 0o644 }] as const
    })
    return union([plainLayer(Object.fromEntries(files))], memoryUpper())
  }

  /** Puts a draft on top, from an earlier build where one had the same. */
  async #layer(draft: Draft, said: string, place: string): Promise<Done> {
    if (draft.empty) {
      this.#image = configure(this.#image, { ...this.#made, history: this.#history(said) })
      return { state: 'done' }
    }
    const { operation, cached } = this.#around
    const chain = chainIds(this.#image.layers.map(({ diffId }) => diffId)).at(-1) ?? ''
    const inputs = { below: chain, files: await draftDigest(draft, operation) }
    const key = keyOf('copy', inputs)
    const known = cached ? await this.#ground.recall(key, operation) : undefined
    const layer = known?.layers.at(-1)
    if (known !== undefined && layer !== undefined) {
      this.#image = configure(append(this.#image, layer, this.#history(said)), this.#made)
      this.#renew()
      return { state: 'cached' }
    }
    const because = this.#around.explain ? this.#why(place, inputs) : undefined
    const image = await this.#ground.append(
      this.#image,
      draft.items(),
      this.#history(said),
      (made) => configure(made, this.#made),
      operation,
    )
    this.#ground.remember({ key, manifest: image.digest, step: said, place: this.#place(place), inputs })
    this.#image = image
    this.#renew()
    return { state: 'done', ...(because !== undefined && { because }) }
  }

  #why(place: string, inputs: Readonly<Record<string, string>>): string {
    const [last] = this.#ground.at(this.#place(place))
    if (last === undefined) return 'no earlier build has it'
    const changed = Object.keys(inputs).filter((name) => last.inputs[name] !== inputs[name])
    return `changed: ${changed.map((name) => inputNames[name] ?? name).join(', ')}`
  }

  #place(text: string): string {
    const { dockerfile, stage } = this.#around
    return keyOf('place', { file: dockerfile.file, stage: stage.name ?? String(stage.number), text })
  }

  async #below(): Promise<Tree> {
    this.#tree ??= await this.#around.store.tree(this.#image, this.#around.operation)
    return this.#tree
  }

  #renew(): void {
    this.#tree?.close()
    this.#tree = undefined
  }

  #context(): Tree {
    const { context } = this.#around
    if (context === undefined) throw new Error('this build has no context to copy from')
    return context
  }

  #history(said: string): History {
    return { created: this.#made.created, created_by: said }
  }

  get #made(): { readonly created: string } {
    return { created: new Date(this.#around.epoch * 1000).toISOString().replace('.000Z', 'Z') }
  }

  get #time(): bigint {
    return BigInt(this.#around.epoch) * 1_000_000_000n
  }

  get #config(): ExecutionConfig {
    return this.#image.config.config ?? {}
  }

  get #workingDirectory(): string {
    return posix.resolve('/', this.#config.WorkingDir ?? '/')
  }
}

const inputNames: Readonly<Record<string, string>> = {
  below: 'what it stands on',
  files: 'the files that it copies',
  platform: 'the platform',
  command: 'the command',
  environment: 'its variables',
  directory: 'its directory',
  user: 'its user',
  network: 'its network',
  mounts: 'what is mounted for it',
}

interface Done {
  readonly state: 'cached' | 'done' | 'set'
  readonly because?: string
}

function keyOf(what: string, inputs: Readonly<Record<string, string>>): string {
  const parts = Object.entries(inputs).sort(([a], [b]) => (a < b ? -1 : 1))
  return createHash('sha256')
    .update(JSON.stringify(['1', what, ...parts]))
    .digest('hex')
}

/** What is closed at the end, the last first. */
interface Closers extends AsyncDisposable {
  add(close: () => unknown): void
}

function closers(): Closers {
  const all: (() => unknown)[] = []
  return {
    add: (close) => void all.push(close),
    async [Symbol.asyncDispose]() {
      for (let close = all.pop(); close !== undefined; close = all.pop()) await close()
    },
  }
}
