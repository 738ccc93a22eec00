import { type Dockerfile, type Finding, parseDockerfile, targetOf } from '../dockerfile/index.ts'
import { createIndex } from '../image/edit-index.ts'
import type { Image } from '../image/image.ts'
import { type IndexParcel, parcelOf } from '../image/parcel.ts'
import { codeOf } from '../model/errors.ts'
import { formatPlatform, parsePlatform } from '../model/platform.ts'
import { clearAbandoned } from '../run/abandoned.ts'
import { buildGround } from '../store/builds/ground.ts'
import type { Store } from '../store/store.ts'
import { Building, type Stated } from './building.ts'
import type { BuildEvent, BuildOptions } from './options.ts'
import { type ProgramOptions, stagesOf } from './program/program.ts'

/** The stages of a build, and what else is said of it. */
function readBuild(given: BuildOptions | ProgramOptions): {
  readonly dockerfile: Dockerfile
  readonly options: Stated
} {
  if ('dockerfile' in given) return { dockerfile: parseDockerfile(given.dockerfile, given.file), options: given }
  const { from, steps, name, ...options } = given
  const { dockerfile, contexts } = stagesOf({ from, steps, name })
  return { dockerfile, options: { ...options, contexts: { ...options.contexts, ...contexts } } }
}

/**
 * Builds a Dockerfile, or a program in its place, in a store: the stages that its target needs, those that need nothing of each other side by side. Nothing has the
 * time of the clock or the name of the machine: the same input gives the same image. The image has no name: `Store.write` gives it one.
 *
 * @throws PLY_BAD_DOCKERFILE naming the line; PLY_ABORTED; what the disk says
 */
export async function build(store: Store, given: BuildOptions | ProgramOptions): Promise<Image> {
  const { dockerfile, options } = readBuild(given)
  using _ = await store[buildGround].hold(options)
  await clearAbandoned(store)
  await store[buildGround].removeAbandoned()
  await using building = new Building(store, dockerfile, options)
  return building.run()
}

/**
 * Builds a Dockerfile or a program for several platforms, side by side. Answers an index of the images, in the order of the platforms; it is in no
 * store yet: `Store.writeParcel` puts it into one. Nothing is emulated: see `checkRunnable`.
 *
 * @throws as `build`; PLY_USAGE for a platform that is none, or said twice
 */
export async function buildPlatforms(
  store: Store,
  { platforms, ...options }: (BuildOptions | ProgramOptions) & { readonly platforms: readonly string[] },
): Promise<IndexParcel> {
  const wanted = platforms.map((platform) => formatPlatform(parsePlatform(platform)))
  const stopped = new AbortController()
  const signal = options.signal === undefined ? stopped.signal : AbortSignal.any([options.signal, stopped.signal])
  const warned = new Set<string>()
  const images = wanted.map(async (platform) => {
    const onEvent = (event: BuildEvent) => {
      if (event.what === 'warning') {
        const key = JSON.stringify(event)
        if (!warned.has(key)) options.onEvent?.(event)
        warned.add(key)
      } else options.onEvent?.({ ...event, platform })
    }
    try {
      return await build(store, { ...options, signal, platform, onEvent })
    } catch (error) {
      stopped.abort(error)
      throw error
    }
  })
  const ended = await Promise.allSettled(images)
  // The others were only told to stop.
  const failures = ended.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []))
  if (failures.length > 0) throw failures.find((error) => codeOf(error) !== 'PLY_ABORTED') ?? failures[0]
  const { annotations, signal: from } = options
  return createIndex((await Promise.all(images)).map(parcelOf), {
    ...(annotations !== undefined && Object.keys(annotations).length > 0 && { annotations }),
    signal: from,
  })
}

/**
 * What a Dockerfile says that works, and hardly as it is meant: the checks of BuildKit, by their names. Images are asked for what they
 * set; one that is not there hides only what would depend on it. Nothing is built.
 *
 * @throws PLY_BAD_DOCKERFILE for what no build would take
 */
export async function checkBuild(store: Store, given: BuildOptions | ProgramOptions): Promise<readonly Finding[]> {
  const { dockerfile, options } = readBuild(given)
  await using building = new Building(store, dockerfile, options)
  targetOf(dockerfile, options.target)
  return building.findings(dockerfile.stages)
}
