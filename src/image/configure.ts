import type { ExecutionConfig, History, ImageConfig } from '../model/documents.ts'
import { PlyError } from '../model/errors.ts'
import { parsePlatform } from '../model/platform.ts'
import { composeImage } from './assemble.ts'
import type { Image } from './image.ts'

/** What is to be changed. What is absent stays; `null` takes a setting away. */
export interface Configuration {
  readonly entrypoint?: readonly string[] | null
  readonly cmd?: readonly string[] | null
  /** Variables by name, merged into what is there. */
  readonly env?: Readonly<Record<string, string | null>>
  readonly user?: string | null
  readonly workingDir?: string | null
  /** Merged into what is there. */
  readonly labels?: Readonly<Record<string, string | null>>
  /** Replace what is there: `8080/tcp`. */
  readonly exposedPorts?: readonly string[] | null
  /** Replace what is there. */
  readonly volumes?: readonly string[] | null
  readonly stopSignal?: string | null
  /** RFC 3339. */
  readonly created?: string | null
  readonly author?: string | null
  /** `os/arch[/variant]` */
  readonly platform?: string
  /** Annotations of the manifest, merged into what is there. */
  readonly annotations?: Readonly<Record<string, string | null>>
  /** A step without a layer to add to the history. */
  readonly history?: History
}

/**
 * The image with another configuration. Layers stay as they are, and so does every field that is not named.
 *
 * @throws PLY_USAGE for a variable name that is empty or has `=`, and for a platform that is none
 */
export function configure(image: Image, changes: Configuration): Image {
  const { rootfs: _, config: execution = {}, history = [], ...config } = image.config
  const changed = executionWith(execution, changes)
  const { annotations, ...manifest } = image.manifest
  const merged = merge(annotations, changes.annotations)
  return composeImage({
    manifest: {
      ...manifest,
      mediaType: manifest.mediaType ?? image.descriptor.mediaType,
      ...(merged !== undefined && { annotations: merged }),
    },
    config: {
      ...config,
      ...set('created', changes.created),
      ...set('author', changes.author),
      ...platformOf(changes.platform),
      ...(Object.keys(changed).length > 0 && { config: changed }),
      ...(changes.history === undefined
        ? image.config.history !== undefined && { history }
        : { history: [...history, { ...changes.history, empty_layer: true }] }),
    } as Omit<ImageConfig, 'rootfs'>,
    layers: image.layers,
  })
}

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
    ...set('ExposedPorts', keys(changes.exposedPorts)),
    ...set('Volumes', keys(changes.volumes)),
    ...set('StopSignal', changes.stopSignal),
  }
  return Object.fromEntries(Object.entries(result).filter(([, value]) => value !== undefined))
}

/** A member to spread: nothing to keep what is there, `undefined` to take it away. */
function set(name: string, value: unknown): object {
  return value === undefined ? {} : { [name]: value ?? undefined }
}

function keys(names: readonly string[] | null | undefined): object | null | undefined {
  return names === null || names === undefined ? names : Object.fromEntries(names.map((name) => [name, {}]))
}

function platformOf(text: string | undefined): object {
  return text === undefined ? {} : { variant: undefined, ...parsePlatform(text) }
}

function merge(
  old: Readonly<Record<string, string>> | undefined,
  changes: Readonly<Record<string, string | null>> | undefined,
): Record<string, string> | undefined {
  if (changes === undefined) return old
  const merged = new Map(Object.entries(old ?? {}))
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) merged.delete(name)
    else merged.set(name, value)
  }
  return merged.size === 0 ? undefined : Object.fromEntries(merged)
}

function mergeEnv(
  old: readonly string[] | undefined,
  changes: Readonly<Record<string, string | null>> | undefined,
): readonly string[] | undefined {
  if (changes === undefined) return old
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
