import { constants } from 'node:os'
import { getSystemErrorName } from 'node:util'
import { expect, test } from 'vitest'
import { errnoNumber, nameOfErrno } from '../../src/model/errno.ts'
import { codeOf } from '../../src/model/errors.ts'
import { withPath } from '../../src/sys/system-error.ts'

/** As Node throws it from a call of `node:fs` that the system refused with an errno. */
const refused = (errno: number) =>
  Object.assign(new Error('UNKNOWN: unknown error, write'), { code: 'UNKNOWN', errno: -errno, syscall: 'write' })

test('an errno that Node has no name for is called by its own: a full quota is EDQUOT', () => {
  expect(getSystemErrorName(-constants.errno.EDQUOT)).not.toBe('EDQUOT')
  expect(codeOf(refused(constants.errno.EDQUOT))).toBe('EDQUOT')
  expect(codeOf(refused(constants.errno.ESTALE))).toBe('ESTALE')
  const bySynchronous = { code: `Unknown system error -${constants.errno.EDQUOT}`, errno: -constants.errno.EDQUOT }
  expect(codeOf(Object.assign(new Error(), bySynchronous))).toBe('EDQUOT')
})

test('an errno that nobody has a name for is EIO, and what is no errno stays as it is', () => {
  expect(codeOf(refused(4000))).toBe('EIO')
  expect(codeOf(Object.assign(new Error(), { code: 'UNKNOWN' }))).toBe('UNKNOWN')
  expect([codeOf(undefined), codeOf(null), codeOf(7)]).toEqual([undefined, undefined, undefined])
})

test('with its path it is an error of the library, with what Node said as the cause', () => {
  const error = refused(constants.errno.EDQUOT)
  expect(withPath(error, '/store/blob')).toMatchObject({ code: 'EDQUOT', path: '/store/blob', cause: error })
  expect((withPath(error, '/store/blob') as Error).message).toBe("EDQUOT: disk quota exceeded, write '/store/blob'")
})

test.runIf(process.platform === 'linux')('what only Linux has is known by its number there', () => {
  for (const [name, number] of [
    ['ENOTBLK', 15],
    ['EUCLEAN', 117],
    ['EREMOTEIO', 121],
    ['ENOMEDIUM', 123],
    ['EMEDIUMTYPE', 124],
    ['ENOKEY', 126],
    ['EKEYREJECTED', 129],
  ] as const) {
    expect([nameOfErrno(number), errnoNumber(name), codeOf(refused(number))]).toEqual([name, number, name])
  }
})

test('a number with two names goes by the one that Node says', () => {
  expect(nameOfErrno(constants.errno.EAGAIN)).toBe('EAGAIN')
  expect(nameOfErrno(constants.errno.ENOTSUP)).toBe('ENOTSUP')
})
