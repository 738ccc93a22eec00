import * as Flags from '@oclif/core/flags'
import type { Configuration, Healthcheck, WithImagesOptions } from './library.ts'
import { UsageError } from './usage-error.ts'

const many = { multiple: true, multipleNonGreedy: true } as const

const pair = (summary: string, helpValue = 'NAME=VALUE') => Flags.string({ ...many, helpValue, summary })
const text = (summary: string, helpValue = 'TEXT') => Flags.string({ helpValue, summary })
const command = (summary: string) => Flags.string({ helpValue: 'COMMAND', summary })

/** What may be said of a container's start, the image and its manifest. */
export const configurationFlags = {
  env: Flags.string({ ...many, char: 'e', helpValue: 'NAME=VALUE', summary: 'Set a variable of the environment.' }),
  label: Flags.string({ ...many, char: 'l', helpValue: 'NAME=VALUE', summary: 'Set a label.' }),
  annotation: pair(
    'Set an annotation of the manifest; manifest-descriptor: and index: before the name mean the entry in the index, and the index.',
    '[LEVEL:]NAME=VALUE',
  ),
  entrypoint: command('What is started: a JSON list, or text for the shell.'),
  cmd: command('Its arguments, or what is started: a JSON list, or text for the shell.'),
  user: text('Who it runs as: USER[:GROUP].', 'USER'),
  workdir: text('Where it starts.', 'DIR'),
  expose: pair('Add a port that it listens on: 8080, 53/udp.', 'PORT'),
  volume: pair('Add a directory that is to be a volume.', 'DIR'),
  'stop-signal': text('How it is told to end: SIGTERM.', 'SIGNAL'),
  shell: command('What runs the text of a command: a JSON list.'),
  healthcheck: command('How to ask it whether it is well: a JSON list, text for the shell, or NONE.'),
  'health-interval': text('Between two such questions: 30s, 1m.', 'TIME'),
  'health-timeout': text('How long an answer may take.', 'TIME'),
  'health-start-period': text('How long a no does not count at the start.', 'TIME'),
  'health-start-interval': text('Between two questions in that time.', 'TIME'),
  'health-retries': Flags.integer({ helpValue: 'N', min: 0, summary: 'After how many a no is one.' }),
  onbuild: pair('Add an instruction for builds on top of the image.', 'INSTRUCTION'),
  author: text('Who made it.'),
  created: text('When: 2024-01-31T12:00:00Z, or seconds since 1970.', 'TIME'),
  os: text('What it runs on: linux.', 'OS'),
  architecture: text('What machine it runs on: amd64, arm64.', 'ARCH'),
  variant: text('Which form of that: v7, v8.', 'VARIANT'),
  'os-version': text('Which version of the system it needs.', 'VERSION'),
  'os-feature': pair('Add a feature of the system that it needs.', 'NAME'),
  remove: Flags.string({
    ...many,
    helpValue: 'FIELD[=NAME]',
    summary: `Take a field away, or one name of it: cmd, env=PATH, label=x, expose=80/tcp, annotation=x. Repeatable.`,
  }),
  message: Flags.string({ char: 'm', helpValue: 'TEXT', summary: 'Add a step to the history that says this.' }),
}

type ConfigurationFlags = {
  readonly [Name in Exclude<keyof typeof configurationFlags, 'health-retries'>]?: string | readonly string[] | undefined
} & { readonly 'health-retries'?: number | undefined }

/** Flags of fields that are one value, and of those that are several by name. */
const singles = {
  entrypoint: 'entrypoint',
  cmd: 'cmd',
  user: 'user',
  workdir: 'workingDir',
  'stop-signal': 'stopSignal',
  shell: 'shell',
  healthcheck: 'healthcheck',
  onbuild: 'onBuild',
  author: 'author',
  created: 'created',
  variant: 'variant',
  'os-version': 'osVersion',
  'os-feature': 'osFeatures',
} as const
const named = { env: 'env', label: 'labels', expose: 'exposedPorts', volume: 'volumes' } as const

