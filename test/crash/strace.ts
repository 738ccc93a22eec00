import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { codeOf } from '../../src/model/errors.ts'

/** What changes a disk. Not every machine has all of them: strace leaves out those with a question mark. */
export const changing = [
  ...['write', 'pwrite64', 'writev', 'pwritev', 'pwritev2', 'ftruncate', 'truncate', 'fallocate', 'copy_file_range'],
  ...['sendfile', 'splice', 'ioctl', 'rename', 'renameat', 'renameat2', 'link', 'linkat', 'unlink', 'unlinkat'],
  ...['rmdir', 'mkdir', 'mkdirat', 'symlink', 'symlinkat', 'mknod', 'mknodat', 'chown', 'lchown', 'fchown'],
  ...['fchownat', 'chmod', 'fchmod', 'fchmodat', 'fchmodat2', 'utimensat', 'utime', 'utimes', 'futimesat'],
  ...['setxattr', 'lsetxattr', 'fsetxattr', 'setxattrat', 'removexattr', 'lremovexattr', 'fremovexattr'],
  ...['fsync', 'fdatasync', 'syncfs', 'sync_file_range', 'creat', 'open', 'openat', 'openat2'],
]
/** Calls that change nothing: with a path that is nowhere they say where in the trace the program is. */
export const asking = ['access', 'faccessat', 'faccessat2']
const nowhere = '/plyfs-crash-'

/** The path that a traced program asks for to say where it is. */
export const signpost = (name: string): string => nowhere + name

/** One call that changes something, and how to meet it again: it is the `count`-th of its name in the process. */
export interface Call {
  readonly name: string
  readonly count: number
  /** As strace shows it. */
  readonly text: string
  /** The last signpost before it. */
  readonly after: string
}

export type Injection = 'kill' | 'EIO' | 'ENOSPC' | 'EROFS'

export interface Traced {
  readonly calls: readonly Call[]
  /** How many calls of each name came before the first signpost: Node's own, which are not the same number each time. */
  readonly before: ReadonlyMap<string, number>
  readonly stdout: string
  readonly stderr: string
  /** How it ended: a signal (SIGKILL too after two minutes), or an exit code. */
  readonly end: string
  /** Which of the calls was the one that was not made; -1 if that was none of them. */
  readonly hit: number
}

/**
 * Runs a Node program to its end and lists what its main thread changed below `at` after the first signpost. With `inject`, that
 * one call is not made: the process is killed instead, or the call fails. The count is the kernel's view of the process from
 * outside, and exact as long as the program does everything synchronously: without `-f` strace sees the main thread alone.
 */
export function traced(
  program: readonly string[],
  { at, log, inject }: { readonly at: string; readonly log: string; readonly inject?: readonly [Call, Injection] },
): Traced {
  const names = [...changing, ...asking].map((name) => `?${name}`).join(',')
  const options = ['-y', '-s', '16', '-o', log, '-e', `trace=${names}`, '-e', 'signal=none']
  if (inject) {
    const [{ name, count }, what] = inject
    const does = what === 'kill' ? 'signal=KILL' : `error=${what}`
    options.push('-e', `inject=${name}:${does}:when=${count}`)
  }
  const ended = spawnSync('strace', [...options, process.execPath, ...program], {
    encoding: 'utf8',
    env: { ...process.env, UV_THREADPOOL_SIZE: '1', NODE_OPTIONS: '' },
    maxBuffer: 64 << 20,
    timeout: 120_000,
    killSignal: 'SIGKILL',
  })
  if (ended.error && codeOf(ended.error) !== 'ETIMEDOUT') throw ended.error
  const { calls, before, last, injected } = read(readFileSync(log, 'latin1'), Buffer.from(at).toString('latin1'))
  const end = ended.signal ?? String(ended.status)
  // Whatever took so long, the process may still be there.
  const hit = ended.error ? undefined : inject?.[1] === 'kill' ? last : injected
  return { calls, before, stdout: ended.stdout, stderr: ended.stderr, end, hit: hit ? calls.indexOf(hit) : -1 }
}

interface Read {
  readonly calls: Call[]
  readonly before: ReadonlyMap<string, number>
  /** The very last call, if it changes something: that of a process that was killed in it. */
  readonly last: Call | undefined
  readonly injected: Call | undefined
}

function read(log: string, at: string): Read {
  const counts = new Map<string, number>()
  const calls: Call[] = []
  let before = counts
  let after = ''
  let last: Call | undefined
  let injected: Call | undefined
  for (const line of log.split('\n')) {
    const name = /^(\w+)\(/.exec(line)?.[1]
    if (name === undefined) continue
    const count = (counts.get(name) ?? 0) + 1
    counts.set(name, count)
    last = undefined
    if (asking.includes(name)) {
      const post = line.indexOf(nowhere)
      if (post >= 0 && after === '') before = new Map(counts)
      if (post >= 0) after = /^[\w-]+/.exec(line.slice(post + nowhere.length))?.[0] ?? ''
      continue
    }
    if (after === '' || !line.includes(at) || !changes(name, line)) continue
    last = { name, count, text: line.replaceAll(at, ''), after }
    if (line.includes('(INJECTED)')) injected = last
    calls.push(last)
  }
  return { calls, before, last, injected }
}

/** Opening changes something only if it may make or empty the file; of ioctls only those that share blocks. */
export function changes(name: string, line: string): boolean {
  if (name === 'open' || name.startsWith('openat')) return /O_CREAT|O_TRUNC|O_TMPFILE/.test(line)
  return name !== 'ioctl' || line.includes('FICLONE')
}
