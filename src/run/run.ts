import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, posix } from 'node:path'
import { encodeText } from '../model/bytes.ts'
import type { ExecutionConfig } from '../model/documents.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import { type CommandEnd, namespaceOfCommand, runInMount } from '../mount/command.ts'
import type { Endings } from '../mount/ending.ts'
import type { Tree } from '../stack/tree.ts'
import type { Container } from '../store/containers/container.ts'
import type { Store, StoreOptions } from '../store/store.ts'
import { mayMount } from '../sys/namespaces.ts'
import { resolvePath } from '../union/resolve.ts'
import type { WritableUnion } from '../union/union.ts'
import { type Identity, identityIn } from './identity.ts'
import { endingCommand, findRuntime, type Runtime, runtimeCommand, unstartedIn } from './runtime.ts'
import { type BindMount, runtimeSpec } from './spec.ts'

export interface RunOptions {
  /** The program and its arguments. Default: what the image says. */
  readonly command?: readonly string[] | undefined
  /** In the place of the image's. */
  readonly entrypoint?: readonly string[] | undefined
  /** More variables, or others: `NAME=VALUE`. */
  readonly environment?: readonly string[] | undefined
  readonly directory?: string | undefined
  /** `USER[:GROUP]`, by name or number. */
  readonly user?: string | undefined
  readonly hostname?: string | undefined
  /** Default: `host`. */
  readonly network?: 'host' | 'none' | undefined
  readonly mounts?: readonly BindMount[] | undefined
  /** Temporary file systems, by their places. */
  readonly temporary?: Readonly<Record<string, readonly string[]>> | undefined
  readonly terminal?: boolean | undefined
  readonly readOnly?: boolean | undefined
  /** `runc`, `crun`, or the path of one. */
  readonly runtime?: string | undefined
}

/** How it is run. */
export interface Running {
  /** How the store is opened by the process that mounts. */
  readonly opening: StoreOptions
  readonly endings: Endings
  readonly onNote?: (text: string) => void
  /** Hears what the command prints, in the place of the standard streams; it has no input then. */
  readonly onOutput?: ((chunk: Uint8Array) => void) | undefined
}

/**
 * Runs a command in a container of a store, with the standard streams of this process, and answers how it ended: by an OCI runtime
 * over a mount that is gone with it. An ordinary user's container runs in a user namespace. What the command writes is in the container.
 *
 * @param config what the image says of running; default: that of the container's image
 * @throws PLY_UNSUPPORTED without a runtime; ENOENT or EACCES (`syscall: 'spawn'`) if the command cannot be started; what `mount` throws
 */
export async function run(
  store: Store,
  name: string,
  config: ExecutionConfig,
  options: RunOptions,
  running: Running,
): Promise<CommandEnd> {
  const runtime = findRuntime(options.runtime)
  const bundle = mkdtempSync(join(tmpdir(), 'ply-run-'))
  try {
    const command = commandOf(config, options)
    const prepared = await prepare(store, name, config, options)
    const spec = runtimeSpec({
      ...prepared,
      root: join(bundle, 'rootfs'),
      readOnly: options.readOnly ?? false,
      command,
      hostname: options.hostname ?? name.slice(0, 63),
      terminal: options.terminal ?? false,
      network: options.network ?? 'host',
      mounts: [...prepared.mounts, ...(options.mounts ?? [])],
      temporary: options.temporary,
    })
    mkdirSync(join(bundle, 'rootfs'))
    writeFileSync(join(bundle, 'config.json'), JSON.stringify(spec))
    try {
      return await attempt(runtime, { store, name, bundle, command, withoutGroups: !mayMount() }, running)
    } finally {
      await tidy(store, name, prepared.made)
    }
  } finally {
    rmSync(bundle, { recursive: true, force: true })
  }
}

interface Attempt {
  readonly store: Store
  readonly name: string
  readonly bundle: string
  readonly command: readonly string[]
  readonly withoutGroups: boolean
}

