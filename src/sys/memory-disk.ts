import { constants } from 'node:buffer'
import { freemem, totalmem } from 'node:os'
import { PlyError } from '../model/errors.ts'
import { checkAborted } from '../model/operation.ts'
import type { AllocationMode } from './allocate.ts'
import { copyThroughMemory } from './copy.ts'
import type { Disk, DiskRoom, Files, Lock } from './disk.ts'
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
  const openLocks = new Map<number, Holders>()
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
    lockOpen: (fd, { shared = false } = {}) => tryLock(openLocks, fs.fstatSync(fd).ino, shared),
    syncDirectory(path) {
      if (!fs.statSync(path).isDirectory()) throw new PlyError('ENOTDIR', { syscall: 'fsync', path })
    },
    copy: (source, target, size) => copyThroughMemory(fs, source, target, size),
    allocate: (fd, what, position, length) => allocate(fs, fd, what, position, length),
    room,
  }
}

/** There is no room to take: what is asked for is only that a range reads as zeros, or that the file is longer. */
function allocate(fs: Files, fd: number, what: AllocationMode, position: number, length: number): void {
  const end = position + length
  if (end > constants.MAX_LENGTH) throw new PlyError('EFBIG', { syscall: 'fallocate' })
  const { size } = fs.fstatSync(fd)
  if (what === 'extend' && end > size) fs.ftruncateSync(fd, end)
  if (what === 'extend' || what === 'reserve') return
  const stop = Math.min(end, size)
  const zeros = Buffer.alloc(Math.max(0, Math.min(stop - position, 1 << 18)))
  for (let at = position; at < stop; at += zeros.length)
    fs.writeSync(fd, zeros, 0, Math.min(zeros.length, stop - at), at)
}

/** memfs has no limit of its own: the machine's memory is one. */
function room(): DiskRoom {
  const size = BigInt(totalmem())
  const free = BigInt(Math.min(freemem(), totalmem()))
  return { blockSize: 4096, size, free, available: free, inodes: 2n ** 32n, freeInodes: 2n ** 32n }
}

function tryLock<Key>(locks: Map<Key, Holders>, key: Key, shared: boolean): Lock | undefined {
  const holders = locks.get(key) ?? { shared: 0, alone: false }
  if (holders.alone || (!shared && holders.shared > 0)) return undefined
  if (shared) holders.shared++
  else holders.alone = true
  locks.set(key, holders)
  let held = true
  const release = () => {
    if (!held) return
    held = false
    if (shared) holders.shared--
    else holders.alone = false
    if (holders.shared === 0) locks.delete(key)
  }
  return { release, [Symbol.dispose]: release }
}
