import { execFileSync, spawnSync } from 'node:child_process'

/** Whether a program can be run here. Why not is printed, so that no test is silently left out. */
export function hasTool(name: string, ...probe: string[]): boolean {
  const { error, status } = spawnSync(name, probe.length > 0 ? probe : ['--version'], { stdio: 'ignore' })
  if (error === undefined && status === 0) return true
  console.warn(`tests with ${name} are skipped: ${error?.message ?? `it ended with ${status}`}`)
  return false
}

/** Whether this is root, which some things need. If it is not, what is left out and why is printed. */
export function isRootFor(what: string, why: string): boolean {
  if (process.getuid?.() === 0) return true
  console.warn(`${what}: skipped, since only root may: ${why}`)
  return false
}

/** Runs a program to its end and answers its output; what it complained of is in the error. */
export function run(name: string, ...args: string[]): string {
  return execFileSync(name, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 64 << 20 })
}
