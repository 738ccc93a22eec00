import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { digestOf } from '../../src/model/digest.ts'
import { codeOf } from '../../src/model/errors.ts'
import { formatName, fullName, normalName, parseName, splitReference } from '../../src/model/reference.ts'

const digest = digestOf(Buffer.from('x'))

describe('references', () => {
  test.each([
    ['oci:./out:tag', 'oci', './out:tag'],
    ['ocidir://./out:tag', 'oci', './out:tag'],
    ['oci:/a/b', 'oci', '/a/b'],
    ['oci-archive:f.tar:docker.io/library/debian:12', 'oci-archive', 'f.tar:docker.io/library/debian:12'],
    ['docker-archive:f.tar', 'docker-archive', 'f.tar'],
    ['docker-archive:-', 'docker-archive', '-'],
    ['dir:/some/dir', 'dir', '/some/dir'],
    ['rootfs:./tree', 'rootfs', './tree'],
    ['tar:rootfs.tar', 'tar', 'rootfs.tar'],
    ['docker://host:5000/name:tag', 'docker', 'host:5000/name:tag'],
    ['container:work@before', 'container', 'work@before'],
    ['debian:12', 'store', 'debian:12'],
    ['debian', 'store', 'debian:latest'],
    ['docker.io/library/debian', 'store', 'debian:latest'],
    ['localhost/app', 'store', 'localhost/app:latest'],
    [`app@${digest}`, 'store', `app@${digest}`],
  ])('%s is %s with %s', (text, transport, details) => {
    expect(splitReference(text)).toEqual({ transport, details })
  })

  test.each([
    ['', 'PLY_BAD_REFERENCE'],
    ['oci:', 'PLY_BAD_REFERENCE'],
    ['docker://', 'PLY_BAD_REFERENCE'],
    ['Debian', 'PLY_BAD_REFERENCE'],
    ['a:b:c', 'PLY_BAD_REFERENCE'],
    ['debian:-x', 'PLY_BAD_REFERENCE'],
    ['app@sha512:abcd', 'PLY_BAD_REFERENCE'],
    ['oci:a\0b', 'PLY_BAD_REFERENCE'],
    ['ftp://host/name', 'PLY_UNKNOWN_TRANSPORT'],
    ['oci-archiv:./f.tar', 'PLY_UNKNOWN_TRANSPORT'],
    ['containers-storage:/x', 'PLY_UNKNOWN_TRANSPORT'],
  ])('%j is refused with %s', (text, code) => {
    expect(codeOf(thrown(() => splitReference(text)))).toBe(code)
  })

  test('an unknown transport is answered with the known ones', () => {
    expect(() => splitReference('zip:./x')).toThrow(/oci, oci-archive, docker-archive, dir/)
  })

  test('any text is taken apart or refused with a code', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 80 }), (text) => {
        try {
          const { transport, details } = splitReference(text)
          if (transport === 'store') expect(normalName(details)).toBe(details)
        } catch (error) {
          expect(codeOf(error)).toMatch(/^PLY_(BAD_REFERENCE|UNKNOWN_TRANSPORT)$/)
        }
      }),
    )
  })
})

describe('image names', () => {
  test.each([
    ['debian', undefined, 'debian', 'latest', 'docker.io/library/debian:latest'],
    ['team/app:1', undefined, 'team/app', '1', 'docker.io/team/app:1'],
    ['docker.io/team/app:1', undefined, 'team/app', '1', 'docker.io/team/app:1'],
    ['index.docker.io/library/debian:12', undefined, 'debian', '12', 'docker.io/library/debian:12'],
    ['library/debian:12', undefined, 'debian', '12', 'docker.io/library/debian:12'],
    ['docker.io/docker.io/a:1', undefined, 'docker.io/a', '1', 'docker.io/docker.io/a:1'],
    ['docker.io/localhost/a:1', undefined, 'localhost/a', '1', 'docker.io/localhost/a:1'],
    ['docker.io/library/a/b:1', undefined, 'library/a/b', '1', 'docker.io/library/a/b:1'],
    ['library/a/b:1', undefined, 'library/a/b', '1', 'docker.io/library/a/b:1'],
    ['localhost:5000/a/b:x', 'localhost:5000', 'a/b', 'x', 'localhost:5000/a/b:x'],
    ['[::1]:5000/a', '[::1]:5000', 'a', 'latest', '[::1]:5000/a:latest'],
    ['quay.io/a__b/c-d.e', 'quay.io', 'a__b/c-d.e', 'latest', 'quay.io/a__b/c-d.e:latest'],
  ])('%s', (text, domain, path, tag, full) => {
    const name = parseName(text)
    expect(name).toEqual({ domain, path, tag, digest: undefined })
    expect(fullName(name)).toBe(full)
    expect(parseName(formatName(name))).toEqual(name)
    expect(parseName(fullName(name))).toEqual(name)
  })

  test('a digest stands for the tag, or beside it', () => {
    expect(normalName(`debian@${digest}`)).toBe(`debian@${digest}`)
    expect(normalName(`debian:12@${digest}`)).toBe(`debian:12@${digest}`)
  })

  test.each(['a//b', 'a/', '/a', '-a', 'a..b', 'UP', 'a b', `${'a'.repeat(300)}`, 'f'.repeat(64), 'a:', 'h_st.x/a'])(
    '%j is no name',
    (text) => {
      expect(codeOf(thrown(() => parseName(text)))).toBe('PLY_BAD_REFERENCE')
    },
  )
})

function thrown(act: () => unknown): unknown {
  try {
    act()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}
