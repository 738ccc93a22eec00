import { closeSync, openSync, writeSync } from 'node:fs'
import { codeOf, PlyError } from '../model/errors.ts'

const device = '/dev/cpu_dma_latency'

/** What the kernel takes where nobody wishes anything, in microseconds (PM_QOS_CPU_LATENCY_DEFAULT_VALUE). */
const anyTime = 2_000_000_000

/** A wish of this process about all processors of the machine that have nothing to do. It ends with the process. */
export interface IdleProcessors {
  /** They stay awake: who is woken runs at once, and power is used all the time. */
  keepAwake(): void
  /** They sleep as they like. */
  letSleep(): void
  close(): void
}

/**
 * Opens the kernel's interface for it (Linux, Documentation/power/pm_qos_interface).
 * @throws PLY_UNSUPPORTED, with what to do, where it may not be opened or is not there
 */
export function idleProcessors(): IdleProcessors {
  let fd: number
  try {
    fd = openSync(device, 'w')
  } catch (error) {
    const code = codeOf(error)
    if (code === undefined) throw error
    const reason =
      code === 'ENOENT' || code === 'ENODEV'
        ? `this kernel has no ${device}; leave low latency away`
        : `${device} is closed to this user; mount as root, or leave low latency away`
    throw new PlyError('PLY_UNSUPPORTED', { what: 'a mount of low latency', reason }, { cause: error })
  }
  const value = Buffer.alloc(4)
  const wish = (microseconds: number): void => {
    value.writeInt32LE(microseconds)
    writeSync(fd, value)
  }
  return {
    keepAwake: () => wish(0),
    letSleep: () => wish(anyTime),
    close: () => closeSync(fd),
  }
}
