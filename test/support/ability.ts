import { execFileSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { test } from 'vitest'
import { listXattrs } from '../../src/sys/xattr.ts'

export const root = process.getuid?.() === 0

/** `test`, or a skipped one whose name says why: nothing is left out silently. */
export function testIf(able: boolean, reason: string) {
  return able ? test : (name: string, ..._rest: unknown[]) => test.skip(`${name} [skipped: ${reason}]`, () => {})
}

/** Whether a program can be started. */
export function hasProgram(name: string): boolean {
  try {
    execFileSync('sh', ['-c', 'command -v "$0"', name], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

const nobody = 65534
const groups = process.getgroups?.() ?? []

/**
 * From here on the process has no privileges: where it is root's, the effective ids become nobody's, which takes all
 * capabilities away until `becomeRoot`.
 */
export function becomeNobody(): void {
  if (!root) return
  // The library of system calls is loaded while its file may be read: a checkout may be closed to everybody else.
  listXattrs(tmpdir())
  process.setgroups!([])
  process.setegid!(nobody)
  process.seteuid!(nobody)
}

export function becomeRoot(): void {
  if (!root) return
  process.seteuid!(0)
  process.setegid!(0)
  process.setgroups!(groups)
}