async function attempt(runtime: Runtime, what: Attempt, running: Running): Promise<CommandEnd> {
  const { store, name, bundle, command, withoutGroups } = what
  const { opening, endings, onNote, onOutput } = running
  const log = join(bundle, 'log')
  const id = `ply-${process.pid}-${Date.now().toString(36)}`
  const state = join(bundle, 'state')
  const call = runtimeCommand(runtime, { state, log, bundle, id, withoutGroups })
  const end = await runInMount(
    {
      store: { root: store.root, options: opening },
      subject: { container: name },
      target: join(bundle, 'rootfs'),
      options: { suid: true, devices: true },
      command: call,
      ender: endingCommand(runtime, { state, id }),
    },
    { endings, onOutput, ...(onNote && { onNote }) },
  )
  const failed = unstartedIn(logIn(log))
  switch (failed?.why) {
    case undefined:
      return end
    case 'missing':
      throw new PlyError('ENOENT', { syscall: 'spawn', path: command[0]! })
    case 'closed':
      throw new PlyError('EACCES', { syscall: 'spawn', path: command[0]! })
    case 'groups':
      if (withoutGroups) break
      onNote?.('control groups cannot be used here: the container runs without')
      rmSync(join(bundle, 'state'), { recursive: true, force: true })
      rmSync(log, { force: true })
      return attempt(runtime, { ...what, withoutGroups: true }, running)
    default:
  }
  throw new PlyError('PLY_UNSUPPORTED', { what: `running a container by ${runtime.name} here`, reason: failed!.text })
}

function logIn(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return ''
    throw error
  }
}

/** @throws PLY_USAGE where nobody says what to run */
function commandOf({ Entrypoint, Cmd }: ExecutionConfig, { command, entrypoint }: RunOptions): readonly string[] {
  const program = entrypoint ?? Entrypoint ?? []
  const given = command ?? (entrypoint === undefined ? (Cmd ?? []) : [])
  const words = [...program, ...given]
  if (words.length === 0)
    throw new PlyError('PLY_USAGE', { reason: 'the image does not say what to run; name a command' })
  return words
}

interface Prepared {
  readonly identity: Identity
  readonly environment: readonly string[]
  readonly directory: string
  readonly mounts: readonly BindMount[]
  readonly inNamespace: boolean
  readonly manyOwners: boolean
  /** What is there only because something is mounted on it. */
  readonly made: readonly string[]
}

const usualPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
/** Files of the host that a container on its network needs. */
const fromHost = ['/etc/resolv.conf', '/etc/hosts']
const system = ['/proc', '/dev', '/sys']

async function prepare(store: Store, name: string, config: ExecutionConfig, options: RunOptions): Promise<Prepared> {
  await using container = await store.containers.open(name)
  const tree = container.tree
  const identity = identityIn(tree, options.user ?? config.User)
  const directory = posix.resolve('/', options.directory ?? config.WorkingDir ?? '/')
  makeDirectories(container, directory)
  const mounts = fromHost.map((path) => ({ source: path, target: path, readOnly: true }))
  const wanted = [
    ...system,
    ...mounts.map(({ target }) => target),
    ...(options.mounts ?? []).map(({ target }) => target),
  ]
  const { enter, owners } = namespaceOfCommand()
  if (enter.length === 0) throw closedNamespaces()
  const inNamespace = owners !== 'all'
  if (owners === 'root' && (identity.uid !== 0 || identity.gid !== 0)) throw nobodyElse(identity)
  return {
    identity,
    environment: environmentOf(config, options, identity),
    directory,
    mounts,
    inNamespace,
    manyOwners: owners !== 'root',
    made: wanted.flatMap(withAncestors).filter((path) => !isThere(tree, path)),
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

function makeDirectories({ fs }: Container, path: string): void {
  fs.mkdirSync(path, { recursive: true })
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
async function tidy(store: Store, name: string, made: readonly string[]): Promise<void> {
  if (made.length === 0) return
  await using container = await store.containers.open(name)
  for (const path of [...new Set(made)].sort().reverse()) removeEmpty(container.tree, container, path)
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

function closedNamespaces(): PlyError {
  return new PlyError('PLY_UNSUPPORTED', {
    what: 'running a container as this user',
    reason:
      'user namespaces are closed here; root opens them with: sysctl kernel.unprivileged_userns_clone=1 (and kernel.apparmor_restrict_unprivileged_userns=0)',
  })
}

function nobodyElse({ uid, gid }: Identity): PlyError {
  return new PlyError('PLY_UNSUPPORTED', {
    what: `running as ${uid}:${gid}`,
    reason:
      'this user has root alone in a namespace; root gives more with: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER (and newuidmap, package uidmap)',
  })
}
