import { expect, test } from 'vitest'
import { PlyError } from '../../src/model/errors.ts'
import { OpenDevices } from '../../src/stack/open-devices.ts'
import { memoryBytes } from '../../src/stream/bytes.ts'

/** Devices that hold their own number, and what became of them. `most` are open at a time. */
function devices(most = Number.POSITIVE_INFINITY) {
  const open = new Set<number>()
  const log: string[] = []
  const opened = new OpenDevices((device) => {
    if (open.size >= most) throw new PlyError('EMFILE', { syscall: 'open' })
    log.push(`+${device}`)
    open.add(device)
    return {
      ...memoryBytes(Uint8Array.of(device >> 8, device)),
      close() {
        log.push(`-${device}`)
        open.delete(device)
      },
    }
  })
  const read = (device: number) => {
    const run = opened.run(device, 0, 2)
    const buffer = Buffer.alloc(2)
    run.read(buffer, 0)
    run.close()
    return buffer.readUInt16BE()
  }
  return { opened, open, log, read }
}

test('of devices that nobody reads only the last hundred or so stay open', () => {
  const { open, log, read } = devices()
  for (let device = 0; device < 1000; device++) expect(read(device)).toBe(device)
  expect(open.size).toBe(128)
  expect(open.has(999)).toBe(true)
  log.length = 0
  expect(read(999)).toBe(999)
  expect(log).toEqual([])
  expect(read(0)).toBe(0)
  expect(log).toEqual(['+0', '-872'])
})

test('a device stays open as long as one of its runs is, however many others come', () => {
  const { opened, open, read } = devices()
  const runs = [opened.run(7, 0, 2), opened.run(7, 1, 1)]
  runs[0]!.close()
  runs[0]!.close()
  for (let device = 100; device < 400; device++) read(device)
  expect(open.has(7)).toBe(true)
  const byte = Buffer.alloc(1)
  expect(runs[1]!.read(byte, 0)).toBe(1)
  expect(byte[0]).toBe(7)
  runs[1]!.close()
  for (let device = 100; device < 400; device++) read(device)
  expect(open.has(7)).toBe(false)
})

test('where no descriptor is left, those that nobody reads are closed and the opening is tried again', () => {
  const { opened, open, read } = devices(3)
  const held = opened.run(1, 0, 2)
  for (let device = 2; device < 20; device++) expect(read(device)).toBe(device)
  expect(open.size).toBeLessThanOrEqual(3)
  expect(open.has(1)).toBe(true)
  const others = [opened.run(30, 0, 2), opened.run(31, 0, 2)]
  expect(() => opened.run(32, 0, 2)).toThrow(expect.objectContaining({ code: 'EMFILE' }))
  others[0]!.close()
  expect(read(32)).toBe(32)
  for (const run of [held, ...others]) run.close()
})

test('closing closes all, also those with readers, and nothing is opened after it', () => {
  const { opened, open, log, read } = devices()
  const held = opened.run(1, 0, 2)
  read(2)
  opened.close()
  opened.close()
  held.close()
  expect(open.size).toBe(0)
  expect(log).toEqual(['+1', '+2', '-1', '-2'])
  expect(() => opened.run(1, 0, 2)).toThrow(expect.objectContaining({ code: 'EBADF' }))
})
