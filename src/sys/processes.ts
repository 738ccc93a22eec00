import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { codeOf } from '../model/errors.ts'

/** What the kernel calls the machine as it runs since it was started; `''` where there is no `/proc`. */
export function bootId(): string {
  return textOf('/proc/sys/kernel/random/boot_id')?.trim() ?? ''
}

/**
 * When a process began, as the kernel counts it: with its number that names the process for good, as long as the machine runs.
 * `undefined` if there is none, or it is dead and only waits for its parent.
 */
export function startOf(pid: number | 'self'): string | undefined {
  const stat = textOf(`/proc/${pid}/stat`)
  // The name of the program may hold anything, also parentheses.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields === undefined || fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19]
}

/** How the kernel names the mount namespace of a process. @throws ENOENT, EACCES */
export function mountNamespaceOf(pid: number | 'self'): string {
  return readlinkSync(`/proc/${pid}/ns/mnt`)
}

/** Somebody in a mount namespace; `'unknown'` where there is nobody that this user may ask about, but others of whom it may not. */
export function processIn(namespace: string): number | 'unknown' | undefined {
  let hidden = false
  for (const pid of processes()) {
    try {
      if (mountNamespaceOf(pid) === namespace) return pid
    } catch (error) {
      // ENOENT also for threads of the kernel: they have none.
      if (codeOf(error) === 'EACCES') hidden = true
    }
  }
  return hidden ? 'unknown' : undefined
}

/** All processes that are seen from here. */
export function processes(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
}

/** The processes that a process has started, and are its children still. */
export function childrenOf(pid: number): number[] {
  const listed = textOf(`/proc/${pid}/task/${pid}/children`)
  if (listed !== undefined) return listed.split(' ').filter(Boolean).map(Number)
  return processes().filter((one) => {
    const stat = textOf(`/proc/${one}/stat`)
    return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[1] === String(pid)
  })
}

/** What a process is called; `undefined` if it is gone. */
export function commandOf(pid: number): string | undefined {
  return textOf(`/proc/${pid}/comm`)?.trim()
}

/** What a file of the system says; `undefined` where it is missing, or not ours to read. */
export function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1')
  } catch (error) {
    if (codeOf(error) === undefined) throw error
    return undefined
  }
}
