import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmdirSync } from 'node:fs'
import { userInfo } from 'node:os'
import { resolve } from 'node:path'
import { errorOf, type FailureData } from '../fuse/thread-messages.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import type { StoreOptions } from '../store/store.ts'
import { inheritNothing } from '../sys/inherited.ts'
import { mayMount } from '../sys/namespaces.ts'
import type { MountData } from './background.ts'
import type { Endings } from './ending.ts'
import type { Mounted, MountOptions, Via } from './mounted.ts'
import { rangesOf } from './owner-ranges.ts'
import { programPath } from './program-path.ts'
import { servingFlags } from './serving-flags.ts'

/** What is mounted for a command, and the command. */
export interface CommandInMount {
  /** How the store is opened. */
  readonly store: { readonly root: string; readonly options: StoreOptions }
  /** `work`, its snapshot `work@before`, or an image by its name. */
  readonly subject: { readonly container: string } | { readonly image: string }
  /** The directory to mount on. Absent: a temporary one, which is the command's working directory. */
  readonly target: string | undefined
  readonly options?: MountOptions
  /** The program, looked for as a shell does it, and its arguments. */
  readonly command: readonly [string, ...string[]]
  /** The program only runs the command, as a child of its own, and ends with it; signals are meant for that. */
  readonly runsAnother?: boolean | undefined
  /** A file that is locked, shared, as long as anything of this is there. */
  readonly lock?: string | undefined
  /** Where it is run; by default what `namespaceOfCommand` answers now. */
  readonly namespace?: CommandNamespace | undefined
}

/** It as data. */
export interface CommandData extends Omit<CommandInMount, 'options' | 'namespace'> {
  readonly options: MountData & { readonly via?: Via | undefined }
  /** Whether nobody else is in its mount namespace. */
  readonly alone: boolean
}

/** What the process in the namespace is told. */
export type CommandOrder =
  | { readonly order: 'run'; readonly what: CommandData }
  | { readonly order: 'signal'; readonly signal: NodeJS.Signals }

/** What it answers. */
export type CommandAnswer =
  | { readonly says: 'mounted'; readonly mount: Pick<Mounted, 'target' | 'via' | 'why' | 'readOnly'> }
  | { readonly says: 'running'; readonly pid: number }
  | { readonly says: 'note'; readonly text: string }
  | { readonly says: 'finished'; readonly ended: CommandEnd }
  | { readonly says: 'failed'; readonly error: FailureData }

/** Signals that mean something to a command alone: they are sent on to it. */
export const passedOn = ['SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH'] as const satisfies readonly NodeJS.Signals[]

/** How a command ended. */
export type CommandEnd = { readonly status: number } | { readonly signal: NodeJS.Signals }

/**
 * Mounts, runs a command with the standard streams of this process, and unmounts when it has ended, all in a mount namespace of its own (and
 * a user namespace, where this user may not mount): nobody else sees the mount, and nothing of it outlives the command, however this
 * process ends; what the command leaves running is ended after a second. Where namespaces are closed to this user, it is mounted where everybody sees it.
 *
 * A terminal sends its signals to the command itself; others that this process gets are sent on.
 *
 * @throws whatever mounting throws; PLY_ABORTED if a signal came before the command; ENOENT or EACCES (`syscall: 'spawn'`) if the command
 * cannot be started
 */
