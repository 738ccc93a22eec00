import { meant } from './failure.ts'

/** What `RUN --mount` asks for; values are as they are written, variables not put in. */
export interface RunMount {
  readonly type: 'bind' | 'cache' | 'tmpfs' | 'secret' | 'ssh'
  readonly id?: string
  readonly target?: string
  readonly source?: string
  /** A stage, an image or a named context. */
  readonly from?: string
  readonly readOnly: boolean
  readonly sharing?: 'shared' | 'private' | 'locked'
  readonly required: boolean
  /** Octal, as it is written. */
  readonly mode?: string
  readonly uid?: string
  readonly gid?: string
  /** Of a tmpfs: bytes, as it is written. */
  readonly size?: string
  /** The variable that a secret is put into. */
  readonly env?: string
}

const types = ['bind', 'cache', 'tmpfs', 'secret', 'ssh'] as const
const sharings = ['shared', 'private', 'locked'] as const
const keysOf: Readonly<Record<RunMount['type'], readonly string[]>> = {
  bind: ['target', 'source', 'from', 'readonly', 'readwrite'],
  cache: ['id', 'target', 'source', 'from', 'readonly', 'readwrite', 'sharing', 'mode', 'uid', 'gid'],
  tmpfs: ['target', 'size'],
  secret: ['id', 'target', 'env', 'required', 'mode', 'uid', 'gid'],
  ssh: ['id', 'target', 'required', 'mode', 'uid', 'gid'],
}
const synonyms: Readonly<Record<string, string>> = {
  dst: 'target',
  destination: 'target',
  src: 'source',
  ro: 'readonly',
  rw: 'readwrite',
}

/** `type=cache,target=/root/.cache,sharing=locked` @throws Error */
export function parseMount(text: string): RunMount {
  const fields = new Map<string, string | undefined>()
  for (const part of csv(text)) {
    const equals = part.indexOf('=')
    const written = (equals < 0 ? part : part.slice(0, equals)).trim().toLowerCase()
    const key = synonyms[written] ?? written
    const value = equals < 0 ? undefined : part.slice(equals + 1)
    const flag = key === 'readonly' || key === 'readwrite' || key === 'required'
    if (value === undefined && !flag) throw new Error(`the mount says nothing behind ${written}: write ${written}=…`)
    if (flag && value !== undefined && !/^(true|false|1|0)$/i.test(value))
      throw new Error(`${written} is true or false, not ${value}`)
    fields.set(key, value)
  }
  const type = typeOf(fields.get('type'))
  for (const key of fields.keys()) {
    if (key !== 'type' && !keysOf[type].includes(key))
      throw new Error(`a mount of type ${type} knows no ${key}${meant(key, keysOf[type])}`)
  }
  const sharing = fields.get('sharing')
  if (sharing !== undefined && !sharings.includes(sharing as 'shared'))
    throw new Error(`sharing is ${sharings.join(', ')}, not ${sharing}`)
  const mode = fields.get('mode')
  if (mode !== undefined && !mode.includes('$') && !/^0?[0-7]{1,4}$/.test(mode))
    throw new Error(`the mode ${mode} is not octal`)
  if (['bind', 'cache', 'tmpfs'].includes(type) && fields.get('target') === undefined)
    throw new Error(`a mount of type ${type} wants a target`)
  return {
    type,
    ...texts(fields, ['id', 'target', 'source', 'from', 'mode', 'uid', 'gid', 'size', 'env']),
    ...(sharing !== undefined && { sharing: sharing as 'shared' }),
    readOnly: said(fields, 'readonly') ?? !(said(fields, 'readwrite') ?? type !== 'bind'),
    required: said(fields, 'required') ?? false,
  }
}

function typeOf(type = 'bind'): RunMount['type'] {
  if ((types as readonly string[]).includes(type)) return type as RunMount['type']
  throw new Error(`there is no mount of type ${type}: it is ${types.join(', ')}${meant(type, types)}`)
}

function said(fields: ReadonlyMap<string, string | undefined>, key: string): boolean | undefined {
  if (!fields.has(key)) return undefined
  const value = fields.get(key)
  return value === undefined || /^(true|1)$/i.test(value)
}

function texts(fields: ReadonlyMap<string, string | undefined>, keys: readonly string[]): Record<string, string> {
  const found: Record<string, string> = {}
  for (const key of keys) {
    const value = fields.get(key)
    if (value !== undefined) found[key] = value
  }
  return found
}

/** Fields between commas; one in double quotes may hold a comma, and two quotes for one. */
function csv(text: string): string[] {
  return [...text.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(
    ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '',
  )
}
