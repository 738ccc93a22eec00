import { expect, test } from 'vitest'
import { changes, packChanges } from '../../src/diff/index.ts'
import { packLayer } from '../../src/layer/index.ts'
import { IdMapping } from '../../src/model/id-mapping.ts'
import { accessAcl, aclTag, parseAcl, serializeAcl } from '../../src/union/acl.ts'
import { shiftedUnion } from '../../src/union/shifted-union.ts'
import type { WritableUnion } from '../../src/union/union.ts'
import { bytesIn } from '../support/collect.ts'
import { at, directory, file, ino, make } from './make.ts'

const mapping = IdMapping.parse('0:100000:1000,1000:0:1')
const shift = { uids: mapping, gids: mapping }

const acl = (user: number, group: number) =>
  serializeAcl([
    { tag: aclTag.owner, permissions: 6, id: -1 },
    { tag: aclTag.user, permissions: 4, id: user },
    { tag: aclTag.group, permissions: 4, id: -1 },
    { tag: aclTag.namedGroup, permissions: 4, id: group },
    { tag: aclTag.mask, permissions: 6, id: -1 },
    { tag: aclTag.other, permissions: 0, id: -1 },
  ])

const lower = { 'd/': { uid: 3, gid: 4 }, 'd/f': { uid: 5, gid: 1000, content: 'x' }, stranger: { uid: 70_000 } }

test('O-01: a container whose owners are shifted stores and exports those of the archive', async () => {
  const work = (union: WritableUnion, owner: (id: number) => number) => {
    const made = union.create(...at(union, 'd/new'), { ...file, uid: owner(7), gid: owner(8) })
    union.create(...at(union, 'sub'), { ...directory, uid: owner(0), gid: owner(1000) })
    union.setAttributes(ino(union, 'd/f'), { uid: owner(9) })
    union.setXattr(made, accessAcl, acl(owner(11), owner(12)))
    union.unnamed(union.root, { ...file, uid: owner(1), gid: owner(1) }).content.close()
    return made
  }
  const plain = make(lower)
  work(plain, (id) => id)
  const stored = make(lower)
  const shown = shiftedUnion(stored, shift)
  const made = work(shown, (id) => mapping.get(id)!)

  expect(shown.stat(ino(shown, 'd'))).toMatchObject({ uid: 100_003, gid: 100_004 })
  expect(shown.stat(ino(shown, 'd/f'))).toMatchObject({ uid: 100_009, gid: 0 })
  expect(shown.stat(made)).toMatchObject({ uid: 100_007, gid: 100_008 })
  expect(parseAcl(shown.xattrs(made).get(accessAcl)!)?.map(({ id }) => id)).toEqual([-1, 100_011, -1, 100_012, -1, -1])
  expect(stored.stat(ino(stored, 'd/new'))).toMatchObject({ uid: 7, gid: 8 })
  const layer = (union: WritableUnion) =>
    bytesIn(packLayer(packChanges(changes(union), { before: union.lower, after: union })))
  expect((await layer(stored)).equals(await layer(plain))).toBe(true)
})

test('O-02: who has no number in a mapping is nobody there, and nothing can be given to a number that nobody has', () => {
  const shown = shiftedUnion(make(lower), shift)
  expect(shown.stat(ino(shown, 'stranger'))).toMatchObject({ uid: 65_534, gid: 100_000 })
  expect(() => shown.create(shown.root, 'x', { ...file, uid: 5 })).toThrow(
    expect.objectContaining({ code: 'EOVERFLOW' }),
  )
  const stranger = ino(shown, 'stranger')
  expect(() => shown.setAttributes(stranger, { gid: 65_534 })).toThrow(expect.objectContaining({ code: 'EINVAL' }))
  expect(() => shown.setXattr(stranger, accessAcl, acl(5, 6))).toThrow(expect.objectContaining({ code: 'EINVAL' }))
  shown.setAttributes(stranger, { mode: 0o600 })
  shown.setXattr(stranger, 'user.k', Buffer.from('v'))
  expect(shown.lower.stat(stranger).uid).toBe(70_000)
  expect(shown.upper.stat(stranger)).toMatchObject({ uid: 70_000, mode: 0o600 })
})
