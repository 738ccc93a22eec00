import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A directory for one test: `await using work = workspace()`. It goes when the test ends, however it ends. */
export function workspace(): { readonly path: string } & AsyncDisposable {
  const path = mkdtempSync(join(tmpdir(), 'plyfs-e2e-'))
  return {
    path,
    async [Symbol.asyncDispose]() {
      rmSync(path, { recursive: true, force: true })
    },
  }
}
