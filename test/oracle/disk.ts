import { execFileSync } from 'node:child_process'
import { closeSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mount, mountFlags, umount, unmountFlags } from '../../src/sys/mount.ts'
import { refused, sys } from './syscalls.ts'

export const diskNames = ['tmpfs', 'ext4', 'xfs', 'btrfs'] as const
export type DiskName = (typeof diskNames)[number]

/** A disk of its own for a run: an empty directory, gone when it is closed. */
export interface TestDisk {
  readonly name: string
  readonly folder: string
  close(): void
}

const imageSize = 1 << 30
const noAccessTimes = 1024

let isolated = false

/** Nobody else's mount namespace keeps our mounts busy, and they go with this process however it ends. */
function isolateMounts(): void {
  if (isolated) return
  if (sys.unshareMounts() < 0) throw new Error(`no mounts of its own for the oracle: ${refused()}`)
  mount('none', '/', '', mountFlags.recursive | mountFlags.private)
  isolated = true
}

/** Why there can be no such disk here; `undefined` if there can. */
export function whyNoDisk(name: DiskName): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'mounts need root on Linux'
  if (name === 'tmpfs') return undefined
  try {
    execFileSync('sh', ['-c', `command -v mkfs.${name}`], { stdio: 'ignore' })
    execFileSync('losetup', ['--find'], { stdio: 'ignore' })
    return undefined
  } catch {
    return `mkfs.${name} or a free loop device is missing`
  }
}

/** Where this process may mount nothing: a directory of the temporary one. */
export function plainFolder(parent = tmpdir()): TestDisk {
  const folder = mkdtempSync(join(parent, 'plyfs-oracle-'))
  return { name: 'here', folder, close: () => rmSync(folder, { recursive: true, force: true }) }
}

/** A new disk of a kind; but for tmpfs in an image file, over a loop device. */
export function testDisk(name: DiskName): TestDisk {
  isolateMounts()
  const { folder, close } = plainFolder()
  if (name === 'tmpfs') {
    mount('tmpfs', folder, 'tmpfs', noAccessTimes, 'mode=755')
    return { name, folder, close: unmounting(folder, close) }
  }
  const image = join(folder, 'image')
  const target = join(folder, 'disk')
  mkdirSync(target)
  const fd = openSync(image, 'w')
  ftruncateSync(fd, imageSize)
  closeSync(fd)
  const quiet = name === 'ext4' ? ['-q', '-F', '-O', '^has_journal'] : ['-q', '-f']
  execFileSync(`mkfs.${name}`, [...quiet, image], { stdio: 'ignore' })
  // The loop device lets go of the image when the last mount of it goes, and nothing is left of it then.
  const device = execFileSync('losetup', ['--find', '--show', image], { encoding: 'utf8' }).trim()
  try {
    mount(device, target, name, noAccessTimes)
  } finally {
    execFileSync('losetup', ['--detach', device], { stdio: 'ignore' })
    rmSync(image)
  }
  return { name, folder: target, close: unmounting(target, close) }
}

function unmounting(target: string, close: () => void): () => void {
  return () => {
    umount(target, unmountFlags.detach)
    close()
  }
}
