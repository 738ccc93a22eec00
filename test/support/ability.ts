import { execFileSync } from 'node:child_process'
import { test } from 'vitest'

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
