import type { ExecutionConfig, History, ImageConfig } from '../model/documents.ts'
import { PlyError } from '../model/errors.ts'
import { parsePlatform } from '../model/platform.ts'
import { composeImage } from './assemble.ts'
import { saysTheSame } from './compare.ts'
import type { Image } from './image.ts'

/** What is added to a set and what is taken away, by name; a list replaces all of it, `null` takes it away. */
export type SetChange = readonly string[] | Readonly<Record<string, boolean>> | null

/** How a container is asked whether it is well (Docker's field). Durations are seconds. */
export interface Healthcheck {
  /** `['NONE']`, `['CMD', program, …]` or `['CMD-SHELL', text]`. */
  readonly test: readonly string[]
  readonly interval?: number | undefined
  readonly timeout?: number | undefined
  readonly startPeriod?: number | undefined
  readonly startInterval?: number | undefined
  readonly retries?: number | undefined
}

/** What is to be changed. What is absent stays; `null` takes a setting away. */
export interface Configuration {
  readonly entrypoint?: readonly string[] | null
  readonly cmd?: readonly string[] | null
  /** Variables by name, merged into what is there; `null` takes all of them away. */
  readonly env?: Readonly<Record<string, string | null>> | null
  readonly user?: string | null
  readonly workingDir?: string | null
  /** Merged into what is there; `null` takes all of them away. */
  readonly labels?: Readonly<Record<string, string | null>> | null
  /** `8080/tcp` */
  readonly exposedPorts?: SetChange
  readonly volumes?: SetChange
  readonly stopSignal?: string | null
  /** What runs the text of a command that is no list (Docker's field). */
  readonly shell?: readonly string[] | null
  readonly healthcheck?: Healthcheck | null
  /** What a build on top of the image begins with (Docker's field). */
  readonly onBuild?: readonly string[] | null
  /** RFC 3339. */
  readonly created?: string | null
  readonly author?: string | null
  /** `os/arch[/variant]`: all three at once, where the parts below are one each. */
  readonly platform?: string
  readonly os?: string
  readonly architecture?: string
  readonly variant?: string | null
  readonly osVersion?: string | null
  readonly osFeatures?: readonly string[] | null
  /** Annotations of the manifest, merged into what is there; `null` takes all of them away. */
  readonly annotations?: Readonly<Record<string, string | null>> | null
  /** A step without a layer to add to the history. */
  readonly history?: History
}

/**
 * The image with another configuration. Layers stay as they are, and so does every field that is not named. What changes nothing
 * gives the same image, byte for byte.
 *
 * @throws PLY_USAGE for a name that is empty or has `=`, a time that is none, a port that is none, and a platform that is none
 */
export function configure(image: Image, changes: Configuration): Image {
  checkChanges(changes)
  const { rootfs: _, config: execution = {}, history = [], ...config } = image.config
  const changed = executionWith(execution, changes)
  const { annotations, ...manifest } = image.manifest
  const merged = merge(annotations, changes.annotations)
  const parts = {
    manifest: {
      ...manifest,
      mediaType: manifest.mediaType ?? image.descriptor.mediaType,
      ...(merged !== undefined && { annotations: merged }),
    },
    config: {
      ...config,
      ...set('created', changes.created),
      ...set('author', changes.author),
      ...platformOf(changes),
      ...(Object.keys(changed).length > 0 && { config: changed }),
      ...(changes.history === undefined
        ? image.config.history !== undefined && { history }
        : { history: [...history, { ...changes.history, empty_layer: true }] }),
    } as Omit<ImageConfig, 'rootfs'>,
    layers: image.layers,
  }
  const made = composeImage(parts)
  return saysTheSame(made, image) ? image : made
}

function checkChanges({ exposedPorts, created, healthcheck }: Configuration): void {
  for (const port of exposedPorts ? namesOf(exposedPorts) : []) {
    if (!/^\d{1,5}(?:-\d{1,5})?(?:\/[a-z]+)?$/.test(port))
      throw new PlyError('PLY_USAGE', { reason: `not a port: ${JSON.stringify(port)}; write 8080, 8080/tcp or 53/udp` })
  }
  if (typeof created === 'string' && !(rfc3339.test(created) && Number.isFinite(Date.parse(created))))
    throw new PlyError('PLY_USAGE', { reason: `not a time: ${JSON.stringify(created)}; write 2024-01-31T12:00:00Z` })
  const { retries } = healthcheck ?? {}
  if (retries !== undefined && !(Number.isSafeInteger(retries) && retries >= 0))
    throw new PlyError('PLY_USAGE', { reason: `not a number of retries: ${retries}` })
  for (const name of ['interval', 'timeout', 'startPeriod', 'startInterval'] as const) {
    const seconds = healthcheck?.[name]
    if (seconds !== undefined && !(seconds >= 0 && Number.isSafeInteger(Math.round(seconds * 1e9))))
      throw new PlyError('PLY_USAGE', { reason: `not a number of seconds: ${seconds} (${name} of the healthcheck)` })
  }
}

