import fs from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { codeOf, PlyError } from '../../model/errors.ts'
import { badDocument } from '../../model/json.ts'
import { withPath } from '../../sys/system-error.ts'
import { environmentOf, type RegistryOptions } from './options.ts'
import { hostOf, type RemoteName } from './remote-name.ts'
import type { Endpoint } from './session.ts'
import { parseToml, type TomlTable, type TomlValue } from './toml.ts'

/** One `[[registry]]` of `registries.conf` (containers-registries.conf(5), version 2). */
interface Rule {
  readonly prefix: string
  readonly location: string
  readonly insecure: boolean
  readonly blocked: boolean
  readonly digestOnly: boolean
  readonly mirrors: readonly {
    readonly location: string
    readonly insecure: boolean
    readonly pulls: string
  }[]
}

/**
 * Where an image is to be had, in the order in which to ask: the mirrors that the settings of this machine name for it, then the
 * registry itself, or what stands in for it.
 *
 * @throws PLY_REFUSED if the settings block it; PLY_BAD_DOCUMENT naming the line
 */
export function pullEndpoints(name: RemoteName, options: RegistryOptions): Endpoint[] {
  const rule = ruleFor(name, options)
  const byDigest = name.digest !== undefined
  const mirrors = (rule?.mirrors ?? []).filter(({ pulls }) =>
    rule!.digestOnly || pulls === 'digest-only' ? byDigest : pulls !== 'tag-only' || !byDigest,
  )
  return [...mirrors.map((mirror) => moved(name, rule!.prefix, mirror)), primary(name, rule)]
}

/** Where an image goes: never a mirror. @throws as `pullEndpoints` */
export function pushEndpoint(name: RemoteName, options: RegistryOptions): Endpoint {
  return primary(name, ruleFor(name, options))
}

function ruleFor(name: RemoteName, options: RegistryOptions): Rule | undefined {
  const full = `${name.registry}/${name.repository}`
  const matching = rulesOf(options).filter(({ prefix }) => covers(prefix, full))
  const rule = matching.sort((a, b) => b.prefix.length - a.prefix.length)[0]
  if (!rule?.blocked) return rule
  const reason = `the settings of this machine (registries.conf) block ${rule.prefix}`
  throw new PlyError('PLY_REFUSED', { registry: name.registry, reason })
}

function covers(prefix: string, full: string): boolean {
  if (prefix.startsWith('*.')) return full.split('/', 1)[0]!.endsWith(prefix.slice(1))
  return full === prefix || (full.startsWith(prefix) && '/:@'.includes(full[prefix.length]!))
}

function primary(name: RemoteName, rule: Rule | undefined): Endpoint {
  if (rule === undefined) return endpointOf(name.registry, name.repository, false)
  return rule.location === ''
    ? endpointOf(name.registry, name.repository, rule.insecure)
    : moved(name, rule.prefix, rule)
}

/** The name with another beginning. */
function moved(
  { registry, repository }: RemoteName,
  prefix: string,
  to: { readonly location: string; readonly insecure: boolean },
): Endpoint {
  const full = `${registry}/${repository}`
  const kept = prefix.startsWith('*.') ? full.slice(registry.length) : full.slice(prefix.length)
  const target = `${to.location}${kept}`
  const slash = target.indexOf('/')
  return endpointOf(target.slice(0, slash), target.slice(slash + 1), to.insecure)
}

function endpointOf(registry: string, repository: string, insecure: boolean): Endpoint {
  return { registry, host: hostOf(registry), repository, insecure }
}

/** `CONTAINERS_REGISTRIES_CONF` alone, or the user's file, or the system's; then what their directories add, rule by rule. */
function rulesOf(options: RegistryOptions): Rule[] {
  const environment = environmentOf(options)
  const only = environment.CONTAINERS_REGISTRIES_CONF || environment.REGISTRIES_CONFIG_PATH
  const user = join(environment.XDG_CONFIG_HOME || join(environment.HOME ?? homedir(), '.config'), 'containers')
  const system = '/etc/containers'
  const main = only ? [only] : [join(user, 'registries.conf'), join(system, 'registries.conf')]
  const first = main.map((path) => [path, read(path)] as const).find(([, text]) => text !== undefined)
  const added = only ? [] : [system, user].flatMap((directory) => dropIns(join(directory, 'registries.conf.d')))
  const rules = new Map<string, Rule>()
  for (const [path, text] of [...(first === undefined ? [] : [first]), ...added])
    for (const rule of rulesIn(text!, path)) rules.set(rule.prefix, rule)
  return [...rules.values()]
}

function dropIns(directory: string): (readonly [string, string])[] {
  let names: string[]
  try {
    names = fs.readdirSync(directory)
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(codeOf(error) ?? '')) return []
    throw withPath(error, directory)
  }
  const files = names.filter((name) => name.endsWith('.conf')).sort()
  return files.map((name) => [join(directory, name), read(join(directory, name)) ?? ''] as const)
}

function read(path: string): string | undefined {
  try {
    return fs.readFileSync(path, 'utf8')
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(codeOf(error) ?? '')) return undefined
    throw withPath(error, path)
  }
}

function rulesIn(text: string, path: string): Rule[] {
  // Most machines have a file of comments and names.
  if (!/^\s*\[\[?\s*registry\b/m.test(text)) return []
  const { registry } = parseToml(text, path)
  return tables(registry, 'registry', path).map((table): Rule => {
    const location = textIn(table, 'location', path)
    const prefix = textIn(table, 'prefix', path) || location
    if (prefix === '') throw badDocument(path, 'a [[registry]] has neither prefix nor location')
    return {
      prefix,
      location,
      insecure: table.insecure === true,
      blocked: table.blocked === true,
      digestOnly: table['mirror-by-digest-only'] === true,
      mirrors: tables(table.mirror, 'mirror', path).map((mirror) => ({
        location: textIn(mirror, 'location', path) || fail(path, 'a [[registry.mirror]] has no location'),
        insecure: mirror.insecure === true,
        pulls: textIn(mirror, 'pull-from-mirror', path) || 'all',
      })),
    }
  })
}

function tables(value: TomlValue | undefined, name: string, path: string): TomlTable[] {
  if (value === undefined) return []
  const list = Array.isArray(value) ? value : [value]
  return list.map((one) => (isTable(one) ? one : fail(path, `${name} is no table`)))
}

function isTable(value: TomlValue): value is TomlTable {
  return typeof value === 'object' && !Array.isArray(value) && !(value instanceof Date)
}

function textIn(table: TomlTable, name: string, path: string): string {
  const value = table[name] ?? ''
  return typeof value === 'string' ? value.replace(/\/+$/, '') : fail(path, `${name} is not a text`)
}

function fail(path: string, reason: string): never {
  throw badDocument(path, reason)
}
