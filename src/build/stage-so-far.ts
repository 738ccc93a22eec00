import { posix } from 'node:path'
import type { Dockerfile, Stage } from '../dockerfile/index.ts'
import { append } from '../image/append.ts'
import { configure } from '../image/configure.ts'
import type { Image } from '../image/image.ts'
import { chainIds } from '../model/digest.ts'
import type { ExecutionConfig, History } from '../model/documents.ts'
import { codeOf } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import type { Tree } from '../stack/tree.ts'
import { type BuildGround, buildGround } from '../store/builds/ground.ts'
import type { Store, StoreOptions } from '../store/store.ts'
import type { Slots } from '../transport/registry/slots.ts'
import type { BuildCache } from './cache/source.ts'
import type { BuiltStep } from './cache/target.ts'
import { changedFiles } from './copy/changed-files.ts'
import type { Draft } from './copy/draft.ts'
import { draftDigest } from './copy/draft-digest.ts'
import type { BuildEvent } from './options.ts'
import type { Scope } from './scope.ts'
import { changesSince, keyOf, type StepInputs } from './step-key.ts'

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
  /** Whether a path of the context, as text, is not there because it is ignored. */
  leavesOut(path: string): boolean
  /** What `--from` means. The caller closes nothing. @throws for what it does not know */
  treeOf(name: string): Promise<Tree>
  readonly secrets: Readonly<Record<string, Uint8Array>>
  readonly agents: Readonly<Record<string, string>>
  /** `NAME=VALUE` that commands see and no key holds. */
  readonly proxies: readonly string[]
  readonly runtime: string | undefined
  readonly opening: StoreOptions
  readonly caches: readonly BuildCache[]
  /** Hears of each step that has a key. */
  keep(step: Omit<BuiltStep, 'inResult' | 'stage'>): void
  /** Commands and layers that are made at once take turns here. */
  readonly turns: Slots | undefined
  tell(event: BuildEvent): void
  readonly operation: Operation
}

/** How a step ended. */
export interface Done {
  readonly state: 'cached' | 'done' | 'set'
  readonly because?: string
}

/** A step that may have been carried out before. */
export interface KeyedStep {
  readonly key: string
  /** What the history says. */
  readonly said: string
  /** The instruction. */
  readonly text: string
  readonly inputs: StepInputs
  /** It has a layer that stands on nothing. */
  readonly linked?: boolean
}

/** A stage as far as it is built: the image of its steps up to now, and what they say of the next one. */
export class StageSoFar implements Disposable {
  readonly around: StageSurroundings
  readonly ground: BuildGround
  /** The line of the instruction that is carried out. */
  line = 1
  /** Which one of the stage it is, from 1. */
  step = 1
  #image: Image
  #tree: Tree | undefined

  constructor(around: StageSurroundings) {
    this.around = around
    this.ground = around.store[buildGround]
    this.#image = around.base
  }

  [Symbol.dispose](): void {
    this.#tree?.close()
    this.#tree = undefined
  }

  get image(): Image {
    return this.#image
  }

  /** Sets what a step has made of the image. */
  set image(image: Image) {
    const layers = this.#image.layers.length
    this.#image = image
    if (image.layers.length !== layers) this[Symbol.dispose]()
  }

  /** The files up to now. The caller does not close them. */
  async below(): Promise<Tree> {
    this.#tree ??= await this.around.store.tree(this.#image, this.around.operation)
    return this.#tree
  }

