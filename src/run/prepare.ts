import { statSync } from 'node:fs'
import { posix } from 'node:path'
import { encodeText } from '../model/bytes.ts'
import type { ExecutionConfig } from '../model/documents.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import { type CommandNamespace, namespaceOfCommand } from '../mount/command.ts'
import type { Tree } from '../stack/tree.ts'
import type { Container } from '../store/containers/container.ts'
import type { Store } from '../store/store.ts'
import { resolvePath } from '../union/resolve.ts'
import type { WritableUnion } from '../union/union.ts'
import { closedNamespaces, moreUsers, openNamespaces } from './abilities.ts'
import { type Identity, identityIn } from './identity.ts'
import { placeIn } from './places.ts'
import type { RunOptions } from './run.ts'
import type { BindMount } from './spec.ts'

/** What of a container is asked of its own files. */
export interface Prepared {
  readonly identity: Identity
  readonly environment: readonly string[]
  readonly directory: string
  /** Targets are where their paths lead. */
  readonly mounts: readonly BindMount[]
  readonly temporary: Readonly<Record<string, readonly string[]>>
  readonly inNamespace: boolean
  readonly manyOwners: boolean
  readonly namespace: CommandNamespace
  /** What is there only because something is mounted on it. */
  readonly made: readonly string[]
}

const usualPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
/** Files of the host that a container on its network needs. */
const fromHost = ['/etc/resolv.conf', '/etc/hosts']
const system = ['/proc', '/dev', '/sys']

/**
 * Asks a container who is to run there and where, and makes the directory to begin in.
 *
 * @throws PLY_USAGE for somebody whom it does not know; PLY_UNSUPPORTED for who cannot be had here
 */
export async function prepare(
  store: Store,
  name: string,
  config: ExecutionConfig,
  options: RunOptions,
): Promise<Prepared> {
  await using container = await store.containers.open(name)
  const tree = container.tree
  const identity = identityIn(tree, options.user ?? config.User)
  const directory = posix.resolve('/', options.directory ?? config.WorkingDir ?? '/')
  if (!isDirectory(tree, directory)) container.fs.mkdirSync(directory, { recursive: true })
  const own = fromHost.filter((path) => statSync(path, { throwIfNoEntry: false }) !== undefined)
  const mounts = [
    ...own.map((path) => ({ source: path, target: placeIn(tree, path), readOnly: true })),
    ...(options.mounts ?? []).map((mount) => ({ ...mount, target: placeIn(tree, mount.target) })),
  ]
  const temporary = Object.fromEntries(
    Object.entries(options.temporary ?? {}).map(([path, how]) => [placeIn(tree, path), how]),
  )
  const wanted = [...system, ...mounts.map(({ target }) => target), ...Object.keys(temporary)]
  const namespace = namespaceOfCommand()
  const { enter, owners } = namespace
  if (enter.length === 0)
    throw new PlyError('PLY_UNSUPPORTED', {
      what: 'running a container as this user',
      reason: `${closedNamespaces(namespace)}; ${openNamespaces}`,
    })
  if (owners === 'root' && (identity.uid !== 0 || identity.gid !== 0)) throw nobodyElse(identity)
  return {
    identity,
    environment: environmentOf(config, options, identity),
    directory,
    mounts,
    temporary,
    namespace,
    inNamespace: owners !== 'all',
    manyOwners: owners !== 'root',
    made: [...new Set(wanted.flatMap(withAncestors))].filter((path) => !isThere(tree, path)),
  }
}

function environmentOf(
  { Env = [] }: ExecutionConfig,
  { environment = [], terminal }: RunOptions,
  { home }: Identity,
): string[] {
  const variables = new Map(
    [usualPath, ...(terminal ? ['TERM=xterm'] : []), `HOME=${home}`, ...Env, ...environment].map(
      (one) => [one.split('=', 1)[0]!, one] as const,
    ),
  )
  return [...variables.values()]
}

function isDirectory(tree: Tree, path: string): boolean {
  try {
    const { ino } = resolvePath(tree, encodeText(path), { follow: true })
    return ino !== undefined && tree.stat(ino).kind === 'directory'
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(codeOf(error) ?? '')) return false
    throw error
  }
}

function isThere(tree: Tree, path: string): boolean {
  try {
    return resolvePath(tree, encodeText(path), { follow: false }).ino !== undefined
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(codeOf(error) ?? '')) return false
    throw error
  }
}

/** A path, and every directory above it but the root. */
function withAncestors(path: string): string[] {
  const names = path.split('/').filter((name) => name !== '')
  return names.map((_, at) => `/${names.slice(0, at + 1).join('/')}`)
}

/** Takes away what a runtime has made to mount something on, and nothing is in. */
export async function tidy(store: Store, name: string, made: readonly string[]): Promise<void> {
  if (made.length === 0) return
  await using container = await store.containers.open(name)
  for (const path of [...made].sort().reverse()) removeEmpty(container.tree, container, path)
}

function removeEmpty(tree: WritableUnion, { fs }: Container, path: string): void {
  if (!isThere(tree, path)) return
  try {
    const stat = fs.lstatSync(path)
    if (stat.isDirectory()) fs.rmdirSync(path)
    else if (stat.isFile() && stat.size === 0) fs.unlinkSync(path)
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(codeOf(error) ?? '')) throw error
  }
}

function nobodyElse({ uid, gid }: Identity): PlyError {
  return new PlyError('PLY_UNSUPPORTED', {
    what: `running as ${uid}:${gid}`,
    reason: `this user has root alone in a namespace; root gives more with: ${moreUsers}`,
  })
}
