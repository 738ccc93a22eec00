import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * A directory for one test: `await using work = workspace()`. It goes when the test ends, however it ends. Its name is in
 * lower case, because buildah takes a path for an image name. `inMemory` asks for one on a tmpfs, where there is one.
 */
export function workspace({ inMemory = false } = {}): { readonly path: string } & AsyncDisposable {
  const parent = inMemory && existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
  const path = join(parent, `plyfs-e2e-${randomBytes(8).toString('hex')}`)
  mkdirSync(path, { mode: 0o700 })
  return {
    path,
    async [Symbol.asyncDispose]() {
      rmSync(path, { recursive: true, force: true })
    },
  }
}