  /** The chainID of the layers up to now; empty where there is none. */
  get chain(): string {
    return chainIds(this.#image.layers.map(({ diffId }) => diffId)).at(-1) ?? ''
  }

  /** @throws Error where there is none */
  context(): Tree {
    const { context } = this.around
    if (context === undefined) throw new Error('this build has no context to copy from')
    return context
  }

  history(said: string): History {
    return { created: this.made.created, created_by: said }
  }

  get made(): { readonly created: string } {
    return { created: new Date(this.around.epoch * 1000).toISOString().replace('.000Z', 'Z') }
  }

  /** Nanoseconds since the epoch. */
  get time(): bigint {
    return BigInt(this.around.epoch) * 1_000_000_000n
  }

  get config(): ExecutionConfig {
    return this.#image.config.config ?? {}
  }

  get workingDirectory(): string {
    return posix.resolve('/', this.config.WorkingDir ?? '/')
  }

  /** A step that changes no file. */
  withoutLayer(said: string): void {
    this.image = configure(this.#image, { ...this.made, history: this.history(said) })
  }

  /** Takes what an earlier build has made, here or elsewhere; `undefined` if none has. The caller is alone with the key. */
  async recalled(step: KeyedStep): Promise<Done | undefined> {
    const { cached, operation } = this.around
    if (!cached) return undefined
    const known = await this.ground.recall(step.key, operation)
    if (known === undefined) return this.#fromElsewhere(step)
    // It is the image up to and with the step.
    const hasLayer = step.linked === true || known.layers.length > this.#image.layers.length
    const made = hasLayer ? known.layers.at(-1) : undefined
    this.around.keep({ key: step.key, step: this.step, text: step.text, layer: made })
    if (made === undefined) this.withoutLayer(step.said)
    else this.image = configure(append(this.#image, made, this.history(step.said)), this.made)
    return { state: 'cached' }
  }

  /** A cache that cannot be reached, or holds what it should not, is none: the step is carried out. */
  async #fromElsewhere(step: KeyedStep): Promise<Done | undefined> {
    const { caches, operation, tell } = this.around
    for (const cache of caches) {
      try {
        const found = await cache.find(step.key, operation)
        if (found === undefined) continue
        const history = this.history(step.said)
        const finish = (made: Image) => configure(made, this.made)
        const image =
          found.layer === undefined
            ? await this.ground.keep(finish(configure(this.#image, { history })), operation)
            : await this.ground.adopt(this.#image, found.layer, history, finish, operation)
        this.remember(step, image)
        return { state: 'cached' }
      } catch (error) {
        if ([undefined, 'PLY_ABORTED'].includes(codeOf(error))) throw error
        const text = `the cache ${cache.reference} is of no use here: ${(error as Error).message}`
        tell({ what: 'warning', text, line: this.line })
      }
    }
    return undefined
  }

  /**
   * Puts a draft on top, from an earlier build where one had the same.
   *
   * @param linked it was made without what it is put on, so that it does not matter what that is
   */
  async layer(draft: Draft, said: string, text: string, { linked = false } = {}): Promise<Done> {
    if (draft.empty) {
      this.withoutLayer(said)
      return { state: 'done' }
    }
    const { operation } = this.around
    const inputs = { below: linked ? 'anything' : this.chain, files: await draftDigest(draft, operation) }
    const step = { key: keyOf('copy', inputs), said, text, inputs, linked }
    using _ = await this.ground.alone(step.key, operation)
    const known = await this.recalled(step)
    if (known !== undefined) return known
    const because = await this.#whyOfFiles(text, inputs, draft)
    using _turn = await this.turn()
    const image = await this.ground.append(
      this.#image,
      draft.items(),
      this.history(said),
      (made) => configure(made, this.made),
      operation,
    )
    this.remember(step, image)
    return { state: 'done', ...(because !== undefined && { because }) }
  }

  /** Sets what a step has made, and notes it for later builds. */
  remember({ key, said, text, inputs }: KeyedStep, image: Image): void {
    this.ground.remember({ key, manifest: image.digest, step: said, place: this.#place(text), inputs })
    const layer = image.layers.length > this.#image.layers.length ? image.layers.at(-1) : undefined
    this.around.keep({ key, step: this.step, text, layer })
    this.image = image
  }

  /** Waits for its turn, where not everything goes at once. Whoever has one waits for no other step. */
  async turn(): Promise<Disposable | undefined> {
    return this.around.turns?.take(this.around.operation.signal)
  }

  /** Why no earlier build has it; `undefined` where nobody asks. */
  why(text: string, inputs: StepInputs): string | undefined {
    if (!this.around.explain) return undefined
    const [last] = this.ground.at(this.#place(text))
    return last === undefined ? 'no earlier build has it' : changesSince(last.inputs, inputs)
  }

  async #whyOfFiles(text: string, inputs: StepInputs, draft: Draft): Promise<string | undefined> {
    const because = this.why(text, inputs)
    const [last] = because === undefined ? [] : this.ground.at(this.#place(text))
    if (because === undefined || last === undefined || last.inputs.files === inputs.files) return because
    const { store, operation } = this.around
    const before = await this.ground.recall(last.key, operation)
    const files = before === undefined ? [] : await changedFiles(draft, before, store, operation)
    return files.length === 0 ? because : `${because}: ${files.join(' ')}`
  }

  #place(text: string): string {
    const { dockerfile, stage } = this.around
    return keyOf('place', { file: dockerfile.file, stage: stage.name ?? String(stage.number), text })
  }
}
