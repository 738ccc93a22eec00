import { posix } from 'node:path'
import { type ByteString, bytesOf, decodeText } from '../model/bytes.ts'
import { codeOf } from '../model/errors.ts'
import type { changing } from './changing.ts'
import type { inspecting } from './inspecting.ts'
import { misuse, nodeRefusal } from './refusal.ts'
import type { Stats } from './stats.ts'
import { type PathLike, pathBytes } from './texts.ts'
import { checkBoolean, checkFunction, checkInteger, checkObject } from './validation.ts'
import type { wholeFiles } from './whole-files.ts'

export interface CopyOptions {
  readonly recursive?: boolean | undefined
  readonly force?: boolean | undefined
  readonly errorOnExist?: boolean | undefined
  readonly dereference?: boolean | undefined
  readonly preserveTimestamps?: boolean | undefined
  readonly verbatimSymlinks?: boolean | undefined
  readonly mode?: number | undefined
  readonly filter?: ((source: string, destination: string) => boolean) | undefined
}

/** The same where the filter may take its time. */
export interface AsyncCopyOptions extends Omit<CopyOptions, 'filter'> {
  readonly filter?: ((source: string, destination: string) => boolean | Promise<boolean>) | undefined
}

/** A copy, step by step: it asks whoever drives it what the filter says of a pair of paths. */
export type CopySteps = Generator<{ readonly source: string; readonly destination: string }, void, boolean>

type Verbs = ReturnType<typeof changing> & ReturnType<typeof inspecting> & ReturnType<typeof wholeFiles>
type Options = Omit<Required<CopyOptions>, 'filter'> & { readonly filter: unknown }

/** A directory whose names are still to be copied. */
interface Level {
  readonly source: ByteString
  readonly target: ByteString
  readonly names: Iterator<Buffer>
  /** What the copy is given when all is in it. */
  readonly mode: number | undefined
}

const prefixes = {
  ERR_FS_CP_DIR_TO_NON_DIR: 'Cannot overwrite non-directory with directory',
  ERR_FS_CP_EEXIST: 'Target already exists',
  ERR_FS_CP_EINVAL: 'Invalid src or dest',
  ERR_FS_CP_FIFO_PIPE: 'Cannot copy a FIFO pipe',
  ERR_FS_CP_NON_DIR_TO_DIR: 'Cannot overwrite directory with non-directory',
  ERR_FS_CP_SOCKET: 'Cannot copy a socket file',
  ERR_FS_CP_SYMLINK_TO_SUBDIRECTORY: 'Cannot overwrite symlink in subdirectory of self',
  ERR_FS_EISDIR: 'Path is a directory',
} as const

