import { closeSync, existsSync, openSync, readSync } from 'node:fs'
import { expect, test, vi } from 'vitest'
import { idleProcessors } from '../../src/sys/idle-processors.ts'

const device = '/dev/cpu_dma_latency'

/** The strictest wish that anybody has, in microseconds. */
function strictest(): number {
  const fd = openSync(device, 'r')
  try {
    const value = Buffer.alloc(4)
    readSync(fd, value, 0, 4, null)
    return value.readInt32LE()
  } finally {
    closeSync(fd)
  }
}

if (existsSync(device) && process.geteuid!() === 0)
  test('a wish for processors that stay awake holds until it is taken back, and can be had again', async () => {
    // Others on this machine may wish the same for a while.
    const letSleep = () => vi.waitFor(() => expect(strictest()).toBeGreaterThan(0), { timeout: 60_000 })
    const processors = idleProcessors()
    await letSleep()
    processors.keepAwake()
    expect(strictest()).toBe(0)
    processors.letSleep()
    await letSleep()
    processors.keepAwake()
    expect(strictest()).toBe(0)
    processors.close()
    await letSleep()
  })
else
  test('who may not wish for it, or has no such kernel, is told what to do', () => {
    expect(() => idleProcessors()).toThrow(expect.objectContaining({ code: 'PLY_UNSUPPORTED' }))
  })