/** What an image had before that flags may refer to. */
export interface Had {
  readonly Shell?: unknown
  readonly OnBuild?: unknown
  readonly Healthcheck?: unknown
  readonly features?: unknown
}

/** The flags as changes. @throws UsageError */
export function configurationOf(flags: ConfigurationFlags, had: Had): Configuration {
  const changes: Record<string, unknown> = {}
  const one = (name: keyof ConfigurationFlags) => flags[name] as string | undefined
  const all = (name: keyof ConfigurationFlags) => (flags[name] as readonly string[] | undefined) ?? []
  const shell =
    flags.shell === undefined ? (had.Shell as readonly string[] | undefined) : listOf('shell', one('shell')!)
  for (const name of ['user', 'workdir', 'stop-signal', 'author', 'variant', 'os-version'] as const)
    if (one(name) !== undefined) changes[singles[name]] = one(name)
  for (const name of ['os', 'architecture'] as const) if (one(name) !== undefined) changes[name] = one(name)
  for (const name of ['entrypoint', 'cmd'] as const)
    if (one(name) !== undefined) changes[name] = commandOf(name, one(name)!, shell)
  if (flags.shell !== undefined) changes.shell = shell
  if (one('created') !== undefined) changes.created = timeOf(one('created')!)
  if (all('onbuild').length > 0) changes.onBuild = [...((had.OnBuild as string[] | undefined) ?? []), ...all('onbuild')]
  if (all('os-feature').length > 0)
    changes.osFeatures = [...new Set([...((had.features as string[] | undefined) ?? []), ...all('os-feature')])]
  const healthcheck = healthcheckOf(flags, had)
  if (healthcheck !== undefined) changes.healthcheck = healthcheck
  for (const name of ['env', 'label'] as const)
    if (all(name).length > 0) changes[named[name]] = Object.fromEntries(all(name).map((word) => pairOf(name, word)))
  if (all('expose').length > 0)
    changes.exposedPorts = Object.fromEntries(all('expose').map((port) => [portOf(port), true]))
  if (all('volume').length > 0) changes.volumes = Object.fromEntries(all('volume').map((path) => [path, true]))
  const annotations = annotationsOf(flags, 'manifest')
  if (annotations !== undefined) changes.annotations = annotations
  for (const word of all('remove')) remove(word, changes)
  const { message } = flags
  if (message !== undefined) changes.history = { created_by: 'ply config', comment: message }
  return changes as Configuration
}

/** What the flags say of the index and its entries. */
export function indexChangesOf(flags: ConfigurationFlags): Pick<WithImagesOptions, 'annotations' | 'entryAnnotations'> {
  const annotations = annotationsOf(flags, 'index') as WithImagesOptions['annotations']
  const entryAnnotations = annotationsOf(flags, 'manifest-descriptor') as WithImagesOptions['entryAnnotations']
  return { ...(annotations && { annotations }), ...(entryAnnotations && { entryAnnotations }) }
}

function remove(word: string, changes: Record<string, unknown>): void {
  const [field, name] = cut(word)
  if (field === 'annotation') {
    // One by one it is among the annotations; levels of their own are told apart there.
    if (name === undefined) changes.annotations = null
    return
  }
  if (Object.hasOwn(named, field)) {
    const key = named[field as keyof typeof named]
    if (name === undefined) changes[key] = null
    else {
      const value = field === 'env' || field === 'label' ? null : false
      changes[key] = { ...(changes[key] as object | undefined), [field === 'expose' ? portOf(name) : name]: value }
    }
    return
  }
  if (Object.hasOwn(singles, field) && name === undefined) {
    changes[singles[field as keyof typeof singles]] = null
    return
  }
  const fields = [...Object.keys(singles), ...Object.keys(named), 'annotation'].join(', ')
  throw new UsageError(
    `--remove ${word}: write one of ${fields}; of env, label, expose, volume and annotation also =NAME`,
  )
}

type Level = 'manifest' | 'manifest-descriptor' | 'index'

