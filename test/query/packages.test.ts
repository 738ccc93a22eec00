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

test('and to those of pip and npm, unless dpkg brought them', () => {
  const site = 'usr/lib/python3/site-packages'
  const packageOf = packagesOf(
    plainTree({
      [`${site}/Flask_Login-0.6.3.dist-info/RECORD`]:
        'flask_login/__init__.py,sha256=x,7\r\n"odd,""name"".py",,\n../../../bin/tool,,\nFlask_Login-0.6.3.dist-info/RECORD,,\n',
      'opt/venv/lib/python3.11/site-packages/old.pkg-1.0-py3.11.egg-info/installed-files.txt':
        '../old/a.py\nPKG-INFO\n',
      [`${site}/empty-1.dist-info/METADATA`]: 'Name: empty\n',
      'var/lib/dpkg/info/python3-six.list': '/usr/lib/python3/dist-packages/six.py\n',
      'usr/lib/python3/dist-packages/six-1.16.0.dist-info/RECORD': 'six.py,,\nsix_more.py,,\n',
      'srv/node_modules/@scope/lib/node_modules/inner/index.js': 'x',
    }),
  )
  expect(packageOf(`${site}/flask_login/__init__.py`)).toBe('pip:flask-login')
  expect(packageOf(`${site}/odd,"name".py`)).toBe('pip:flask-login')
  expect(packageOf('usr/bin/tool')).toBe('pip:flask-login')
  expect(packageOf('opt/venv/lib/python3.11/site-packages/old/a.py')).toBe('pip:old-pkg')
  expect(packageOf('usr/lib/python3/dist-packages/six.py')).toBe('python3-six')
  expect(packageOf('usr/lib/python3/dist-packages/six_more.py')).toBe('pip:six')
  expect(packageOf('srv/node_modules/@scope/lib/package.json')).toBe('npm:@scope/lib')
  expect(packageOf('srv/node_modules/@scope/lib/node_modules/inner/index.js')).toBe('npm:inner')
  expect(packageOf('node_modules/.bin/tool')).toBeUndefined()
  expect(packageOf('srv/node_modules/file')).toBeUndefined()
})

test('a tree without packages has none, whatever stands in their places', () => {
  expect(packagesOf(plainTree({ 'var/lib/dpkg': 'a file' }))('a')).toBeUndefined()
  expect(packagesOf(plainTree({ 'lib/apk/db': { target: 'db' } }))('a')).toBeUndefined()
})