/** Copies of files, symlinks and (with `recursive`) directories inside the union, as `fs.cp` makes them. */
export function copying(verbs: Verbs) {
  /** Wrong arguments are thrown at once. */
  function copySteps(source: PathLike, destination: PathLike, options?: AsyncCopyOptions): CopySteps {
    const wanted = checked(options)
    return copy(pathBytes(source, 'src'), pathBytes(destination, 'dest'), wanted)
  }

  /** Paths inside are byte strings: names that are no text are copied as they are. */
  function* copy(source: ByteString, target: ByteString, wanted: Options): CopySteps {
    const start = yield* compared(source, target, wanted)
    if (!start) return
    checkParents(source, start.from, target)
    const parent = posix.dirname(target)
    if (!verbs.existsSync(bytesOf(parent))) verbs.mkdirSync(bytesOf(parent), { recursive: true })
    const levels: Level[] = []
    const add = (level: Level | undefined) => level && levels.push(level)
    add(copyOne(source, target, start.there, wanted))
    for (let level = levels.at(-1); level; level = levels.at(-1)) {
      const { done, value: name } = level.names.next()
      if (done) {
        levels.pop()
        if (level.mode !== undefined) verbs.chmodSync(bytesOf(level.target), level.mode)
        continue
      }
      const [from, to] = [level.source, level.target].map((path) => posix.join(path, name.toString('latin1'))) as [
        string,
        string,
      ]
      const pair = yield* compared(from, to, wanted)
      if (pair) add(copyOne(from, to, pair.there, wanted))
    }
  }

  /** What stands on both sides, if it is to be copied and may be. */
  function* compared(source: ByteString, target: ByteString, { filter, dereference }: Options) {
    if (filter) {
      const isWanted: boolean = yield { source: decodeText(source), destination: decodeText(target) }
      if (!isWanted) return undefined
    }
    const stat = dereference ? verbs.statSync : verbs.lstatSync
    const from = stat(bytesOf(source)) as Stats
    const there = stat(bytesOf(target), { throwIfNoEntry: false }) as Stats | undefined
    if (there?.ino === from.ino) refuse('ERR_FS_CP_EINVAL', 'EINVAL', 'src and dest cannot be the same', target)
    const [a, b] = [decodeText(source), decodeText(target)]
    if (there && from.isDirectory() && !there.isDirectory()) {
      refuse('ERR_FS_CP_DIR_TO_NON_DIR', 'EISDIR', `cannot overwrite non-directory ${b} with directory ${a}`, target)
    }
    if (there && !from.isDirectory() && there.isDirectory()) {
      refuse('ERR_FS_CP_NON_DIR_TO_DIR', 'ENOTDIR', `cannot overwrite directory ${b} with non-directory ${a}`, target)
    }
    if (from.isDirectory() && isInside(target, source)) refuseIntoItself(source, target)
    return { from, there }
  }

  /** No directory on the way to the copy may be what is copied, whatever the paths look like. */
  function checkParents(source: ByteString, from: Stats, target: ByteString): void {
    const top = absolute(posix.dirname(source))
    let below = target
    for (let at = absolute(posix.dirname(target)); at !== top && at !== '/'; at = posix.dirname(at)) {
      const there = verbs.statSync(bytesOf(at), { throwIfNoEntry: false }) as Stats | undefined
      // What is not there yet will be made, in a directory that is: Node stops here, and copies into what it copies.
      if (there?.ino === from.ino) refuseIntoItself(source, below)
      below = at
    }
  }

  /** Copies what is no directory; of one, answers with what is left to do. */
  function copyOne(
    source: ByteString,
    target: ByteString,
    there: Stats | undefined,
    options: Options,
  ): Level | undefined {
    const from = (options.dereference ? verbs.statSync : verbs.lstatSync)(bytesOf(source)) as Stats
    if (from.isDirectory()) {
      if (!options.recursive) {
        refuse('ERR_FS_EISDIR', 'EISDIR', `${decodeText(source)} is a directory (not copied)`, source)
      }
      if (!there) verbs.mkdirSync(bytesOf(target))
      const names = (verbs.readdirSync(bytesOf(source), 'buffer') as Buffer[])[Symbol.iterator]()
      return { source, target, names, mode: there ? undefined : from.mode }
    }
    if (from.isSymbolicLink()) copyLink(source, target, there, options)
    else if (from.isSocket())
      refuse('ERR_FS_CP_SOCKET', 'EINVAL', `cannot copy a socket file: ${decodeText(target)}`, target)
    else if (from.isFIFO())
      refuse('ERR_FS_CP_FIFO_PIPE', 'EINVAL', `cannot copy a FIFO pipe: ${decodeText(target)}`, target)
    else copyFile(source, target, from, there, options)
    return undefined
  }

  function copyFile(
    source: ByteString,
    target: ByteString,
    from: Stats,
    there: Stats | undefined,
    { force, errorOnExist, preserveTimestamps, mode }: Options,
  ): void {
    const [a, b] = [bytesOf(source), bytesOf(target)]
    if (there && !force) {
      if (errorOnExist) refuse('ERR_FS_CP_EEXIST', 'EEXIST', `${decodeText(target)} already exists`, target)
      return
    }
    if (there) verbs.unlinkSync(b)
    verbs.copyFileSync(a, b, mode)
    if (preserveTimestamps) {
      const { atimeNs, mtimeNs } = verbs.statSync(a, { bigint: true })
      verbs.utimesSync(b, atimeNs, mtimeNs)
    }
    verbs.chmodSync(b, from.mode)
  }

  function copyLink(source: ByteString, target: ByteString, there: Stats | undefined, options: Options): void {
    const [a, b] = [bytesOf(source), bytesOf(target)]
    const text = verbs.readlinkSync(a, 'buffer').toString('latin1')
    const points = options.verbatimSymlinks ? text : posix.resolve(absolute(posix.dirname(source)), text)
    const old = there && linkAt(b)
    if (old !== undefined) {
      const pointed = posix.resolve(absolute(posix.dirname(target)), old)
      if (isInside(pointed, points)) refuseIntoItself(points, pointed, target)
      if (verbs.statSync(b).isDirectory() && isInside(points, pointed)) {
        const message = `cannot overwrite ${decodeText(pointed)} with ${decodeText(points)}`
        refuse('ERR_FS_CP_SYMLINK_TO_SUBDIRECTORY', 'EINVAL', message, target)
      }
      verbs.unlinkSync(b)
    }
    verbs.symlinkSync(bytesOf(points), b)
  }

  function linkAt(path: Buffer): ByteString | undefined {
    try {
      return verbs.readlinkSync(path, 'buffer').toString('latin1')
    } catch (error) {
      if (codeOf(error) === 'EINVAL') return undefined
      throw error
    }
  }

  return {
    copySteps,

    cpSync(source: PathLike, destination: PathLike, options?: CopyOptions): void {
      const steps = copySteps(source, destination, options)
      for (let step = steps.next(); !step.done; ) {
        const isWanted: unknown = options!.filter!(step.value.source, step.value.destination)
        if (isWanted instanceof Promise) {
          const message = 'Expected boolean to be returned from the "filter" function but got an instance of Promise.'
          throw misuse('ERR_INVALID_RETURN_VALUE', message)
        }
        step = steps.next(Boolean(isWanted))
      }
    },
  }
}

