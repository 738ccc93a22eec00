import type { PromisedVerbs } from './promised-verbs.ts'
import { misuse } from './refusal.ts'
import type { SyncVerbs } from './sync-verbs.ts'
import type { PathLike } from './texts.ts'

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

type CallbackForm<Verb> = Verb extends (...given: infer Given) => Promise<infer Result>
  ? (...given: WithCallback<Given, Result>) => void
  : never

type Named = Exclude<keyof PromisedVerbs, 'constants' | 'open'>

/** Calls on descriptors, which the promises have no form of. */
const onDescriptors = [
  'open',
  'close',
  'fstat',
  'fchmod',
  'fchown',
  'futimes',
  'ftruncate',
  'fsync',
  'fdatasync',
] as const satisfies readonly (keyof {
  [Name in keyof SyncVerbs as Name extends `${infer Short}Sync` ? Short : never]: true
})[]

export type CallbackVerbs = { readonly [Name in Named]: CallbackForm<PromisedVerbs[Name]> } & {
  readonly [Name in (typeof onDescriptors)[number]]: SyncVerbs[`${Name}Sync`] extends (
    ...given: infer Given
  ) => infer Result
    ? (...given: WithCallback<Given, Result>) => void
    : never
} & {
  /** Old and odd: no error, only the answer. */
  exists(path: PathLike, callback: (exists: boolean) => void): void
  read(fd: number, ...rest: readonly unknown[]): void
  write(fd: number, ...rest: readonly unknown[]): void
}

type Done = (error: unknown, ...results: unknown[]) => void

/** The forms with a callback. It is called once, never before the call has returned. */
export function callbackVerbs(fs: SyncVerbs, promises: PromisedVerbs): CallbackVerbs {
  const verbs: Record<string, (...given: unknown[]) => void> = {
    exists(path, done) {
      promises.access(path as PathLike).then(
        () => (done as (exists: boolean) => void)(true),
        () => (done as (exists: boolean) => void)(false),
      )
    },
    read: (fd, buffer, ...rest) =>
      answer(rest, (given) => fs.readSync(fd as number, buffer as Buffer, ...(given as [])), buffer),
    write: (fd, data, ...rest) =>
      answer(rest, (given) => fs.writeSync(fd as number, data as Buffer, ...(given as [])), data),
  }
  for (const [name, verb] of Object.entries(promises)) {
    if (typeof verb === 'function') {
      verbs[name] = (...given) => answerLater(given, verb as (...given: unknown[]) => Promise<unknown>)
    }
  }
  for (const name of onDescriptors) {
    const verb = fs[`${name}Sync`] as (...given: unknown[]) => unknown
    verbs[name] = (...given) => answer(given, (rest) => verb(...rest))
  }
  return verbs as unknown as CallbackVerbs
}

function split(given: unknown[]): { readonly rest: unknown[]; readonly done: Done } {
  const done = given.at(-1)
  if (typeof done !== 'function') throw misuse('ERR_INVALID_ARG_TYPE', 'The "cb" argument must be of type function')
  return { rest: given.slice(0, -1), done: done as Done }
}

function answer(given: unknown[], act: (rest: unknown[]) => unknown, ...more: unknown[]): void {
  const { rest, done } = split(given)
  let error: unknown = null
  let result: unknown
  try {
    result = act(rest)
  } catch (thrown) {
    error = thrown
  }
  process.nextTick(() => (error === null ? done(null, result, ...more) : done(error)))
}

function answerLater(given: unknown[], verb: (...rest: unknown[]) => Promise<unknown>): void {
  const { rest, done } = split(given)
  verb(...rest).then(
    // Out of the promise: what a callback throws is uncaught, not a rejection.
    (result) => process.nextTick(() => (result === undefined ? done(null) : done(null, result))),
    (error) => process.nextTick(() => done(error)),
  )
}
