import { expect, test } from 'vitest'
import { packagesOf } from '../../src/query/index.ts'
import { plainTree } from '../support/plain-tree.ts'

test('files belong to the packages of dpkg, also where a symlink leads to them now', () => {
  const packageOf = packagesOf(
    plainTree({
      'var/lib/dpkg/info/bash.list': '/.\n/bin\n/bin/bash\n/usr/share/doc/bash\n',
      'var/lib/dpkg/info/libc6:amd64.list': '/lib/x86/libc.so.6\n/gone/away\n',
      'var/lib/dpkg/info/bash.md5sums': 'x  other\n',
      'var/lib/dpkg/status.d/tzdata.md5sums': `${'0'.repeat(32)}  usr/share/zoneinfo/UTC\n`,
      bin: { target: 'usr/bin' },
      lib: { target: '/usr/lib' },
      'usr/bin/bash': 'x',
      'usr/lib/x86/libc.so.6': 'x',
    }),
  )
  expect(packageOf('usr/bin/bash')).toBe('bash')
  expect(packageOf('usr/lib/x86/libc.so.6')).toBe('libc6')
  expect(packageOf('gone/away')).toBe('libc6')
  expect(packageOf('usr/share/zoneinfo/UTC')).toBe('tzdata')
  expect(packageOf('etc/passwd')).toBeUndefined()
})

test('and to those of apk', () => {
  const packageOf = packagesOf(
    plainTree({
      'lib/apk/db/installed': 'P:musl\nV:1\nF:lib\nR:ld-musl.so.1\nZ:x\n\nP:busybox\nF:bin\nR:busybox\nF:\nR:top\n',
    }),
  )
  expect([packageOf('lib/ld-musl.so.1'), packageOf('bin/busybox'), packageOf('top')]).toEqual([
    'musl',
    'busybox',
    'busybox',
  ])
})

test('a tree without packages has none, whatever stands in their places', () => {
  expect(packagesOf(plainTree({ 'var/lib/dpkg': 'a file' }))('a')).toBeUndefined()
  expect(packagesOf(plainTree({ 'lib/apk/db': { target: 'db' } }))('a')).toBeUndefined()
})
