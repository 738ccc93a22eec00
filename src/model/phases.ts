import { channel } from 'node:diagnostics_channel'

/** A part of a long call that has ended, and what it took. */
export interface Phase {
  /**
   * `import`: a layer was read, verified and indexed; `fold`: layers were made one tree; `unpack`: a tree was written to a directory; `fetch`
   * and `push`: a blob came from or went to a registry; `request`: a registry answered; `step`: an instruction of a build was carried out.
   */
  readonly phase: 'import' | 'fold' | 'unpack' | 'fetch' | 'push' | 'request' | 'step'
  /** A digest, a path, a method with an address, or an instruction. */
  readonly what: string
  /** By the clock; others may have run meanwhile. */
  readonly milliseconds: number
  /** `false` if it failed. */
  readonly ended: boolean
}

/** By this name any program in the process hears of phases. */
const name = 'plyfs:phase'

/**
 * Calls a listener for every phase that ends in this thread, of any call, until the function that it answers is called. The same is on
 * `plyfs:phase` of `node:diagnostics_channel`. What the listener throws is its own concern: nothing here fails by it.
 */
export function onPhase(listener: (phase: Phase) => void): () => void {
  const told = (phase: unknown) => listener(phase as Phase)
  channel(name).subscribe(told)
  return () => void channel(name).unsubscribe(told)
}

/** Does something and says how long that took, where somebody listens. @throws what `act` throws */
export async function timed<T>(phase: Phase['phase'], what: string, act: () => Promise<T>): Promise<T> {
  if (!channel(name).hasSubscribers) return act()
  const begun = performance.now()
  let ended = false
  try {
    const result = await act()
    ended = true
    return result
  } finally {
    tellPhase({ phase, what, milliseconds: performance.now() - begun, ended })
  }
}

/** Says what was timed already. */
export function tellPhase(phase: Phase): void {
  if (channel(name).hasSubscribers) channel(name).publish(phase)
}
