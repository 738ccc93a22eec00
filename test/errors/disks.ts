import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { getSystemErrorMap } from 'node:util'
import { copy, type ErrorCode, errorCodes, openSource } from '../../src/index.ts'
import { errnoNumber } from '../../src/model/errno.ts'
import type { Ground, Provocation } from './ground.ts'

/**
 * Every answer that a disk may give, where the first blob of an image is made: `open` gives it in place of the kernel, in the words of Node.
 */
export const answersOfDisks: readonly Provocation[] = errorCodes
  // Linux has one number for ENOTSUP and EOPNOTSUPP: of a disk it is called ENOTSUP.
  .filter((code) => !code.startsWith('PLY_') && code !== 'EOPNOTSUPP')
  .map((code) => ({
    code,
    what: 'the answer of a disk, on which nothing can be made any more',
    says: new RegExp(`${code}.*open .*store`),
    async prepare(ground: Ground) {
      return async () => {
        const put = fs.openSync
        fs.openSync = ((path, ...more) => {
          if (String(path).startsWith(`${ground.root}/tmp/`)) throw asNode(code, String(path))
          return put(path, ...more)
        }) as typeof fs.openSync
        syncBuiltinESMExports()
        try {
          await using store = await ground.store()
          await copy(await openSource(`docker-archive:${ground.at('base.tar')}`), store, { as: 'again:1' })
        } finally {
          fs.openSync = put
          syncBuiltinESMExports()
        }
      }
    },
  }))

/** As Node throws it: it has no name for some. */
function asNode(code: ErrorCode, path: string): Error {
  const errno = -errnoNumber(code)!
  const [name = `Unknown system error ${errno}`, text = name] = getSystemErrorMap().get(errno) ?? []
  return Object.assign(new Error(`${name}: ${text}, open '${path}'`), { errno, code: name, syscall: 'open', path })
}
