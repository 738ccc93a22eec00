/** The program that mounts for a command and runs it, in namespaces of its own: see `runInMount`. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { failureData } from '../fuse/thread-messages.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import { openStore } from '../store/open-store.ts'
import { nodeDisk } from '../sys/node-disk.ts'
import { childrenOf, commandOf, mountNamespaceOf, processes } from '../sys/processes.ts'
import { type CommandAnswer, type CommandData, type CommandEnd, type CommandOrder, passedOn } from './command.ts'
import { Endings } from './ending.ts'
import { type User, usersText } from './in-use.ts'
import { mount } from './mount.ts'
import type { Mounted } from './mounted.ts'
import { shiftOf } from './owner-ranges.ts'
import { unmount } from './unmount.ts'

/** Milliseconds that what a command has left running may take to leave. */
const patience = 1000

const endings = new Endings()
process.on('SIGTERM', () => tell('SIGTERM'))
let running: ChildProcess | undefined
let runsAnother = false
// Whoever started it has died.
process.on('disconnect', () => {
  endings.add('SIGHUP')
  tell('SIGHUP')
  setTimeout(() => running?.kill('SIGKILL'), patience).unref()
})
// What a terminal sends to all of its foreground is not meant for who serves.
for (const signal of passedOn) process.on(signal, () => {})
process.on('message', (order: CommandOrder) => {
  if (order.order !== 'signal') return
  if (!(passedOn as readonly string[]).includes(order.signal)) endings.add(order.signal)
  if (order.signal === 'SIGKILL') running?.kill('SIGKILL')
  else tell(order.signal)
})

/** The program: with a store and a directory it unmounts what one like it has left there, else it waits for what it is told to run. */
export async function start(): Promise<void> {
  const [, , root, target] = process.argv
  if (root !== undefined && target !== undefined) return release(root, target)
  const [order] = (await once(process, 'message')) as [CommandOrder]
  try {
    if (order.order === 'run') await run(order.what)
  } catch (error) {
    await answer({ says: 'failed', error: failureData(error) })
  }
  process.exit(0)
}

/** Sends a signal to the command. */
function tell(signal: NodeJS.Signals): void {
  if (running?.pid === undefined) return
  const inner = runsAnother ? childrenOf(running.pid) : []
  if (inner.length === 0) running.kill(signal)
  for (const pid of inner) {
    try {
      process.kill(pid, signal)
    } catch (error) {
      if (codeOf(error) !== 'ESRCH') throw error
    }
  }
}

/** Unmounts what a process like this one has mounted, and could not any more. */
async function release(root: string, target: string): Promise<void> {
  await using store = await openStore(root)
  await unmount(store, target, { detach: true })
}

async function run(what: CommandData): Promise<void> {
  runsAnother = what.runsAnother ?? false
  using _ = what.lock === undefined ? undefined : await nodeDisk().lock(what.lock, { shared: true })
  const { owners, ...options } = what.options
  await using store = await openStore(what.store.root, what.store.options)
  const target = what.target ?? mkdtempSync(join(tmpdir(), 'ply-mount-'))
  try {
    const mounted = await mount({ store, ...what.subject }, target, {
      ...options,
      ...(owners && { owners: shiftOf(owners) }),
      endsWithProcess: what.alone,
      signal: endings.signal,
    })
    try {
      const { via, why, readOnly } = mounted
      await answer({ says: 'mounted', mount: { target: mounted.target, via, why, readOnly } })
      const ended = await commandEnd(what, mounted.target)
      await answer({ says: 'finished', ended })
    } finally {
      await leave(mounted, what.alone)
    }
  } finally {
    if (what.target === undefined) rmdirSync(target)
  }
}

async function commandEnd({ command: [program, ...given], target }: CommandData, at: string): Promise<CommandEnd> {
  if (endings.signal.aborted) throw new PlyError('PLY_ABORTED', {}, { cause: endings.signal.reason })
  const child = spawn(program, given, {
    stdio: 'inherit',
    env: { ...process.env, PLY_MOUNT: at },
    ...(target === undefined && { cwd: at }),
  })
  const ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>
  running = child
  if (child.pid !== undefined) await answer({ says: 'running', pid: child.pid })
  try {
    const [status, signal] = await ended.catch((error: unknown) => {
      throw unstarted(program, error)
    })
    return signal === null ? { status: status! } : { signal }
  } finally {
    running = undefined
  }
}

/** The search path may lead through directories that are closed: a program that is in none of the others is not there. */
function unstarted(program: string, error: unknown): PlyError {
  const code = codeOf(error)
  const path = (process.env.PATH ?? '').split(delimiter)
  const missing =
    code === 'ENOENT' || (!program.includes('/') && !path.some((place) => existsSync(join(place, program))))
  return new PlyError(missing ? 'ENOENT' : 'EACCES', { syscall: 'spawn', path: program }, { cause: error })
}

/** Unmounts. What the command has left running has a moment to leave. */
async function leave(mounted: Mounted, alone: boolean): Promise<void> {
  if (await isLeft(mounted)) return
  if (alone) {
    const left = endOthers()
    if (left.length > 0)
      await answer({ says: 'note', text: `ended what the command has left running: ${usersText(left)}` })
    if (await isLeft(mounted)) return
  }
  await mounted.unmount({ force: true })
}

/** Whether it could be unmounted before patience was at its end. */
async function isLeft(mounted: Mounted): Promise<boolean> {
  for (const end = Date.now() + patience; Date.now() < end; await sleep(20)) {
    try {
      await mounted.unmount()
      return true
    } catch (error) {
      if (codeOf(error) !== 'EBUSY' && codeOf(error) !== 'PLY_MOUNT_BUSY') throw error
    }
  }
  return false
}

/** Kills everybody else in this mount namespace, and says who that was. */
function endOthers(): User[] {
  const own = mountNamespaceOf('self')
  const ended: User[] = []
  for (const pid of processes()) {
    try {
      if (pid === process.pid || mountNamespaceOf(pid) !== own) continue
      const command = commandOf(pid) ?? '?'
      process.kill(pid, 'SIGKILL')
      ended.push({ pid, command })
    } catch (error) {
      // It has gone, or is in a namespace that is none of ours.
      if (codeOf(error) === undefined) throw error
    }
  }
  return ended
}

/** Whoever asked may have gone. */
async function answer(said: CommandAnswer): Promise<void> {
  await new Promise<void>((resolve) => {
    if (!process.connected) resolve()
    else process.send!(said, undefined, undefined, () => resolve())
  })
}