export async function runInMount(
  what: CommandInMount,
  {
    endings,
    onMounted,
    onNote,
    onOutput,
  }: {
    readonly endings: Endings
    readonly onMounted?: (mount: Pick<Mounted, 'target' | 'via' | 'why' | 'readOnly'>) => void
    readonly onNote?: (text: string) => void
    /** Hears what the command prints, in the place of the standard streams; it has no input then. */
    readonly onOutput?: ((chunk: Uint8Array) => void) | undefined
  },
): Promise<CommandEnd> {
  inheritNothing()
  const namespaces = (what.namespace ?? namespaceOfCommand()).enter
  const [program, ...given] = [...namespaces, process.execPath, ...servingFlags(), programPath('command-in-mount')]
  const streams = onOutput ? (['ignore', 'pipe', 'pipe'] as const) : (['inherit', 'inherit', 'inherit'] as const)
  const child = spawn(program!, given, { stdio: [...streams, 'ipc'] })
  if (onOutput) for (const stream of [child.stdout, child.stderr]) stream?.on('data', onOutput)
  let end: CommandEnd | undefined
  let failure: Error | undefined
  let command: number | undefined
  let target: string | undefined
  child.on('error', (error) => {
    failure ??= error
  })
  child.on('message', (answer: CommandAnswer) => {
    if (answer.says === 'mounted') {
      target = answer.mount.target
      onMounted?.(answer.mount)
    } else if (answer.says === 'note') onNote?.(answer.text)
    else if (answer.says === 'running') command = answer.pid
    else if (answer.says === 'finished') end = answer.ended
    else failure ??= errorOf(answer.error)
  })
  const gone = once(child, onOutput ? 'close' : 'exit') as Promise<[number | null, NodeJS.Signals | null]>
  send(child, { order: 'run', what: { ...dataOf(what), alone: namespaces.length > 0 } })
  const exited = gone.then(() => undefined)
  const tell = (signal: NodeJS.Signals): void => {
    // Everybody in the foreground of a terminal hears what is typed there.
    if ((signal === 'SIGINT' || signal === 'SIGQUIT') && inForeground()) return
    send(child, { order: 'signal', signal })
  }
  for (const signal of passedOn) process.on(signal, tell)
  try {
    for (;;) {
      const signal = await Promise.race([exited, endings.next()])
      if (signal === undefined) break
      tell(signal)
    }
  } finally {
    for (const signal of passedOn) process.off(signal, tell)
  }
  if (failure) throw failure
  if (end) return end
  const [status, signal] = await gone
  // Who served it was killed: the command must not stay behind with a mount that is dead.
  if (command !== undefined) kill(command)
  if (what.target === undefined && target !== undefined) removeEmpty(target)
  if (endings.signal.aborted) throw new PlyError('PLY_ABORTED', {}, { cause: endings.signal.reason })
  throw new PlyError('PLY_SERVER_ENDED', { how: signal ?? `exit ${status}` })
}

function dataOf({ store, target, options = {}, namespace: _, ...what }: CommandInMount): Omit<CommandData, 'alone'> {
  const { via, readOnly, suid, devices, allowOther, lowLatency, owners } = options
  const { root, options: opening } = store
  return {
    ...what,
    store: { root: resolve(root), options: { ...opening, below: opening.below?.map((path) => resolve(path)) } },
    target: target === undefined ? undefined : resolve(target),
    options: { via, readOnly, suid, devices, allowOther, lowLatency, ...(owners && { owners: rangesOf(owners) }) },
  }
}

/** Namespaces that a command is started in. */
export interface CommandNamespace {
  /** What enters them; nothing where they are closed to this user. */
  readonly enter: readonly string[]
  /** Whom it has: everybody that this process has, users of this user's own, or its root alone. */
  readonly owners: 'all' | 'range' | 'root'
  /** Where they are closed: what the last try came to, in the words of unshare(1). */
  readonly refused?: string | undefined
}

/** The namespaces in which `runInMount` runs its command. */
export function namespaceOfCommand(): CommandNamespace {
  const tries: readonly (readonly [CommandNamespace['owners'], ...string[]])[] = mayMount()
    ? [['all', '--mount']]
    : [
        ...(hasSubordinates() ? [['range', '--user', '--map-root-user', '--map-auto', '--mount'] as const] : []),
        ['root', '--user', '--map-root-user', '--mount'],
      ]
  let refused: string | undefined
  for (const [owners, ...flags] of tries) {
    const { status, stderr, error } = spawnSync('unshare', [...flags, '--', 'true'], {
      stdio: ['ignore', 'ignore', 'pipe'],
      encoding: 'utf8',
    })
    if (status === 0) return { enter: ['unshare', ...flags, '--'], owners }
    refused = error === undefined ? stderr.trim() : 'there is no program unshare'
  }
  return { enter: [], owners: 'all', refused }
}

/** Whether this user has users of his own to give to a namespace. */
function hasSubordinates(): boolean {
  try {
    const { username, uid } = userInfo()
    return ['/etc/subuid', '/etc/subgid'].every((file) =>
      readFileSync(file, 'latin1')
        .split('\n')
        .some((line) => line.startsWith(`${username}:`) || line.startsWith(`${uid}:`)),
    )
  } catch (error) {
    if (codeOf(error) === undefined) throw error
    return false
  }
}

/** Whether this process's group has the terminal. */
function inForeground(): boolean {
  const stat = readFileSync('/proc/self/stat', 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields[2] === fields[5]
}

function send(child: ChildProcess, order: CommandOrder): void {
  if (child.connected) child.send(order, () => {})
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if (codeOf(error) !== 'ESRCH') throw error
  }
}

/** The namespace is gone, and what was mounted there with it. */
function removeEmpty(directory: string): void {
  try {
    rmdirSync(directory)
  } catch (error) {
    if (codeOf(error) === undefined) throw error
  }
}
