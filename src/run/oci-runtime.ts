import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { codeOf } from '../model/errors.ts'
import type { Launch, Runtime, Unstarted } from './runtime.ts'
import { runtimeSpec, type SpecOptions } from './spec.ts'

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

/**
 * A namespace of processes ends with its first one, whoever else is in it, and that one here ends with who has started it: nobody who is
 * killed leaves a container behind.
 */
const together = [
  'setpriv',
  '--pdeathsig',
  'KILL',
  'unshare',
  '--pid',
  '--fork',
  '--kill-child',
  '--mount-proc',
] as const

/** Writes the bundle of a container into a directory that is empty, but for the root file system. */
export function launchByOci(runtime: Runtime, bundle: string, id: string, spec: SpecOptions): Launch {
  const state = join(bundle, 'state')
  const log = join(bundle, 'log')
  mkdirSync(bundle, { recursive: true })
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(runtimeSpec(spec)))
  const calling = { state, log, bundle, id, withoutGroups: spec.group === undefined }
  return {
    command: [...together, ...runtimeCommand(runtime, calling)],
    failure: () =>
      existsSync(state)
        ? unstartedIn(textOf(log))
        : (unstartedIn(textOf(log)) ?? { why: 'other', text: 'there can be no namespace of processes' }),
  }
}

export function runtimeCommand({ name, path }: Runtime, calling: Calling): readonly [string, ...string[]] {
  const { state, log, bundle, id, withoutGroups } = calling
  const groups =
    name === 'crun' ? (withoutGroups ? ['--cgroup-manager=disabled'] : []) : [`--rootless=${withoutGroups}`]
  return [path, '--root', state, '--log', log, '--log-format', 'json', ...groups, 'run', '--bundle', bundle, id]
}

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

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return ''
    throw error
  }
}
