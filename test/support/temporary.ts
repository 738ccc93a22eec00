import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** An empty directory that goes away when the test that asked for it has finished. */
export function temporary(): string {
  const path = mkdtempSync(join(tmpdir(), 'ply-test-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}
