import { constants } from 'node:os'
import { describe, expect, test } from 'vitest'
import { features, opcodes } from '../../src/fuse/protocol.ts'
import { deviceParts, Reply } from '../../src/fuse/reply.ts'
import { Request } from '../../src/fuse/request.ts'
import { plainTree } from '../support/plain-tree.ts'
import { requestBytes, Wire } from './wire.ts'

const { errno } = constants

/** What Linux 6.18 sends first. */
const recordedInit = Buffer.from(
  `680000001a0000000200000000000000${'00'.repeat(24)}070000002d00000000000200fbffff73fd050000${'00'.repeat(44)}`,
  'hex',
)

describe('requests', () => {
  test('numbers, names and times are read at their places', () => {
    const request = new Request(4096)
    const bytes = requestBytes(
      'setAttributes',
      2 ** 40 + 5,
      [0xfffffffe, 9, 2n ** 52n + 1n, -2n, 999, 'n\xffme', 'b'],
      {
        uid: 1000,
        gid: 100,
      },
    )
    request.memory.set(bytes)
    request.arrived(bytes.length)
    expect(request.opcode).toBe(opcodes.setAttributes)
    expect(request.node).toBe(2 ** 40 + 5)
    expect([request.uid, request.gid, request.uniqueLow, request.uniqueHigh]).toEqual([1000, 100, 7, 0])
    expect(request.u32(0)).toBe(0xfffffffe)
    expect(request.u64(8)).toBe(2 ** 52 + 1)
    expect(request.time(16, 24)).toBe(-2_000_000_000n + 999n)
    expect(request.text(28)).toBe('n\xffme')
    expect(request.text(33)).toBe('b')
    expect(Buffer.from(request.bytes(28, 4)).toString('latin1')).toBe('n\xffme')
  })

  test('nothing is read beyond the end of a request, whatever the memory holds from the one before', () => {
    const request = new Request(4096)
    request.memory.fill(0)
    const bytes = requestBytes('lookup', 1, [Buffer.from('ab')])
    request.memory.set(bytes)
    request.arrived(bytes.length)
    for (const read of [() => request.u32(0), () => request.u64(0), () => request.text(0), () => request.bytes(0, 3)])
      expect(read).toThrow(expect.objectContaining({ code: 'EINVAL' }))
    expect(() => request.arrived(39)).toThrow(expect.objectContaining({ code: 'EIO' }))
  })
})

describe('answers', () => {
  test('attributes lie as in struct fuse_attr, with times before the epoch too', () => {
    const reply = new Reply(4096)
    reply.memory.fill(0xee)
    const stat = {
      kind: 'block',
      mode: 0o4750,
      uid: 1,
      gid: 2,
      size: 0,
      links: 3,
      major: 0xabc,
      minor: 0xdef12,
    } as const
    reply.attributes(0, {
      ...stat,
      ino: 2 ** 40 + 1,
      mtime: -1n,
      atime: 5_000_000_001n,
      ctime: -(2n ** 40n) * 1_000_000_000n,
    })
    const expected = Buffer.alloc(88)
    expected.writeBigUInt64LE(2n ** 40n + 1n, 0)
    expected.writeBigInt64LE(5n, 24)
    expected.writeBigInt64LE(-1n, 32)
    expected.writeBigInt64LE(-(2n ** 40n), 40)
    expected.writeUInt32LE(1, 48)
    expected.writeUInt32LE(999_999_999, 52)
    expected.writeUInt32LE(0o064750, 60)
    expected.writeUInt32LE(3, 64)
    expected.writeUInt32LE(1, 68)
    expected.writeUInt32LE(2, 72)
    expected.writeUInt32LE((0x12 | (0xabc << 8) | (0xdef00 << 12)) >>> 0, 76)
    expected.writeUInt32LE(4096, 80)
    expect(reply.memory.subarray(16, 16 + 88).toString('hex')).toBe(expected.toString('hex'))
    expect(deviceParts(expected.readUInt32LE(76))).toEqual({ major: 0xabc, minor: 0xdef12 })
  })

  test('an error is a header alone, with the name of the request', () => {
    const reply = new Reply(4096)
    expect(reply.finished(0x89abcdef, 0x01234567, -errno.ENOENT)).toBe(16)
    expect(reply.memory.subarray(0, 16).toString('hex')).toBe('10000000feffffffefcdab8967452301')
    expect(reply.finished(1, 0, 0)).toBe(16)
    expect(reply.memory.subarray(0, 16).toString('hex')).toBe('10000000000000000100000000000000')
  })
})

describe('INIT', () => {
  test('what Linux 6.18 sends is answered with what was decided', () => {
    const answered = new Wire(plainTree()).send(recordedInit)!
    const { body } = answered
    expect([answered.error, body.length]).toEqual([0, 64])
    expect([body.readUInt32LE(0), body.readUInt32LE(4), body.readUInt32LE(8)]).toEqual([7, 45, 131072])
    const flags = body.readUInt32LE(12)
    const { posixAcl, dontMask, handleKillPrivileges, truncateOnOpen, writebackCache, posixLocks } = features
    for (const bit of [posixAcl, dontMask, handleKillPrivileges, truncateOnOpen]) expect(flags & bit).toBe(bit)
    for (const bit of [writebackCache, posixLocks]) expect(flags & bit).toBe(0)
    // 1 MiB a request, in 256 pages; times to the nanosecond.
    expect([body.readUInt32LE(20), body.readUInt32LE(24), body.readUInt16LE(28)]).toEqual([1 << 20, 1, 256])
    expect(body.subarray(30).every((byte) => byte === 0)).toBe(true)
  })

  test('nothing is asked for that the kernel does not offer, and its minor version is spoken', () => {
    const { body } = new Wire(plainTree()).ask('init', 0, [7, 31, 4096, 0x00400028])!
    expect(body.readUInt32LE(4)).toBe(31)
    expect(body.readUInt32LE(12)).toBe(0x00400028)
  })

  test('an older major or minor version is refused, and of a newer one ours is told', () => {
    const wire = new Wire(plainTree())
    expect(wire.ask('init', 0, [6, 40, 0, 0])!.error).toBe(-errno.EPROTO)
    expect(wire.ask('init', 0, [7, 30, 0, 0])!.error).toBe(-errno.EPROTO)
    expect(wire.ask('init', 0, [8, 0, 0, 0])!.body.readUInt32LE(0)).toBe(7)
    expect(wire.dispatcher.ready).toBe(false)
  })

  test('what is not served is ENOSYS, and what is cut short an errno', () => {
    const wire = new Wire(plainTree())
    wire.init()
    for (const opcode of ['ioctl', 'poll', 'access', 'statx', 'flush', 'getLock', 999] as const)
      expect(wire.ask(opcode, 1, [0, 0])!.error).toBe(-errno.ENOSYS)
    for (const opcode of Object.keys(opcodes) as (keyof typeof opcodes)[]) {
      if (['interrupt', 'destroy', 'getAttributes', 'statfs', 'syncFileSystem', 'syncDirectory'].includes(opcode))
        continue
      const answered = wire.ask(opcode, 1, [Buffer.from('x')])
      if (answered && opcode !== 'openDirectory') expect([opcode, answered.error < 0]).toEqual([opcode, true])
    }
  })
})
