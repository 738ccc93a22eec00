import { badDockerfile, type Dockerfile, expandWord, type Stage, stageNamed } from '../dockerfile/index.ts'
import type { Image } from '../image/image.ts'
import { PlyError } from '../model/errors.ts'
import { formatPlatform, parsePlatform } from '../model/platform.ts'
import { buildGround } from '../store/builds/ground.ts'
import type { Store } from '../store/store.ts'
import type { BuildSettings } from './options.ts'

/** What FROM names. */
export type Base =
  | { readonly is: 'stage'; readonly stage: Stage }
  | { readonly is: 'nothing'; readonly platform: string }
  | { readonly is: 'image'; readonly name: string; readonly platform: string }

export interface BasesOptions extends Omit<BuildSettings, 'platform'> {
  readonly store: Store
  readonly read: Dockerfile
  /** Arguments in front of the first FROM. */
  readonly globals: ReadonlyMap<string, string>
  /** What is built for. */
  readonly target: string
}

/** What the stages of a Dockerfile begin with. */
export class Bases {
  readonly #options: BasesOptions
  readonly #images = new Map<string, Promise<Image>>()

  constructor(options: BasesOptions) {
    this.#options = options
  }

  /** @throws PLY_BAD_DOCKERFILE */
  of(stage: Stage): Base {
    const { read, contexts, target } = this.#options
    const { instruction, meaning } = stage.from
    const place = { file: read.file, line: instruction.line }
    const name = placed(place, () => this.#expanded(meaning.image))
    if (name === '')
      throw badDockerfile(
        place,
        `FROM: ${meaning.image} is nothing: say what it is by --build-arg, or give ARG a default`,
      )
    const earlier = stageNamed(read.stages, name, stage.number)
    if (contexts?.[name] === undefined && earlier !== undefined) return { is: 'stage', stage: earlier }
    const platform =
      meaning.platform === undefined
        ? target
        : placed(place, () => formatPlatform(parsePlatform(this.#expanded(meaning.platform!))))
    return name === 'scratch' ? { is: 'nothing', platform } : { is: 'image', name, platform }
  }

  /** An image that no stage is, in the store. */
  async image(name: string, platform: string): Promise<Image> {
    return this.#options.store[buildGround].keep(await this.found(name, platform), this.#options)
  }

  /** An image as it is where it was found; asked for once. */
  found(name: string, platform: string): Promise<Image> {
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
    const { contexts, resolve, store } = this.#options
    const context = contexts?.[name]
    if (context !== undefined) {
      if (typeof context === 'function') return context(platform, this.#options)
      if ('manifest' in context) return context
      throw new PlyError('PLY_USAGE', { reason: `the context ${name} is a directory, and no image to build on` })
    }
    return resolve === undefined ? store.image(name, { platform }) : resolve(name, platform, this.#options)
  }

  #expanded(text: string): string {
    const { read, globals } = this.#options
    return expandWord(text, (name) => globals.get(name), { escape: read.directives.escapeToken })
  }
}

/** What is wrong in plain words, with the line that it is about. */
export function placed<T>(place: { readonly file: string; readonly line: number }, attempt: () => T): T {
  try {
    return attempt()
  } catch (error) {
    if (error instanceof PlyError || !(error instanceof Error)) throw error
    throw badDockerfile(place, error.message, error)
  }
}
