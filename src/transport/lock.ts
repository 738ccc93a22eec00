import { codeOf } from '../model/errors.ts'
import type { Lock } from '../sys/disk.ts'
import { nodeDisk } from '../sys/node-disk.ts'

/**
 * Runs something while no other process of ours changes the same layout. The lock is on a file that every layout has and
 * nobody replaces, so that nothing is left behind. Where the platform has no locks, the last writer wins.
 */
export async function withLock<T>(path: string, signal: AbortSignal | undefined, act: () => Promise<T>): Promise<T> {
  using _ = await lockIfPossible(path, signal)
  return await act()
}

async function lockIfPossible(path: string, signal: AbortSignal | undefined): Promise<Lock | undefined> {
  try {
    return await nodeDisk().lock(path, { wait: true, signal })
  } catch (error) {
    if (codeOf(error) === 'PLY_NO_NATIVE') return undefined
    throw error
  }
}
