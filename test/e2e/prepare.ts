import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  export interface ProvidedContext {
    /** Directory of an image in all forms: `oci/`, `oci-zstd/`, `docker.tar`, `info.json`. Empty if none could be made. */
    image: string
    /** The same for 120 small layers, with `expected.json`. */
    deep: string
    /** Why there is none. */
    whyNoImage: string
  }
}

/**
 * Makes the images that the suite stands on, once: a small Debian (as root), and 120 layers of whiteouts and rewrites.
 * `PLYFS_TEST_IMAGES` names a directory where `bench/gen.mjs` has made them already; `PLYFS_TEST_IMAGE` says which of
 * its images stands in for the small one.
 */
export default function prepare(project: TestProject): void {
  const cache =
    process.env.PLYFS_TEST_IMAGES || join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'plyfs-test')
  const generate = (name: string) => {
    if (existsSync(join(cache, name, 'info.json'))) return
    mkdirSync(cache, { recursive: true })
    console.log(`making the image '${name}' (once)`)
    const generator = fileURLToPath(new URL('../../bench/gen.mjs', import.meta.url))
    execFileSync(process.execPath, [generator, name, '--dir', cache], { stdio: 'inherit' })
  }
  const name = process.env.PLYFS_TEST_IMAGE || 'debian'
  const whyNoImage =
    process.getuid?.() === 0 || existsSync(join(cache, name, 'info.json')) ? '' : 'mmdebstrap makes the image as root'
  if (whyNoImage === '') {
    generate(name)
    generate('deep')
  }
  project.provide('image', join(cache, name))
  project.provide('deep', join(cache, 'deep'))
  project.provide('whyNoImage', whyNoImage)
}
