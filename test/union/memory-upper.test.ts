import { describe, expect, test } from 'vitest'
import { bytesOf } from '../../src/model/bytes.ts'
import { codeOf } from '../../src/model/errors.ts'
import { memoryUpper } from '../../src/union/memory-upper.ts'
import type { Upper } from '../../src/union/upper.ts'
import { caught, upperContract } from './upper-contract.ts'

upperContract('memoryUpper', memoryUpper, { reopen: (upper) => upper })

const file = { kind: 'file', mode: 0o644, uid: 0, gid: 0, mtime: 0n } as const
const page = 1 << 16

function used(upper: Upper): number {
  const { size, free } = upper.room()
  return Number(size - free)
}

describe('the room of a memory upper', () => {
  test('holes take no memory, however large, and what is punched or cut off comes back', () => {
    const upper = memoryUpper({ room: 100 * page })
    const writer = upper.writer(upper.create(upper.root.ino, 'a', file))
    writer.write(bytesOf('x'), 2 ** 52)
    writer.write(Buffer.alloc(10 * page, 'x'), 0)
    expect(used(upper)).toBeLessThanOrEqual(11 * page)
    writer.allocate('punch', page, 4 * page)
    expect(used(upper)).toBeLessThanOrEqual(7 * page)
    expect(writer.nextData?.(0)).toEqual({ start: 0, end: page })
    expect(writer.nextData?.(page)).toEqual({ start: 5 * page, end: 10 * page })
    expect(writer.nextData?.(10 * page)).toEqual({ start: 2 ** 52, end: 2 ** 52 + 1 })
    writer.truncate(0)
    expect(used(upper)).toBe(0)
  })

  test('what is reserved is taken, and writing there cannot fail any more', () => {
    const upper = memoryUpper({ room: 10 * page })
    const writer = upper.writer(upper.create(upper.root.ino, 'a', file))
    const other = upper.writer(upper.create(upper.root.ino, 'b', file))
    writer.allocate('reserve', 0, 8 * page)
    expect(used(upper)).toBe(8 * page)
    other.write(Buffer.alloc(2 * page), 0)
    expect(codeOf(caught(() => other.write(Buffer.alloc(1), 2 * page)))).toBe('ENOSPC')
    writer.write(Buffer.alloc(8 * page, 'x'), 0)
    expect(used(upper)).toBe(10 * page)
    expect(codeOf(caught(() => other.allocate('extend', 0, 2 ** 50)))).toBe('ENOSPC')
    writer.allocate('zero', 0, 8 * page)
    expect(used(upper)).toBe(10 * page)
    writer.allocate('punch', 0, 8 * page)
    expect(used(upper)).toBe(2 * page)
  })

  test('a write goes as far as there is room, and memory comes back with the last name and handle', () => {
    const upper = memoryUpper({ room: 2 * page })
    const writer = upper.writer(upper.create(upper.root.ino, 'a', file))
    expect(writer.write(Buffer.alloc(3 * page), 0)).toBe(2 * page)
    expect(writer.size).toBe(2 * page)
    upper.forget(upper.root.ino, 'a')
    expect(used(upper)).toBe(2 * page)
    writer.close()
    writer.close()
    expect(used(upper)).toBe(0)
    const unnamed = upper.unnamed()
    unnamed.content.write(bytesOf('x'), 0)
    expect(used(upper)).toBeGreaterThan(0)
    unnamed.content.close()
    expect(used(upper)).toBe(0)
  })

  test('a copy-up that does not fit leaves nothing behind', () => {
    const upper = memoryUpper({ room: 2 * page })
    const full = { size: 3 * page, read: (into: Uint8Array) => into.length, close() {} }
    expect(codeOf(caught(() => upper.copyUp(upper.root.ino, 'a', 5, file, full)))).toBe('ENOSPC')
    expect(upper.has(5)).toBe(false)
    expect(used(upper)).toBe(0)
  })

  test('nothing is larger than numbers are exact', () => {
    const upper = memoryUpper()
    const writer = upper.writer(upper.create(upper.root.ino, 'a', file))
    expect(codeOf(caught(() => writer.write(Buffer.alloc(2), Number.MAX_SAFE_INTEGER - 1)))).toBe('EFBIG')
    expect(codeOf(caught(() => writer.truncate(2 ** 53)))).toBe('EFBIG')
    expect(codeOf(caught(() => writer.allocate('punch', 2 ** 52, 2 ** 52)))).toBe('EFBIG')
  })
})
