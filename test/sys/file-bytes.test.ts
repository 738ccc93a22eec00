import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fileBytes } from '../../src/sys/file-bytes.ts'
import { missingNative } from '../../src/sys/libc.ts'
import { nodeDisk } from '../../src/sys/node-disk.ts'

const at = mkdtempSync(join(tmpdir(), 'ply-file-bytes-'))
afterAll(() => rmSync(at, { recursive: true }))
// From here on native calls read.
beforeAll(() => expect(missingNative()).toBeUndefined())

test.for([
  ['its own', () => new Uint8Array(8)],
  ['shared', () => new Uint8Array(new SharedArrayBuffer(8))],
  ['a part of another', () => new Uint8Array(new ArrayBuffer(100), 50, 8)],
] as const)('a file is read into memory that is %s', ([, memory]) => {
  writeFileSync(join(at, 'file'), 'abcdefghijkl')
  const bytes = fileBytes(nodeDisk(), join(at, 'file'))
  try {
    const into = memory()
    expect([bytes.size, bytes.read(into, 2), Buffer.from(into).toString()]).toEqual([12, 8, 'cdefghij'])
    expect([bytes.read(into, 9), Buffer.from(into).toString('latin1', 0, 3)]).toEqual([3, 'jkl'])
    expect(bytes.read(into, 12)).toBe(0)
    expect(bytes.read(new Uint8Array(), 0)).toBe(0)
  } finally {
    bytes.close()
  }
  expect(() => bytes.read(memory(), 0)).toThrow(expect.objectContaining({ code: 'EBADF' }))
})

test('positions beyond 4 GiB are met', () => {
  const path = join(at, 'large')
  writeFileSync(path, '')
  truncateSync(path, 5 * 2 ** 30)
  const bytes = fileBytes(nodeDisk(), path)
  const into = new Uint8Array(8).fill(1)
  expect([bytes.read(into, 5 * 2 ** 30 - 3), [...into]]).toEqual([3, [0, 0, 0, 1, 1, 1, 1, 1]])
  bytes.close()
})

test('what the disk refuses to read is said with its path', ({ skip }) => {
  if (process.platform !== 'linux') skip('/proc is of Linux')
  // Nothing is mapped at the first page of a process.
  const bytes = fileBytes(nodeDisk(), '/proc/self/mem')
  try {
    expect(() => bytes.read(new Uint8Array(8), 0)).toThrow(
      expect.objectContaining({ code: 'EIO', details: expect.objectContaining({ path: '/proc/self/mem' }) }),
    )
  } finally {
    bytes.close()
  }
})