/** Drives a copy whose filter may answer later. */
export async function copied(steps: CopySteps, filter: AsyncCopyOptions['filter']): Promise<void> {
  for (let step = steps.next(); !step.done; ) {
    step = steps.next(Boolean(await filter!(step.value.source, step.value.destination)))
  }
}

function checked(options: AsyncCopyOptions | undefined): Options {
  if (options !== undefined) checkObject(options, 'options')
  const {
    recursive = false,
    force = true,
    errorOnExist = false,
    dereference = false,
    preserveTimestamps = false,
    verbatimSymlinks = false,
    mode = 0,
    filter,
  } = options ?? {}
  const claims = { dereference, errorOnExist, force, preserveTimestamps, recursive, verbatimSymlinks }
  for (const [name, claim] of Object.entries(claims)) checkBoolean(claim, `options.${name}`)
  checkInteger(mode, 'mode', 0, 7)
  if (dereference && verbatimSymlinks) {
    const message = 'Option "dereference" cannot be used in combination with option "verbatimSymlinks"'
    throw misuse('ERR_INCOMPATIBLE_OPTION_PAIR', message)
  }
  if (filter !== undefined) checkFunction(filter, 'options.filter')
  return { ...claims, mode, filter }
}

/** Whether a path is another or lies under it, by its text alone. */
function isInside(path: ByteString, other: ByteString): boolean {
  const [a, b] = [absolute(path), absolute(other)]
  return a === b || a.startsWith(b === '/' ? b : `${b}/`)
}

function absolute(path: ByteString): ByteString {
  return posix.resolve('/', path)
}

function refuseIntoItself(source: ByteString, target: ByteString, path = target): never {
  const message = `cannot copy ${decodeText(source)} to a subdirectory of self ${decodeText(target)}`
  return refuse('ERR_FS_CP_EINVAL', 'EINVAL', message, path)
}

function refuse(code: keyof typeof prefixes, errno: string, message: string, path: ByteString): never {
  throw nodeRefusal(code, prefixes[code], { code: errno, message, path: decodeText(path), syscall: 'cp' })
}
