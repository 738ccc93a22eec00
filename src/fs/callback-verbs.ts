import { promisify } from 'node:util'
import { codeOf } from '../model/errors.ts'
import { type AsyncCopyOptions, copied } from './copying.ts'
import { bigintOf, type PromisedVerbs } from './promised-verbs.ts'
import type { SyncVerbs } from './sync-verbs.ts'
import type { PathLike } from './texts.ts'
import { checkFunction } from './validation.ts'

export type Callback<Result> = (error: NodeJS.ErrnoException | null, result: Result) => void

/** Arguments with the callback last, wherever the optional ones end. */
type WithCallback<Given extends readonly unknown[], Result> = [...Leading<Given>, Callback<Result>]
type Leading<Given extends readonly unknown[]> = number extends Given['length']
  ? [...Given]
  : Given extends readonly []
    ? []
    : Given extends readonly [infer First, ...infer Rest]
      ? [First, ...Leading<Rest>]
      : Given extends readonly [(infer First)?, ...infer Rest]
        ? [] | [First, ...Leading<Rest>]
        : []

type CallbackForm<Verb> = Verb extends (...given: infer Given) => infer Result
  ? (...given: WithCallback<Given, Awaited<Result>>) => void
  : never

/** Verbs whose callbacks are not simply given what the synchronous form answers. */
type Special = 'exists' | 'realpath' | 'read' | 'write' | 'readv' | 'writev' | 'cp'
type Plain = Exclude<
  { [Name in keyof SyncVerbs]: Name extends `${infer Short}Sync` ? Short : never }[keyof SyncVerbs],
  Special
>

export type CallbackVerbs = { readonly [Name in Plain]: CallbackForm<SyncVerbs[`${Name}Sync` & keyof SyncVerbs]> } & {
  readonly cp: CallbackForm<PromisedVerbs['cp']>
  readonly realpath: CallbackForm<PromisedVerbs['realpath']> & {
    readonly native: CallbackForm<PromisedVerbs['realpath']>
  }
  /** Old and odd: no error, only the answer. */
  exists(path: PathLike, callback: (exists: boolean) => void): void
  read(fd: number, ...rest: readonly unknown[]): void
  write(fd: number, ...rest: readonly unknown[]): void
  readv(fd: number, buffers: readonly NodeJS.ArrayBufferView[], ...rest: readonly unknown[]): void
  writev(fd: number, buffers: readonly NodeJS.ArrayBufferView[], ...rest: readonly unknown[]): void
}

type Done = (error: unknown, ...results: unknown[]) => void
type Verb = (...given: unknown[]) => unknown

/**
 * The forms with a callback. It is called once, never before the call has returned. Wrong arguments are thrown, as Node throws them;
 * what the file system answers goes to the callback.
 */
export function callbackVerbs(fs: SyncVerbs): CallbackVerbs {
  const verbs: Record<string, Verb> = {}
  for (const [name, verb] of Object.entries(fs)) {
    const short = /^(\w+)Sync$/.exec(name)?.[1]
    if (short !== undefined) verbs[short] = (...given) => answer(given, (rest) => (verb as Verb)(...rest))
  }
  verbs.stat = (path, ...given) => answer(given, ([options]) => fs.statSync(path as PathLike, bigintOf(options)))
  verbs.lstat = (path, ...given) => answer(given, ([options]) => fs.lstatSync(path as PathLike, bigintOf(options)))
  verbs.realpath = Object.assign(verbs.realpath!, {
    native: (...given: unknown[]) => answer(given, (rest) => fs.realpathSync.native(...(rest as [PathLike]))),
  })
  verbs.exists = withPromise(
    (path, done) => {
      checkFunction(done, 'cb')
      const there = fs.existsSync(path as PathLike)
      process.nextTick(() => (done as (there: boolean) => void)(there))
    },
    async (path) => fs.existsSync(path as PathLike),
  )
  verbs.cp = (source, destination, ...given) => {
    const { rest, done } = split(given)
    const options = rest[0] as AsyncCopyOptions | undefined
    copied(fs.copySteps(source as PathLike, destination as PathLike, options), options?.filter).then(
      // Out of the promise: what a callback throws is uncaught, not a rejection.
      () => process.nextTick(done, null),
      (error) => process.nextTick(done, error),
    )
  }
  verbs.read = counted(readForm(fs), 'bytesRead', 'buffer')
  verbs.write = counted(
    (fd, data, ...rest) => [fs.writeSync(fd as number, data as Buffer, ...(rest as [])), data],
    'bytesWritten',
    'buffer',
  )
  verbs.readv = counted(
    (fd, buffers, position) => [fs.readvSync(fd as number, buffers as Buffer[], position as null), buffers],
    'bytesRead',
    'buffers',
  )
  verbs.writev = counted(
    (fd, buffers, position) => [fs.writevSync(fd as number, buffers as Buffer[], position as null), buffers],
    'bytesWritten',
    'buffers',
  )
  // Alone among them, it may be called without anybody waiting.
  const close = verbs.close!
  verbs.close = (...given) => close(...given, ...(given.length < 2 ? [rethrown] : []))
  return verbs as unknown as CallbackVerbs
}

/** Node lets the buffer be left out, and gives it among the options. */
function readForm(fs: SyncVerbs) {
  return (fd: unknown, first?: unknown, ...rest: unknown[]): [number, unknown] => {
    if (ArrayBuffer.isView(first)) {
      return [fs.readSync(fd as number, first as Buffer, ...(rest as [])), first]
    }
    const { buffer = Buffer.alloc(16384), ...place } = (first ?? {}) as { buffer?: NodeJS.ArrayBufferView }
    return [fs.readSync(fd as number, buffer, place), buffer]
  }
}

/** A verb whose callback is given a count and what was counted in; promisified, it answers with both by name. */
function counted(act: (...given: unknown[]) => [number, unknown], count: string, buffer: string): Verb {
  return withPromise(
    (...given) => {
      const { rest, done } = split(given)
      let error: unknown
      let results: unknown[] = []
      try {
        results = act(...rest)
      } catch (thrown) {
        error = refusedByFiles(thrown)
      }
      process.nextTick(() => (error === undefined ? done(null, ...results) : done(error)))
    },
    async (...given) => {
      const [total, data] = act(...given)
      return { [count]: total, [buffer]: data }
    },
  )
}

function withPromise(verb: Verb, promised: (...given: unknown[]) => Promise<unknown>): Verb {
  return Object.assign(verb, { [promisify.custom]: promised })
}

function split(given: unknown[]): { readonly rest: unknown[]; readonly done: Done } {
  const done = given.at(-1)
  checkFunction(done, 'cb')
  return { rest: given.slice(0, -1), done: done as Done }
}

function answer(given: unknown[], act: (rest: unknown[]) => unknown): void {
  const { rest, done } = split(given)
  let error: unknown
  let result: unknown
  try {
    result = act(rest)
  } catch (thrown) {
    error = refusedByFiles(thrown)
  }
  process.nextTick(() => (error !== undefined ? done(error) : result === undefined ? done(null) : done(null, result)))
}

/** What is the caller's own mistake is thrown at once. */
function refusedByFiles(error: unknown): unknown {
  // A `RangeError`, and yet an answer: it is the file that is too large.
  if (codeOf(error) === 'ERR_FS_FILE_TOO_LARGE') return error
  if (error instanceof TypeError || error instanceof RangeError) throw error
  if (codeOf(error) === 'ERR_FS_INVALID_SYMLINK_TYPE') throw error
  return error
}

function rethrown(error: unknown): void {
  if (error) throw error
}
