import { posix } from 'node:path'
import { badDockerfile, type Meaning, parseTrigger, type Step } from '../dockerfile/index.ts'
import { configure } from '../image/configure.ts'
import type { Image } from '../image/image.ts'
import { encodeText } from '../model/bytes.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import { tellPhase } from '../model/phases.ts'
import { whyMissing } from './context/why-missing.ts'
import { copyStep } from './copy/copy-step.ts'
import { Draft } from './copy/draft.ts'
import { ownerIn } from './copy/owners.ts'
import { runStep } from './run/run-step.ts'
import { type StageMemory, setting } from './settings.ts'
import { type Done, StageSoFar, type StageSurroundings } from './stage-so-far.ts'

/** Builds one stage: step after step, each on what the one before has made. */
export async function buildStage(around: StageSurroundings): Promise<Image> {
  using stage = new StageSoFar(around)
  return new StageBuilding(stage).run()
}

class StageBuilding {
  readonly #stage: StageSoFar
  readonly #memory: StageMemory = { commandSaid: false }

  constructor(stage: StageSoFar) {
    this.#stage = stage
  }

  async run(): Promise<Image> {
    const { stage, dockerfile } = this.#stage.around
    const steps = [...this.#triggers(), ...stage.steps]
    for (const [at, step] of steps.entries()) {
      const { line } = step.instruction
      this.#stage.line = line
      this.#stage.step = at + 1
      try {
        await this.#step(step, at + 1, steps.length)
      } catch (error) {
        // What is plain words says what is wrong; everything else has a code that says it better.
        if (error instanceof PlyError || codeOf(error) !== undefined || !(error instanceof Error))
          throw await this.#placed(error, step)
        throw badDockerfile({ file: dockerfile.file, line }, `${step.instruction.keyword}: ${error.message}`, error)
      }
    }
    return this.#stage.image
  }

  /** What the image below wants done first. */
  #triggers(): Step[] {
    const { base, dockerfile } = this.#stage.around
    const { OnBuild } = base.config.config ?? {}
    if (!Array.isArray(OnBuild) || OnBuild.length === 0) return []
    this.#stage.image = configure(base, { onBuild: null })
    return OnBuild.map((text) => parseTrigger(String(text), dockerfile))
  }

  /** A failure of the file system, with what was to be done. */
  async #placed(error: unknown, { instruction, meaning }: Step): Promise<unknown> {
    const code = codeOf(error)
    if (code === undefined || code.startsWith('PLY_')) return error
    const { path = '' } = (error as { details?: { path?: string } }).details ?? {}
    const missing =
      code === 'ENOENT'
        ? `${path} is not there to be copied${await this.#near(path, meaning)}`
        : `${path}${path && ': '}${(error as Error).message}`
    const { file } = this.#stage.around.dockerfile
    return badDockerfile({ file, line: instruction.line }, `${instruction.keyword}: ${missing}`, error)
  }

  async #near(path: string, meaning: Meaning): Promise<string> {
    const { context, treeOf, leavesOut } = this.#stage.around
    const from = meaning.is === 'copy' ? meaning.from : undefined
    if (from === undefined && leavesOut(path)) return '; the list of what is ignored (.dockerignore) leaves it out'
    const tree = from === undefined ? context : await treeOf(from)
    return tree === undefined || path === '' ? '' : whyMissing(tree, path)
  }

  async #step({ instruction, meaning }: Step, step: number, steps: number): Promise<void> {
    const { stage, tell } = this.#stage.around
    const text = [
      instruction.keyword,
      ...instruction.flags.map(({ name, value }) => `--${name}${value === undefined ? '' : `=${value}`}`),
      instruction.rest,
    ].join(' ')
    const about = { what: 'step', stage: stage.name ?? String(stage.number), step, steps, text } as const
    const begun = performance.now()
    const layers = this.#stage.image.layers.length
    tell({ ...about, state: 'begun' })
    const { state, because } = await this.#do(meaning, text)
    const { image } = this.#stage
    const took = performance.now() - begun
    tellPhase({ phase: 'step', what: text, milliseconds: took, ended: true })
    const made = image.layers.length > layers ? image.layers.at(-1) : undefined
    tell({
      ...about,
      state,
      took,
      ...(made !== undefined && { size: made.descriptor.size }),
      ...(because !== undefined && { because }),
    })
  }

  async #do(meaning: Meaning, text: string): Promise<Done> {
    const stage = this.#stage
    const { scope } = stage.around
    switch (meaning.is) {
      case 'arg':
        for (const { name, value } of meaning.args) scope.declare(name, value)
        return { state: 'set' }
      case 'workdir':
        return this.#workdir(scope.word(meaning.text), text)
      case 'copy':
      case 'add':
        return copyStep(stage, meaning, text)
      case 'run':
        return runStep(stage, meaning, text)
      case 'from':
        throw new Error('FROM begins a stage')
      default: {
        const { configuration, said } = setting(meaning, stage.config, scope, this.#memory)
        stage.image = configure(stage.image, { ...configuration, ...stage.made, history: stage.history(said) })
        return { state: 'set' }
      }
    }
  }

  async #workdir(text: string, said: string): Promise<Done> {
    if (text === '') throw new Error('it wants a path')
    const stage = this.#stage
    const path = posix.resolve(stage.workingDirectory, text)
    const tree = await stage.below()
    const draft = new Draft(tree)
    const { User = '' } = stage.config
    draft.directory(encodeText(path), { mode: 0o755, ...ownerIn(tree, User), mtime: stage.time })
    stage.image = configure(stage.image, { workingDir: path })
    return stage.layer(draft, `WORKDIR ${path}`, said)
  }
}
