import { hasColon } from './places.ts'
import { UsageError } from './usage-error.ts'

/** A place that the result of a build goes to. */
export interface BuildOutput {
  readonly type: 'image' | 'registry' | 'oci' | 'docker' | 'tar' | 'local' | 'cacheonly'
  /** A path, or `-` for stdout; what has no place there is in the store. */
  readonly dest?: string
  /** Names in the place of those of `-t`. */
  readonly names: readonly string[]
  /** Of `oci`: a directory, and no archive. */
  readonly directory: boolean
  readonly compress?: 'gzip' | 'zstd' | 'none'
  readonly level?: number
}

const types = ['image', 'registry', 'oci', 'docker', 'tar', 'local', 'cacheonly'] as const
const compressions = { gzip: 'gzip', zstd: 'zstd', uncompressed: 'none' } as const
const keys = ['type', 'dest', 'name', 'push', 'tar', 'compression', 'compression-level']

/** `type=TYPE,dest=PATH`, a directory, or `-` for a tar on stdout. @throws UsageError */
export function parseBuildOutput(text: string): BuildOutput {
  const plain = { names: [], directory: false }
  if (text === '-') return { type: 'tar', dest: '-', ...plain }
  if (!text.includes('=')) return { type: 'local', dest: text, ...plain }
  const fields = new Map<string, string>()
  for (const part of text.match(/(?:[^,"]|"[^"]*")+/g) ?? []) {
    const [, key = part, value = ''] = /^"?([^=]*)=(.*?)"?$/s.exec(part) ?? []
    if (!keys.includes(key)) throw new UsageError(`-o ${text}: it takes ${keys.join(', ')}, and no ${key}`)
    fields.set(key, value.replace(/^"/, ''))
  }
  const said = fields.get('type')
  const type = types.find((one) => one === said)
  if (type === undefined) throw new UsageError(`-o ${text}: the type is ${types.join(', ')}`)
  const dest = fields.get('dest')
  const places = ['oci', 'docker', 'tar', 'local']
  if (places.includes(type) && (dest === undefined || dest === ''))
    throw new UsageError(`-o ${text}: say where it goes: type=${type},dest=PATH`)
  if (!places.includes(type) && dest !== undefined) throw new UsageError(`-o ${text}: type=${type} has no dest`)
  const name = fields.get('name')
  const compression = fields.get('compression')
  const compress = compressions[compression as 'gzip']
  if (compression !== undefined && (compress === undefined || !['oci', 'registry', 'image'].includes(type)))
    throw new UsageError(`-o ${text}: compression is gzip, zstd or uncompressed, of oci and registry`)
  const level = fields.get('compression-level')
  return {
    type: type === 'image' && fields.get('push') === 'true' ? 'registry' : type,
    ...(dest !== undefined && { dest }),
    names: name === undefined ? [] : name.split(','),
    directory: fields.get('tar') === 'false',
    ...(compress !== undefined && { compress }),
    ...(level !== undefined && { level: Number(level) }),
  }
}

/** The references of the places outside of the store. @throws UsageError where a name or a path cannot be one */
export function referencesOf(output: BuildOutput, tags: readonly string[]): readonly string[] {
  const { type, dest = '', directory } = output
  const names = output.names.length > 0 ? output.names : tags
  if (hasColon(dest)) throw new UsageError(`${dest} has a colon, behind which a name would begin: choose another path`)
  switch (type) {
    case 'registry':
      if (names.length === 0) throw new UsageError('say by what name it goes to the registry: -t HOST/NAME:TAG')
      return names.map((name) => `docker://${name}`)
    case 'oci':
      return [`${directory ? 'oci' : 'oci-archive'}:${dest}`]
    case 'docker':
      return [`docker-archive:${dest}`]
    case 'tar':
      return [`tar:${dest}`]
    case 'local':
      return [`rootfs:${dest}`]
    default:
      return []
  }
}
