import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, realpathSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import type { Tree } from '../../src/stack/tree.ts'

const isPrivileged = () => process.geteuid?.() === 0

export const isRoot = isPrivileged()

const made: string[] = []
const mounted: string[] = []

/** A directory that is gone after the test. */
export function scratchDirectory(): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'ply-extract-test-')))
  chmodSync(path, 0o777)
  made.push(path)
  return path
}

/** Mounts a small file system; needs root. It is gone after the test. */
export function mountTmpfs(path: string, options: string): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path])
  mounted.push(path)
}

/** Mounts a file system that has neither attributes nor a size; needs root. It is gone after the test. */
export function mountRamfs(path: string): void {
  execFileSync('mount', ['-t', 'ramfs', 'ramfs', path])
  mounted.push(path)
}

afterEach(async () => {
  for (const path of mounted.splice(0).reverse()) execFileSync('umount', [path])
  for (const path of made.splice(0)) {
    // Tests make directories that only root can empty as they are.
    if (!isPrivileged()) execFileSync('chmod', ['-R', 'u+rwX', path])
    await rm(path, { recursive: true, force: true })
  }
})

/** What lies in a directory, staging included. */
export function inside(path: string): string[] {
  return readdirSync(path).sort()
}

/** A tree that answers some questions differently. */
export function altered(tree: Tree, answers: Partial<Tree>): Tree {
  return { ...tree, ...answers }
}
