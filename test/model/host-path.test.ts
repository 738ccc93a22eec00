import { expect, test } from 'vitest'
import { hasColon, placeOf } from '../../src/cli/places.ts'
import { colonAfterPath } from '../../src/model/host-path.ts'
import { splitReference } from '../../src/model/reference.ts'
import { dockerDetails, layoutDetails } from '../../src/transport/details.ts'

const tag = { name: 'latest', digest: undefined }

test('a path ends at its first colon; on Windows the one of a drive is part of it', () => {
  expect(layoutDetails('oci', 'C:\\images\\layout:latest', 'win32')).toEqual({ path: 'C:\\images\\layout', ...tag })
  expect(layoutDetails('oci', 'c:/images/layout:latest', 'win32')).toEqual({ path: 'c:/images/layout', ...tag })
  expect(layoutDetails('oci', 'images\\layout:latest', 'win32')).toEqual({ path: 'images\\layout', ...tag })
  expect(layoutDetails('oci', 'C:\\images', 'win32')).toEqual({
    path: 'C:\\images',
    name: undefined,
    digest: undefined,
  })
  for (const platform of ['linux', 'darwin'] as const) {
    expect(layoutDetails('oci', '/images/layout:latest', platform)).toEqual({ path: '/images/layout', ...tag })
    expect(layoutDetails('oci', 'c:latest', platform)).toEqual({ path: 'c', ...tag })
    expect(() => layoutDetails('oci', 'C:\\images', platform)).toThrow(/is not a tag/)
  }
  // One letter is a directory too, where no slash follows.
  expect(layoutDetails('oci', 'c:latest', 'win32')).toEqual({ path: 'c', ...tag })
})

test('archives of docker by the same rule, with a name and an index', () => {
  const index = undefined
  expect(dockerDetails('docker-archive', 'D:\\a.tar:debian:12', 'win32')).toEqual({
    path: 'D:\\a.tar',
    name: 'debian:12',
    index,
  })
  expect(dockerDetails('docker-archive', 'D:\\a.tar:@2', 'win32')).toEqual({
    path: 'D:\\a.tar',
    name: undefined,
    index: 2,
  })
  expect(dockerDetails('docker-archive', 'D:/a.tar', 'win32')).toEqual({ path: 'D:/a.tar', name: undefined, index })
  expect(dockerDetails('docker-archive', 'a.tar:debian:12', 'darwin')).toEqual({
    path: 'a.tar',
    name: 'debian:12',
    index,
  })
})

test('what names a place keeps its drive: the transport ends before it', () => {
  expect(splitReference('oci:C:\\images:latest')).toEqual({ transport: 'oci', details: 'C:\\images:latest' })
  expect(splitReference('rootfs:C:\\files')).toEqual({ transport: 'rootfs', details: 'C:\\files' })
  expect(colonAfterPath('C:\\images', 'win32')).toBe(-1)
  expect(colonAfterPath('C:\\images', 'linux')).toBe(1)
})

test('one side of cp on a drive is on this machine, and a container has more than one letter there', () => {
  expect(placeOf('C:\\file', 'win32')).toEqual({ in: 'host', path: 'C:\\file' })
  expect(placeOf('C:/file', 'linux')).toEqual({ in: 'container', container: 'C', path: '/file' })
  expect([hasColon('C:\\file', 'win32'), hasColon('C:\\a:b', 'win32'), hasColon('C:\\file', 'linux')]).toEqual([
    false,
    true,
    true,
  ])
  expect(placeOf('work:/file', 'win32')).toEqual({ in: 'container', container: 'work', path: '/file' })
})
