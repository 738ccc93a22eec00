import { describe, expect, test } from 'vitest'
import { memoryUpper, plainLayer, union } from '../../src/index.ts'
import { identityIn } from '../../src/run/identity.ts'

const tree = union(
  [
    plainLayer({
      'etc/passwd':
        'root:x:0:0:root:/root:/bin/sh\nweb:x:33:34::/var/www:/bin/sh\nweb:x:99:99::/no:/\nodd:x:70000:1\nbroken\n',
      'etc/group': 'root:x:0:\nwww:x:34:\nadm:x:4:web,root\nssl:x:5:web\n',
    }),
  ],
  memoryUpper(),
)

describe('who a process is', () => {
  for (const [text, uid, gid, groups, home] of [
    [undefined, 0, 0, [4], '/root'],
    ['', 0, 0, [4], '/root'],
    ['root', 0, 0, [4], '/root'],
    ['web', 33, 34, [4, 5], '/var/www'],
    ['33', 33, 34, [4, 5], '/var/www'],
    ['web:adm', 33, 4, [], '/var/www'],
    ['web:7', 33, 7, [], '/var/www'],
    ['1234', 1234, 0, [], '/'],
    ['1234:5678', 1234, 5678, [], '/'],
    ['odd', 70_000, 1, [], '/'],
    [':adm', 0, 4, [], '/root'],
  ] as const) {
    test(`${text ?? 'nobody said'} is ${uid}:${gid}`, () => {
      expect(identityIn(tree, text)).toEqual({ uid, gid, groups, home })
    })
  }

  for (const text of ['nobody', 'web:nobody', '4294967295', '-1']) {
    test(`${text} is nobody that the container knows`, () => {
      expect(() => identityIn(tree, text)).toThrow(
        expect.objectContaining({ code: 'PLY_USAGE', message: expect.stringMatching(/knows no (user|group)/) }),
      )
    })
  }
})
