import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A directory for one test, with one inside for temporary files, both gone at the end. */
export interface Place extends Disposable {
  readonly root: string
  /** Handed to calls as their place for temporary files; must be empty after each. */
  readonly temporary: string
  at(...names: string[]): string
  /** Everything that is there: paths relative to the root, sorted. */
  files(): string[]
}

export function makePlace(): Place {
  const root = mkdtempSync(join(tmpdir(), 'ply-test-'))
  const temporary = mkdtempSync(join(tmpdir(), 'ply-test-tmp-'))
  return {
    root,
    temporary,
    at: (...names) => join(root, ...names),
    files: () => (readdirSync(root, { recursive: true }) as string[]).sort(),
    [Symbol.dispose]() {
      for (const path of [root, temporary]) rmSync(path, { recursive: true, force: true })
    },
  }
}
