import { randomBytes } from 'node:crypto'
import { chmodSync, writeFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { packChanges } from '../../diff/index.ts'
import { configure } from '../../image/configure.ts'
import type { Image } from '../../image/image.ts'
import type { History } from '../../model/documents.ts'
import { codeOf } from '../../model/errors.ts'
import type { Operation } from '../../model/operation.ts'
import { type CommandEnd, namespaceOfCommand } from '../../mount/command.ts'
import { Endings } from '../../mount/ending.ts'
import { run } from '../../run/run.ts'
import { scratchFor } from '../../run/traces.ts'
import { buildGround } from '../../store/builds/ground.ts'
import type { Store, StoreOptions } from '../../store/store.ts'
import type { PreparedMounts } from './run-mounts.ts'
import type { Script } from './scripts.ts'

/** A command of a build. */
export interface Execution {
  readonly store: Store
  readonly image: Image
  readonly words: readonly string[]
  readonly scripts: readonly Script[]
  readonly environment: readonly string[]
  readonly directory: string
  readonly user: string
  readonly network: 'host' | 'none'
  readonly mounts: PreparedMounts
  /** Seconds since the epoch that times are lowered to. */
  readonly epoch: number
  readonly history: History
  finish(image: Image): Image
  readonly runtime: string | undefined
  readonly opening: StoreOptions
  readonly onOutput: (chunk: Uint8Array) => void
  /** What to throw if it fails. */
  failed(how: string, output: string): Error
  readonly operation: Operation
}

/** As much of what a command said last is in the message if it fails. Bytes. */
const mostShown = 4096
/** Milliseconds that a command may take to end by itself. */
const patience = 1000

/**
 * Runs a command on an image, in a container that is gone afterwards. Answers the image with what the command has changed as one more
 * layer; without changes there is none.
 */
export async function execute(execution: Execution): Promise<Image> {
  const { store, operation, history, finish, epoch } = execution
  const ground = store[buildGround]
  const base = await ground.keep(execution.image, operation)
  const key = randomBytes(8).toString('hex')
  // The lock is called as the container is: who finds it free knows that nobody builds in it any more.
  const name = `build-${key}`
  using _held = await ground.alone(key, operation)
  await (await store.containers.create(name, base.digest, operation)).close()
  try {
    await runIn(name, execution)
    await using container = await store.containers.open(name, operation)
    for await (const _change of container.changes(operation)) {
      const items = packChanges(
        container.changes(operation),
        { before: container.base, after: container.tree },
        operation,
      )
      return await ground.append(execution.image, items, history, finish, { ...operation, sourceEpoch: epoch })
    }
    return await ground.keep(finish(configure(execution.image, { history })), operation)
  } finally {
    await store.containers.remove(name)
  }
}

async function runIn(name: string, execution: Execution): Promise<void> {
  const { store, words, scripts, environment, directory, user, network, mounts, runtime, opening, operation } =
    execution
  await using place = scripts.length === 0 ? undefined : await scratchFor(store)
  const said: Buffer[] = []
  const onOutput = (chunk: Uint8Array) => {
    said.push(Buffer.from(chunk))
    if (said.length > 64) said.splice(0, said.length - 64)
    execution.onOutput(chunk)
  }
  // The signals of this process are its own; a command of a build ends when the build does.
  using endings = new Endings(undefined, [])
  let killing: NodeJS.Timeout | undefined
  // The first process of a container hears nothing that it does not listen for.
  const stop = () => {
    endings.add('SIGTERM')
    killing = setTimeout(() => endings.add('SIGKILL'), patience)
  }
  operation.signal?.addEventListener('abort', stop, { once: true })
  try {
    if (operation.signal?.aborted) stop()
    const files = scripts.map(({ path, content }, at) => {
      const source = join(place!.path, `${at}-${posix.basename(path)}`)
      writeFileSync(source, content)
      chmodSync(source, 0o755)
      return { source, target: path, readOnly: true }
    })
    const config = { Env: environment, WorkingDir: directory, User: user, Cmd: words }
    const options = {
      network,
      mounts: [...mounts.binds, ...files],
      temporary: mounts.temporary,
      hostname: 'build',
      runtime,
    }
    const end = await run(store, name, config, options, { opening, endings, onOutput })
    if (!('status' in end) || end.status !== 0) throw execution.failed(howOf(end), lastOf(said))
  } catch (error) {
    const { syscall, path } = error as { readonly syscall?: string; readonly path?: string }
    if (syscall !== 'spawn') throw error
    throw execution.failed(
      codeOf(error) === 'ENOENT' ? `there is no program ${path} in the image` : `${path} cannot be started`,
      lastOf(said),
    )
  } finally {
    clearTimeout(killing)
    operation.signal?.removeEventListener('abort', stop)
  }
}

function howOf(end: CommandEnd): string {
  const how = 'status' in end ? `it ended with ${end.status}` : `${end.signal} ended it`
  if (namespaceOfCommand().owners !== 'root') return how
  return `${how} (this user has root alone in a namespace; what changes users or owners takes a range in /etc/subuid and /etc/subgid, and newuidmap)`
}

function lastOf(said: readonly Buffer[]): string {
  const text = Buffer.concat(said).subarray(-mostShown).toString()
  return text.trimEnd()
}
