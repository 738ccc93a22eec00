import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { PlyError } from '../model/errors.ts'

/** A program that runs containers. */
export interface Runtime {
  readonly name: 'runc' | 'crun'
  readonly path: string
}

const known = ['runc', 'crun'] as const

/**
 * The runtime that is to be used: the one that is asked for (a name or a path), else the first that is here.
 *
 * @throws PLY_UNSUPPORTED where there is none, saying what to install
 */
export function findRuntime(asked?: string, environment: NodeJS.ProcessEnv = process.env): Runtime {
  const places = (environment.PATH ?? '').split(delimiter).concat('/usr/sbin', '/usr/local/sbin', '/sbin')
  for (const name of asked === undefined ? known : [asked]) {
    const paths = name.includes('/') ? [name] : places.map((place) => join(place, name))
    const path = paths.find(isProgram)
    if (path !== undefined) return { name: name.includes('crun') ? 'crun' : 'runc', path }
  }
  throw new PlyError('PLY_UNSUPPORTED', {
    what: 'running a container',
    reason:
      asked === undefined ? 'there is neither runc nor crun; install one of them' : `there is no program ${asked}`,
  })
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

/** How a runtime is called. */
export interface Calling {
  /** Directory for its own records. */
  readonly state: string
  /** A file that it tells its errors to. */
  readonly log: string
  readonly bundle: string
  readonly id: string
  /** Without control groups: they are the host's, or cannot be used. */
  readonly withoutGroups: boolean
}

export function runtimeCommand({ name, path }: Runtime, calling: Calling): readonly [string, ...string[]] {
  const { state, log, bundle, id, withoutGroups } = calling
  const groups =
    name === 'crun' ? (withoutGroups ? ['--cgroup-manager=disabled'] : []) : [`--rootless=${withoutGroups}`]
  return [path, '--root', state, '--log', log, '--log-format', 'json', ...groups, 'run', '--bundle', bundle, id]
}

/** What ends a container, whoever is in it. */
export function endingCommand(
  { path }: Runtime,
  { state, id }: Pick<Calling, 'state' | 'id'>,
): readonly [string, ...string[]] {
  return [path, '--root', state, 'delete', '--force', id]
}

/** What went wrong before the command of a container began. */
export type Unstarted = { readonly why: 'missing' | 'closed' | 'groups' | 'other'; readonly text: string } | undefined

/** What a runtime has told of its own errors; `undefined` if it had none: then how it ended is how the command did. */
export function unstartedIn(log: string): Unstarted {
  const texts = log.split('\n').flatMap((line) => {
    try {
      const { level, msg } = JSON.parse(line) as { level?: string; msg?: string }
      return (level === undefined || level === 'error') && msg !== undefined ? [msg] : []
    } catch {
      return []
    }
  })
  const text = texts.at(-1)
  if (text === undefined) return undefined
  if (/executable file not found|no such file or directory/i.test(text) && /exec|executable/i.test(text))
    return { why: 'missing', text }
  if (/exec/.test(text) && /permission denied|exec format error|is a directory/i.test(text))
    return { why: 'closed', text }
  if (/cgroup/i.test(text)) return { why: 'groups', text }
  return { why: 'other', text }
}
