import { createRequire } from 'node:module'
import { nameOfErrno } from '../model/errno.ts'
import { isErrnoName, PlyError } from '../model/errors.ts'

/** What a C function is called with: numbers, 64-bit numbers, addresses (bigint) and memory. */
type CArgument = number | bigint | Uint8Array | BigInt64Array | BigUint64Array | null

/** A C function. Results are numbers, or bigints where a number would not be exact. */
export type CFunction = (...args: CArgument[]) => number | bigint

/** The part of koffi that is used. */
export interface Koffi {
  load(path: string | null): { func(declaration: string): CFunction }
  address(memory: ArrayBufferView): bigint
  errno(): number
}

let loaded: Koffi | undefined

/** koffi, loaded by the first call that needs it: it costs 10 to 25 ms. @throws PLY_NO_NATIVE */
export function koffi(what: string): Koffi {
  if (loaded !== undefined) return loaded
  try {
    return (loaded = createRequire(import.meta.url)('koffi') as Koffi)
  } catch (error) {
    throw new PlyError(
      'PLY_NO_NATIVE',
      { what, reason: `koffi: ${(error as Error).message.split('\n')[0]}` },
      { cause: error },
    )
  }
}

/** Whether koffi is there already, and costs nothing more. */
export function isNativeLoaded(): boolean {
  return loaded !== undefined
}

/** Why no system call can be made that Node has none for; `undefined` where they can. */
export function missingNative(): string | undefined {
  try {
    koffi('system calls')
    return undefined
  } catch (error) {
    return String((error as PlyError).details.reason)
  }
}

/** Numbers of calls that some C libraries do not have under their names (mknodat before glibc 2.33, renameat2 in musl, fsopen before 2.36). */
const numbers: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  mknodat: { x64: 259, arm64: 33 },
  renameat2: { x64: 316, arm64: 276 },
  copy_file_range: { x64: 326, arm64: 285 },
  openat2: { x64: 437, arm64: 437 },
  open_tree: { x64: 428, arm64: 428 },
  move_mount: { x64: 429, arm64: 429 },
  fsopen: { x64: 430, arm64: 430 },
  fsconfig: { x64: 431, arm64: 431 },
  fsmount: { x64: 432, arm64: 432 },
  mount_setattr: { x64: 442, arm64: 442 },
}

/**
 * A function of the C library, looked up when it is first called.
 *
 * @param declaration in C, with `long` for `ssize_t` and `void*` for everything that points.
 * @throws PLY_NO_NATIVE from the call, if koffi or the function is missing.
 */
export function libc(declaration: string): CFunction {
  let found: CFunction | undefined
  return (...args) => (found ??= lookUp(declaration))(...args)
}

function lookUp(declaration: string): CFunction {
  const [, name = '', parameters = ''] = /(\w+)\((.*)\)$/.exec(declaration) ?? []
  const library = koffi(name).load(null)
  try {
    return library.func(declaration)
  } catch (error) {
    const number = process.platform === 'linux' ? numbers[name]?.[process.arch] : undefined
    if (number === undefined)
      throw new PlyError('PLY_NO_NATIVE', { what: name, reason: (error as Error).message }, { cause: error })
    const call = library.func(`long syscall(long, ${parameters})`)
    return (...args) => call(number, ...args)
  }
}

/** `errno` of the call that just failed. Nothing may come between the two. */
export function lastErrno(): number {
  return loaded!.errno()
}

/** The name of an errno. ENOTSUP and EOPNOTSUPP are one number on Linux: the first, as Node says it. */
export function errnoName(errno: number): string {
  return nameOfErrno(errno) ?? `errno ${errno}`
}

/** A failed call as an error. What has no name in the table of errors is an `EIO` with the number in its cause. */
export function systemError(syscall: string, errno: number, path?: string, dest?: string): PlyError {
  const name = errnoName(errno)
  const details = { syscall, errno, ...(path !== undefined && { path }), ...(dest !== undefined && { dest }) }
  return isErrnoName(name) ? new PlyError(name, details) : new PlyError('EIO', details, { cause: new Error(name) })
}
