import { accessSync, constants, statSync } from 'node:fs'
import { basename, delimiter, join } from 'node:path'
import { PlyError } from '../model/errors.ts'

/** A program that runs containers. */
export interface Runtime {
  readonly name: 'runc' | 'crun' | 'bwrap'
  readonly path: string
}

const known = ['runc', 'crun', 'bwrap'] as const

/**
 * The runtimes that may be used, the best first: the one that is asked for (a name or a path), else all that are here.
 *
 * @throws PLY_UNSUPPORTED where there is none, saying what to install
 */
export function findRuntimes(
  asked?: string,
  environment: NodeJS.ProcessEnv = process.env,
): readonly [Runtime, ...Runtime[]] {
  const [first, ...others] = (asked === undefined ? known : [asked]).flatMap((name) => {
    const path = installed(name, environment)
    return path === undefined ? [] : [{ name: kindOf(name), path }]
  })
  if (first !== undefined) return [first, ...others]
  throw new PlyError('PLY_UNSUPPORTED', {
    what: 'running a container',
    reason:
      asked === undefined
        ? 'there is neither runc nor crun nor bwrap; install one of them (package runc)'
        : `there is no program ${asked}`,
  })
}

/** Where a runtime is, by its name or path; `undefined` if it is not. */
export function installed(name: string, environment: NodeJS.ProcessEnv): string | undefined {
  const places = (environment.PATH ?? '').split(delimiter).concat('/usr/sbin', '/usr/local/sbin', '/sbin')
  const paths = name.includes('/') ? [name] : places.map((place) => join(place, name))
  return paths.find(isProgram)
}

function kindOf(name: string): Runtime['name'] {
  return known.find((one) => basename(name).includes(one)) ?? 'runc'
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

/** How a container is started. */
export interface Launch {
  /** It is the parent of who hears signals, and who kills it, or whoever started it, kills everybody in the container. */
  readonly command: readonly [string, ...string[]]
  /** Asked when it has ended: what went wrong before the command of the container began; `undefined` if it has run. */
  failure(): Unstarted
}

/** What went wrong before the command of a container began. */
export type Unstarted = { readonly why: 'missing' | 'closed' | 'groups' | 'other'; readonly text: string } | undefined
