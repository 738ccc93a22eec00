import { expect, test } from 'vitest'
import { archive, base256, gnu, long, member, pax } from './raw.ts'
import { readAll } from './read.ts'
import { forms } from './sparse-forms.ts'

test('T-03: L names the next entry, K gives its link text, x its attributes; none of them is an entry', () => {
  const link = member({ name: 'short', type: '2', linkName: 'short', magic: gnu })
  const { members, warnings } = readAll(
    archive(
      long('L', 'a name'),
      long('K', 'a link text'),
      pax({ uid: '7', mtime: '1.5' }),
      link,
      member({ name: 'next', type: '2', linkName: 'to' }),
    ),
  )
  expect(warnings).toEqual([])
  expect(members.map(({ name, linkName, uid, mtime }) => ({ name, linkName, uid, mtime }))).toEqual([
    { name: 'a name', linkName: 'a link text', uid: 7, mtime: 1_500_000_000n },
    { name: 'next', linkName: 'to', uid: 0, mtime: 0n },
  ])
})

test('T-04: type S is a sparse file, and a regular one for everybody who reads it', () => {
  const spec = { name: 'holes', size: 5000, runs: [[4096, Buffer.from('data')]] } as const
  const { members, warnings } = readAll(archive(forms['old GNU'](spec), member({ name: 'next' })))
  expect(warnings).toEqual([])
  expect(members).toMatchObject([
    { name: 'holes', type: '0', size: 5000, data: 512 },
    { name: 'next', header: 1024 },
  ])
})

test('F-07: names of users and groups are ignored, whoever they name here', () => {
  const owned = member({ name: 'a', uid: 7, gid: 8, userName: 'root', groupName: 'root' })
  const large = member({ name: 'b', uid: base256(70_000n, 8), gid: 9, userName: 'nobody', groupName: '\xff' })
  const named = [pax({ uname: 'root', gname: 'root' }), member({ name: 'c', uid: 5, gid: 6 })]
  const { members, warnings } = readAll(archive(owned, large, ...named))
  expect(warnings).toEqual([])
  expect(members.map(({ name, uid, gid }) => [name, uid, gid])).toEqual([
    ['a', 7, 8],
    ['b', 70_000, 9],
    ['c', 5, 6],
  ])
})

test.each([undefined, 'BINARY', 'ISO-IR 10646 2000 UTF-8', 'ISO-IR 8859 1 1998'])(
  'P-07: with hdrcharset %s, path and linkpath are bytes all the same',
  (hdrcharset) => {
    const bytes = 'caf\xe9 \xc3\xa9 \xff\xfe \x80'
    const records = { ...(hdrcharset !== undefined && { hdrcharset }), path: bytes, linkpath: `to/${bytes}` }
    const { members } = readAll(archive(pax(records), member({ type: '2' })))
    expect(members).toMatchObject([{ name: bytes, linkName: `to/${bytes}` }])
  },
)
