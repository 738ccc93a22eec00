import { execFileSync } from 'node:child_process'
import { closeSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { hasProgram } from './ability.ts'

export type LoopDiskName = 'ext4' | 'xfs' | 'btrfs'

/** Why there can be no such disk here; `undefined` if there can. */
export function whyNoLoopDisk(name: LoopDiskName): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'mounts need root on Linux'
  if (!hasProgram(`mkfs.${name}`)) return `mkfs.${name} is missing`
  try {
    execFileSync('losetup', ['--find'], { stdio: 'ignore' })
    return undefined
  } catch {
    return 'no loop device is free'
  }
}

/**
 * An empty disk of its own in a file, where it is mounted; it goes when the test has finished. Unlike the oracle's, every thread of
 * this process sees it, and other programs do.
 */
export function loopDisk(name: LoopDiskName, size = 1 << 30): string {
  const folder = mkdtempSync(join(tmpdir(), 'ply-disk-'))
  const image = join(folder, 'image')
  const target = join(folder, 'disk')
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  mkdirSync(target)
  const fd = openSync(image, 'w')
  ftruncateSync(fd, size)
  closeSync(fd)
  execFileSync(`mkfs.${name}`, name === 'ext4' ? ['-q', '-F', image] : ['-q', '-f', image], { stdio: 'ignore' })
  execFileSync('mount', ['-o', 'loop,noatime', image, target], { stdio: 'ignore' })
  onTestFinished(() => void execFileSync('umount', ['--lazy', target], { stdio: 'ignore' }))
  return target
}
