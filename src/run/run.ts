import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { ExecutionConfig, Platform } from '../model/documents.ts'
import { PlyError } from '../model/errors.ts'
import { type CommandEnd, runInMount } from '../mount/command.ts'
import type { Endings } from '../mount/ending.ts'
import type { Store, StoreOptions } from '../store/store.ts'
import { mayMount } from '../sys/namespaces.ts'
import { beyondBwrap, launchByBwrap } from './bwrap.ts'
import { type CapabilityChanges, capabilitiesOf } from './capabilities.ts'
import { checkRunnable } from './emulation.ts'
import { launchByOci } from './oci-runtime.ts'
import { programIn } from './places.ts'
import { type Prepared, prepare, tidy } from './prepare.ts'
import { findRuntimes, type Launch, type Runtime } from './runtime.ts'
import type { BindMount, SpecOptions } from './spec.ts'
import { groupOf, scratchFor } from './traces.ts'

/** How a command is run in a container. */
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
  readonly capabilities?: CapabilityChanges | undefined
  readonly terminal?: boolean | undefined
  readonly readOnly?: boolean | undefined
  /** `runc`, `crun`, `bwrap`, or the path of one. Default: the first that can do it. */
  readonly runtime?: string | undefined
  /** What the image is for: refused before anything is begun if this machine runs nothing of it. */
  readonly platform?: Platform | undefined
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
 * Runs a command in a container of a store, with the standard streams of this process, and answers how it ended: by an OCI runtime, or by
 * bubblewrap, over a mount that is gone with it. An ordinary user's container runs in a user namespace. What the command writes is in the
 * container. Whoever of those who take part is killed, the container ends; what is left beside it is cleared away by the next one.
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
  if (options.platform !== undefined) checkRunnable(options.platform)
  const runtimes = findRuntimes(options.runtime)
  const command = commandOf(config, options)
  const capabilities = capabilitiesOf(options.capabilities)
  await using scratch = await scratchFor(store)
  const root = join(scratch.path, 'rootfs')
  mkdirSync(root)
  const prepared = await prepare(store, name, config, options)
  const { identity, environment, directory, mounts, inNamespace, manyOwners } = prepared
  const spec: SpecOptions = {
    ...{ identity, environment, directory, mounts, inNamespace, manyOwners, root, command, capabilities },
    readOnly: options.readOnly ?? false,
    hostname: options.hostname ?? name.slice(0, 63),
    terminal: options.terminal ?? false,
    ...(options.terminal && { size: terminalSize() }),
    network: options.network ?? 'host',
    temporary: prepared.temporary,
    ...(mayMount() && { group: groupOf(scratch) }),
  }
  try {
    return await new Attempts(store, name, scratch, spec, prepared, running).first(runtimes)
  } finally {
    await tidy(store, name, prepared.made)
  }
}

class Attempts {
  readonly #store: Store
  readonly #name: string
  readonly #scratch: { readonly path: string; readonly lock: string }
  readonly #spec: SpecOptions
  readonly #prepared: Prepared
  readonly #running: Running

  constructor(
    store: Store,
    name: string,
    scratch: { readonly path: string; readonly lock: string },
    spec: SpecOptions,
    prepared: Prepared,
    running: Running,
  ) {
    this.#store = store
    this.#name = name
    this.#scratch = scratch
    this.#spec = spec
    this.#prepared = prepared
    this.#running = running
  }

  /** By the first runtime that can do it here. */
  async first([runtime, ...others]: readonly [Runtime, ...Runtime[]]): Promise<CommandEnd> {
    const [next, ...rest] = others
    try {
      return await this.#by(runtime, this.#spec)
    } catch (error) {
      if (!(error instanceof Unable) || next === undefined) throw error
      this.#running.onNote?.(`${runtime.name} cannot be used here (${error.reason}): ${next.name} is`)
      return this.first([next, ...rest])
    }
  }

  async #by(runtime: Runtime, spec: SpecOptions): Promise<CommandEnd> {
    const { endings, onNote, onOutput, opening } = this.#running
    const { path, lock } = this.#scratch
    const launch = await this.#launch(runtime, spec)
    const terminal = spec.terminal ? terminalState() : undefined
    const end = await runInMount(
      {
        store: { root: this.#store.root, options: opening },
        subject: { container: this.#name },
        target: spec.root,
        options: { suid: true, devices: true },
        command: launch.command,
        runsAnother: true,
        lock,
        namespace: this.#prepared.namespace,
      },
      { endings, onOutput, ...(onNote && { onNote }) },
    ).finally(() => terminal?.restore())
    const failed = launch.failure()
    const [program] = spec.command
    switch (failed?.why) {
      case undefined:
        return end
      case 'missing':
        throw new PlyError('ENOENT', { syscall: 'spawn', path: program! })
      case 'closed':
        throw new PlyError('EACCES', { syscall: 'spawn', path: program! })
      case 'groups':
        if (spec.group === undefined) break
        onNote?.('control groups cannot be used here: the container runs without')
        rmSync(join(path, 'bundle'), { recursive: true, force: true })
        return this.#by(runtime, { ...spec, group: undefined })
      default:
    }
    rmSync(join(path, 'bundle'), { recursive: true, force: true })
    // Who was told to end before it had begun has no other answer.
    if (endings.signal.aborted) return end
    throw new Unable(runtime, failed!.text)
  }

  async #launch(runtime: Runtime, spec: SpecOptions): Promise<Launch> {
    const { path } = this.#scratch
    const bundle = join(path, 'bundle')
    if (runtime.name !== 'bwrap') return launchByOci(runtime, bundle, basename(path), spec)
    const beyond = beyondBwrap(spec)
    if (beyond !== undefined) throw new Unable(runtime, `${beyond}; install runc or crun`)
    mkdirSync(bundle)
    const [, search = ''] = spec.environment.find((one) => one.startsWith('PATH='))?.split('=', 2) ?? []
    await using container = await this.#store.containers.open(this.#name, { readOnly: true })
    // Asked when the container is closed: what it stands on is what it was started from.
    const found = programIn(container.tree, spec.command[0]!, { directory: spec.directory, path: search })
    return launchByBwrap(runtime, bundle, { ...spec, group: undefined }, () => found)
  }
}

/** A runtime that is here, and cannot do it. */
class Unable extends PlyError {
  readonly reason: string

  constructor({ name }: Runtime, reason: string) {
    super('PLY_UNSUPPORTED', { what: `running a container by ${name} here`, reason })
    this.reason = reason
  }
}

function terminalSize(): SpecOptions['size'] {
  const stream = [process.stdout, process.stderr].find(({ isTTY }) => isTTY)
  return stream && { height: stream.rows, width: stream.columns }
}

/** The terminal as it is now: a runtime that is killed leaves it as it has set it. */
function terminalState(): { restore(): void } | undefined {
  const { status, stdout } = spawnSync('stty', ['-g'], { stdio: ['inherit', 'pipe', 'ignore'], encoding: 'utf8' })
  if (status !== 0) return undefined
  // The command may have taken the terminal to another group of processes, and could not give it back from its namespace.
  const setting = ['-c', 'trap "" TTOU; exec stty "$0"', stdout.trim()]
  return { restore: () => spawnSync('sh', setting, { stdio: ['inherit', 'ignore', 'ignore'] }) }
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
