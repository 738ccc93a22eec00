import { PlyError } from '../model/errors.ts'
import { checkAborted } from '../model/operation.ts'
import { copyThroughMemory } from './copy.ts'
import type { Disk, Files, Lock } from './disk.ts'
import { patiently } from './flock.ts'

/** Who holds a lock: the number of those who share it, or one alone. */
interface Holders {
  shared: number
  alone: boolean
}

/**
 * An empty disk in memory, on memfs, which is loaded when this is called (it costs 120 ms). Locks hold inside this disk, which
 * nobody else can reach. Nothing has to be synced.
 */
export async function memoryDisk(): Promise<Disk> {
  const { createFsFromVolume, Volume } = await import('memfs')
  const fs = createFsFromVolume(new Volume()) as unknown as Files
  const locks = new Map<string, Holders>()
  return {
    kind: 'memory',
    fs,
    async lock(path, { shared = false, wait = false, signal } = {}) {
      checkAborted(signal)
      if (!fs.existsSync(path)) fs.writeFileSync(path, '')
      else if (fs.statSync(path).isDirectory()) throw new PlyError('EISDIR', { syscall: 'open', path })
      const attempt = () => tryLock(locks, path, shared)
      return wait ? await patiently(attempt, signal) : attempt()
    },
    syncDirectory(path) {
      if (!fs.statSync(path).isDirectory()) throw new PlyError('ENOTDIR', { syscall: 'fsync', path })
    },
    copy: (source, target, size) => copyThroughMemory(fs, source, target, size),
  }
}

function tryLock(locks: Map<string, Holders>, path: string, shared: boolean): Lock | undefined {
  const holders = locks.get(path) ?? { shared: 0, alone: false }
  if (holders.alone || (!shared && holders.shared > 0)) return undefined
  if (shared) holders.shared++
  else holders.alone = true
  locks.set(path, holders)
  let held = true
  const release = () => {
    if (!held) return
    held = false
    if (shared) holders.shared--
    else holders.alone = false
    if (holders.shared === 0) locks.delete(path)
  }
  return { release, [Symbol.dispose]: release }
}
