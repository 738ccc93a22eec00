import { describe, expect, test } from 'vitest'
import { exitCodeOf, exitCodes, exitMeanings } from '../../src/cli/exit-codes.ts'
import { failureOf, renderFailure } from '../../src/cli/failure.ts'
import { errorCodes, PlyError } from '../../src/index.ts'

test('every error code has an exit code, and every exit code a meaning', () => {
  expect(Object.keys(exitCodes).sort()).toEqual([...errorCodes].sort())
  for (const exit of Object.values(exitCodes)) expect(exitMeanings).toHaveProperty(String(exit))
})

describe('the exit codes that scripts rely on', () => {
  for (const [code, exit] of [
    ['PLY_USAGE', 2],
    ['PLY_BAD_REFERENCE', 2],
    ['PLY_UNKNOWN_TRANSPORT', 2],
    ['PLY_IMAGE_NOT_FOUND', 3],
    ['PLY_CONTAINER_NOT_FOUND', 3],
    ['ENOENT', 3],
    ['PLY_DIGEST_MISMATCH', 4],
    ['PLY_SIZE_MISMATCH', 4],
    ['PLY_UNSUPPORTED', 5],
    ['PLY_NO_ZSTD_ENCODER', 5],
    ['PLY_ABORTED', 130],
    ['EACCES', 7],
    ['ENOSPC', 8],
    ['ESTALE', 9],
    ['ERR_INVALID_ARG_TYPE', 70],
    [undefined, 70],
  ] as const) {
    test(`${code} is ${exit}`, () => expect(exitCodeOf(code)).toBe(exit))
  }
})

test('an error is one printable line, and a line that says what to do', () => {
  const failure = failureOf(new PlyError('ENOSPC', { syscall: 'write', path: '/a\n\x1b[2Jb' }), 'load')
  expect(renderFailure(failure)).toMatch(/^ply: ENOSPC: [^\n]+\n {5}free some space[^\n]+\n$/)
  expect(failure.message).not.toMatch(/[\x00-\x1f]/)
  expect(failure.details).toEqual({ syscall: 'write', path: '/a\n\x1b[2Jb' })
})

test('an error of Node keeps its code', () => {
  const error = Object.assign(new Error("EACCES: permission denied, open '/x'"), {
    code: 'EACCES',
    syscall: 'open',
    path: '/x',
  })
  expect(failureOf(error, 'load')).toMatchObject({
    code: 'EACCES',
    exitCode: 7,
    details: { syscall: 'open', path: '/x' },
  })
})

test('an error without a code is an error of ply', () => {
  expect(failureOf(new TypeError('x is not a function'), 'load')).toMatchObject({ code: 'PLY_INTERNAL', exitCode: 70 })
  expect(failureOf('text', undefined)).toMatchObject({ code: 'PLY_INTERNAL', exitCode: 70, message: 'text' })
})