/** `undefined` if nothing is said of the level; `null` takes a name away. */
function annotationsOf(flags: ConfigurationFlags, level: Level): Record<string, string | null> | undefined {
  const found: Record<string, string | null> = {}
  for (const word of (flags.annotation as readonly string[] | undefined) ?? []) {
    const [at, rest] = levelOf(word)
    const [name, value] = pairOf('annotation', rest)
    if (at === level) found[name] = value
  }
  for (const word of (flags.remove as readonly string[] | undefined) ?? []) {
    const [field, name] = cut(word)
    if (field !== 'annotation' || name === undefined) continue
    const [at, rest] = levelOf(name)
    if (at === level) found[rest] = null
  }
  return Object.keys(found).length > 0 ? found : undefined
}

function levelOf(word: string): readonly [Level, string] {
  const [, level, rest] = /^(manifest|manifest-descriptor|index):(.*)$/s.exec(word) ?? []
  return level === undefined ? ['manifest', word] : [level as Level, rest!]
}

function cut(word: string): readonly [string, string | undefined] {
  const at = word.indexOf('=')
  return at < 0 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)]
}

function pairOf(flag: string, word: string): readonly [string, string] {
  const [name, value] = cut(word)
  if (name === '' || value === undefined) throw new UsageError(`--${flag} ${word}: write NAME=VALUE`)
  return [name, value]
}

function portOf(text: string): string {
  return text.includes('/') ? text.toLowerCase() : `${text}/tcp`
}

function listOf(flag: string, text: string): readonly string[] {
  let list: unknown
  try {
    list = JSON.parse(text)
  } catch {
    list = undefined
  }
  if (Array.isArray(list) && list.every((word) => typeof word === 'string')) return list
  throw new UsageError(`--${flag} ${text}: write a JSON list of texts, such as '["/bin/sh", "-c"]'`)
}

/** As in a Dockerfile: a list as it is, any other text for the shell. */
function commandOf(flag: string, text: string, shell: readonly string[] = ['/bin/sh', '-c']): readonly string[] {
  return text.trimStart().startsWith('[') ? listOf(flag, text) : [...shell, text]
}

function timeOf(text: string): string {
  return /^\d{1,13}$/.test(text) ? new Date(Number(text) * 1000).toISOString().replace('.000Z', 'Z') : text
}

function healthcheckOf(flags: ConfigurationFlags, had: Had): Healthcheck | undefined {
  const before = (had.Healthcheck ?? {}) as Readonly<Record<string, unknown>>
  const seconds = (flag: keyof ConfigurationFlags, field: string) => {
    const text = flags[flag] as string | undefined
    const known = before[field]
    return text === undefined ? (typeof known === 'number' ? known / 1e9 : undefined) : durationOf(flag, text)
  }
  const text = flags.healthcheck as string | undefined
  const says = Object.keys(flags).some(
    (name) => name.startsWith('health') && flags[name as keyof typeof flags] !== undefined,
  )
  if (!says) return undefined
  if (text === undefined && !Array.isArray(before.Test))
    throw new UsageError('there is no healthcheck yet: say with --healthcheck what it is')
  if (text === 'NONE') return { test: ['NONE'] }
  const test =
    text === undefined
      ? (before.Test as readonly string[])
      : text.trimStart().startsWith('[')
        ? ['CMD', ...listOf('healthcheck', text)]
        : ['CMD-SHELL', text]
  const retries = flags['health-retries'] ?? (before.Retries as number | undefined)
  const all = {
    interval: seconds('health-interval', 'Interval'),
    timeout: seconds('health-timeout', 'Timeout'),
    startPeriod: seconds('health-start-period', 'StartPeriod'),
    startInterval: seconds('health-start-interval', 'StartInterval'),
    retries,
  }
  return { test, ...all }
}

const units = { ms: 1e-3, s: 1, m: 60, h: 3600 } as const

/** `30s`, `1m30s`, `500ms`, as Docker writes them. */
function durationOf(flag: string, text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)]
  if (parts.length === 0 || parts.map(([whole]) => whole).join('') !== text)
    throw new UsageError(`--${flag} ${text}: write 30s, 1m30s or 500ms`)
  return parts.reduce((sum, [, number, unit]) => sum + Number(number) * units[unit as keyof typeof units], 0)
}
