import { expect, test } from 'vitest'
import { koffi, libc } from '../../src/sys/libc.ts'
import { nodeDisk } from '../../src/sys/node-disk.ts'

test('native calls are loaded by the first that is made, not by importing', () => {
  expect(nodeDisk().kind).toBe('disk')
  const missing = libc('int surely_no_such_function(int)')
  expect(() => missing(1)).toThrow(expect.objectContaining({ code: 'PLY_NO_NATIVE' }))
  expect(koffi('tests')).toBe(koffi('tests'))
})