const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/

function executionWith(execution: ExecutionConfig, changes: Configuration): ExecutionConfig {
  const { Env, Labels, ...rest } = execution
  const env = mergeEnv(Env, changes.env)
  const labels = merge(Labels, changes.labels)
  const result = {
    ...rest,
    ...(env !== undefined && { Env: env }),
    ...(labels !== undefined && { Labels: labels }),
    ...set('Entrypoint', changes.entrypoint),
    ...set('Cmd', changes.cmd),
    ...set('User', changes.user),
    ...set('WorkingDir', changes.workingDir),
    ...set('ExposedPorts', mergeSet(execution.ExposedPorts, changes.exposedPorts)),
    ...set('Volumes', mergeSet(execution.Volumes, changes.volumes)),
    ...set('StopSignal', changes.stopSignal),
    ...set('Shell', changes.shell),
    ...set('Healthcheck', changes.healthcheck && healthcheckOf(changes.healthcheck)),
    ...set('OnBuild', changes.onBuild),
  }
  return Object.fromEntries(Object.entries(result).filter(([, value]) => value !== undefined))
}

/** A member to spread: nothing to keep what is there, `undefined` to take it away. */
function set(name: string, value: unknown): object {
  return value === undefined ? {} : { [name]: value ?? undefined }
}

function namesOf(change: NonNullable<SetChange>): readonly string[] {
  return isList(change) ? change : Object.keys(change)
}

function isList(change: NonNullable<SetChange>): change is readonly string[] {
  return Array.isArray(change)
}

function mergeSet(
  old: Readonly<Record<string, object>> | undefined,
  change: SetChange | undefined,
): object | null | undefined {
  if (change === null || change === undefined) return change
  if (isList(change)) return Object.fromEntries(change.map((name) => [name, {}]))
  const merged = new Map(Object.entries(old ?? {}))
  for (const [name, wanted] of Object.entries(change)) {
    if (!wanted) merged.delete(name)
    else if (!merged.has(name)) merged.set(name, {})
  }
  return merged.size === 0 ? null : Object.fromEntries(merged)
}

/** As Docker has it: durations are whole nanoseconds. */
function healthcheckOf({ test, retries, ...durations }: Healthcheck): object {
  const { interval, timeout, startPeriod, startInterval } = durations
  const times = { Interval: interval, Timeout: timeout, StartPeriod: startPeriod, StartInterval: startInterval }
  const told = Object.entries(times).flatMap(([name, seconds]) =>
    seconds === undefined ? [] : [[name, Math.round(seconds * 1e9)] as const],
  )
  return { Test: test, ...Object.fromEntries(told), ...(retries !== undefined && { Retries: retries }) }
}

function platformOf({ platform, os, architecture, variant, osVersion, osFeatures }: Configuration): object {
  return {
    ...(platform !== undefined && { variant: undefined, ...parsePlatform(platform) }),
    ...(os !== undefined && { os }),
    ...(architecture !== undefined && { architecture }),
    ...set('variant', variant),
    ...set('os.version', osVersion),
    ...set('os.features', osFeatures),
  }
}

function merge(
  old: Readonly<Record<string, string>> | undefined,
  changes: Readonly<Record<string, string | null>> | null | undefined,
): Record<string, string> | undefined {
  if (changes === undefined) return old
  if (changes === null) return undefined
  const merged = new Map(Object.entries(old ?? {}))
  for (const [name, value] of Object.entries(changes)) {
    if (name === '') throw new PlyError('PLY_USAGE', { reason: 'a label or annotation needs a name' })
    if (value === null) merged.delete(name)
    else merged.set(name, value)
  }
  return merged.size === 0 ? undefined : Object.fromEntries(merged)
}

function mergeEnv(
  old: readonly string[] | undefined,
  changes: Readonly<Record<string, string | null>> | null | undefined,
): readonly string[] | undefined {
  if (changes === undefined) return old
  if (changes === null) return undefined
  const nameOf = (variable: string) => variable.split('=', 1)[0]!
  const wanted = new Map(Object.entries(changes))
  for (const name of wanted.keys()) {
    if (name === '' || /[=\0]/.test(name))
      throw new PlyError('PLY_USAGE', { reason: `not a variable name: ${JSON.stringify(name)}` })
  }
  // A variable keeps its place, since later ones may be read in order.
  const kept = (old ?? []).flatMap((variable) => {
    const value = wanted.get(nameOf(variable))
    if (value === undefined) return [variable]
    wanted.delete(nameOf(variable))
    return value === null ? [] : [`${nameOf(variable)}=${value}`]
  })
  const added = [...wanted].flatMap(([name, value]) => (value === null ? [] : [`${name}=${value}`]))
  return kept.length + added.length === 0 ? undefined : [...kept, ...added]
}
