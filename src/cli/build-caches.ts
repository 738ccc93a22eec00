import { hasColon } from './places.ts'
import { UsageError } from './usage-error.ts'

/** Where steps of other builds come from, or go to. */
export interface CachePlace {
  readonly reference: string
  readonly mode: 'min' | 'max'
  readonly compression: 'gzip' | 'zstd' | 'none'
  readonly level?: number
  /** A failure to write is said, and is no error. */
  readonly ignoreError: boolean
}

const compressions = { gzip: 'gzip', zstd: 'zstd', uncompressed: 'none' } as const
/** What BuildKit has besides, and what comes to the same here. */
const granted = ['oci-mediatypes', 'image-manifest']
const keys = {
  '--cache-from': ['type', 'src', 'tag', 'digest', 'ref'],
  '--cache-to': ['type', 'dest', 'tag', 'ref', 'mode', 'compression', 'compression-level', 'ignore-error', ...granted],
} as const

/**
 * `type=local,src=DIR` (`dest=DIR` to write), `type=registry,ref=HOST/NAME:TAG`, or a reference by itself: `oci:DIR[:TAG]`,
 * `docker://HOST/NAME:TAG`, `HOST/NAME:TAG`. @throws UsageError
 */
export function parseCachePlace(flag: keyof typeof keys, text: string): CachePlace {
  const plain = { mode: 'min', compression: 'gzip', ignoreError: false } as const
  if (!text.includes('=')) return { reference: referenceOf(text), ...plain }
  const fields = new Map<string, string>()
  for (const part of text.split(',')) {
    const equals = part.indexOf('=')
    const key = equals < 0 ? part : part.slice(0, equals)
    if (!(keys[flag] as readonly string[]).includes(key))
      throw new UsageError(`${flag} ${text}: it takes ${keys[flag].join(', ')}, and no ${key}`)
    fields.set(key, equals < 0 ? '' : part.slice(equals + 1))
  }
  const mode = fields.get('mode') ?? 'min'
  if (mode !== 'min' && mode !== 'max') throw new UsageError(`${flag} ${text}: the mode is min or max`)
  const compression = fields.get('compression') ?? 'gzip'
  if (!Object.hasOwn(compressions, compression))
    throw new UsageError(`${flag} ${text}: compression is gzip, zstd or uncompressed`)
  const level = fields.get('compression-level')
  return {
    reference: placeOf(flag, text, fields),
    mode,
    compression: compressions[compression as keyof typeof compressions],
    ...(level !== undefined && { level: Number(level) }),
    ignoreError: fields.get('ignore-error') === 'true',
  }
}

function placeOf(flag: keyof typeof keys, text: string, fields: ReadonlyMap<string, string>): string {
  const type = fields.get('type')
  if (type === 'registry') {
    const ref = fields.get('ref')
    if (ref === undefined || ref === '')
      throw new UsageError(`${flag} ${text}: say where it is: type=registry,ref=HOST/NAME:TAG`)
    return referenceOf(ref)
  }
  const key = flag === '--cache-from' ? 'src' : 'dest'
  if (type !== 'local')
    throw new UsageError(
      `${flag} ${text}: write type=local,${key}=DIR, type=registry,ref=HOST/NAME:TAG, or a reference`,
    )
  const directory = fields.get(key)
  if (directory === undefined || directory === '')
    throw new UsageError(`${flag} ${text}: say where it is: type=local,${key}=DIR`)
  if (hasColon(directory))
    throw new UsageError(`${directory} has a colon, behind which a name would begin: choose another path`)
  const digest = fields.get('digest')
  return `oci:${directory}:${fields.get('tag') ?? 'latest'}${digest === undefined ? '' : `@${digest}`}`
}

/** A name without more is one of a registry, as BuildKit has it. */
function referenceOf(text: string): string {
  return /^(?:oci|oci-archive|docker):/.test(text) ? text : `docker://${text}`
}
