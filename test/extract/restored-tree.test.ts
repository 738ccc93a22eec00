import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { diff, packTree } from '../../src/diff/index.ts'
import {
  decodeWritten,
  directoryTree,
  encodeWritten,
  extractTree,
  restoredTree,
  type Written,
} from '../../src/extract/index.ts'
import { packLayer } from '../../src/layer/index.ts'
import { IdMapping } from '../../src/model/id-mapping.ts'
import type { Tree } from '../../src/stack/tree.ts'
import { becomeNobody, becomeRoot } from '../support/ability.ts'
import { bytesIn } from '../support/collect.ts'
import { plainTree, treeEntries } from '../support/plain-tree.ts'
import { scratchDirectory } from './scratch.ts'

/** Without privileges: as nobody where the suite has any. */
beforeAll(becomeNobody)
afterAll(becomeRoot)

const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex')
const second = 1_000_000_000n

const original = () =>
  plainTree({
    '': { uid: 0, gid: 0 },
    'd/': { uid: 3, gid: 4, mode: 0o1750, mtime: 9n * second },
    'd/su': { uid: 0, mode: 0o6755, content: 'lends', xattrs: { 'security.capability': capability, 'trusted.x': 'y' } },
    'd/su too': { hardlink: 'd/su' },
    'd/plain': { uid: 12, content: 'plain', mtime: 7n * second },
    null: { kind: 'character', major: 1, minor: 3, mode: 0o666, mtime: 5n * second },
    disk: { kind: 'block', major: 8, minor: 1, mode: 0o640 },
    fifo: { kind: 'fifo', mode: 0o600, uid: 3 },
    l: { uid: 8, target: 'd/su' },
  })

async function written(tree: Tree): Promise<{ target: string; lines: string }> {
  const target = join(scratchDirectory(), 'out')
  let lines = ''
  await extractTree(tree, target, { onWritten: (one) => void (lines += encodeWritten(one)) })
  return { target, lines }
}

const restored = (target: string, tree: Tree, lines: string) =>
  restoredTree(directoryTree(target), tree, decodeWritten(lines))

async function changes(before: Tree, after: Tree): Promise<string[]> {
  const all: string[] = []
  for await (const change of diff(before, after)) {
    all.push(`${change.kind} ${change.path}${change.kind === 'modify' ? ` ${change.changed.join(' ')}` : ''}`)
  }
  return all
}

const tar = (tree: Tree): Promise<Buffer> => bytesIn(packLayer(packTree(tree)))

test('O-05: what an ordinary user wrote and nobody touched reads back and exports as the original', async () => {
  const tree = original()
  const { target, lines } = await written(tree)
  const back = restored(target, tree, lines)
  expect(await changes(tree, back)).toEqual([])
  expect(treeEntries(back)).toEqual(treeEntries(tree))
  expect((await tar(back)).equals(await tar(tree))).toBe(true)
  // Without the record the disk is only what it is.
  expect(await changes(tree, directoryTree(target))).not.toEqual([])
})

test('O-05: what somebody changed is as they changed it, and the rest of it as the original', async () => {
  const tree = original()
  const { target, lines } = await written(tree)
  writeFileSync(join(target, 'd/plain'), 'changed')
  chmodSync(join(target, 'null'), 0o644)
  rmSync(join(target, 'disk'))
  writeFileSync(join(target, 'disk'), 'now a file')
  rmSync(join(target, 'fifo'))
  mkdirSync(join(target, 'fifo'))
  writeFileSync(join(target, 'd/su'), 'other')
  chmodSync(join(target, 'd/su'), 0o755)
  rmSync(join(target, 'l'))
  symlinkSync('elsewhere', join(target, 'l'))
  const back = restored(target, tree, lines)
  const told = await changes(tree, back)
  expect(told).toContain('modify /d/plain mtime content')
  expect(told).toContain('modify /d/su mode mtime xattrs content')
  expect(told.filter((line) => /\/(?:null|disk|fifo)$/.test(line.split(' ').slice(0, 2).join(' ')))).toHaveLength(3)
  const entries = treeEntries(back)
  const at = (path: string) => entries.find((entry) => entry.path === path)!
  expect(at('d/plain')).toMatchObject({ uid: 12 })
  // It was written to: what lends rights is gone, other attributes are not.
  expect(at('d/su')).toMatchObject({ uid: 0, mode: 0o755 })
  expect(at('null')).toMatchObject({ kind: 'file', mode: 0o644 })
  expect(at('fifo').kind).toBe('directory')
})

test('O-02, O-05: numbers outside a mapping are recorded and come back', async () => {
  const { uids, gids } = ownMapping()
  const tree = original()
  const target = join(scratchDirectory(), 'out')
  const record: Written[] = []
  const report = await extractTree(tree, target, {
    shift: { uids, gids, outside: 'record' },
    onWritten: (one) => record.push(one),
  })
  expect(report.compromises.owner?.examples).toContain('/d/plain')
  expect(record.map(({ path }) => path)).toContain('d/plain')
  await expect(extractTree(tree, join(scratchDirectory(), 'out'), { shift: { uids, gids } })).rejects.toThrow(
    /user 3.*O-02/s,
  )
})

test('O-05: a record that makes no sense is refused', () => {
  expect(() => decodeWritten('{"pa\n')).toThrowError(/PLY_BAD_DOCUMENT|makes no sense/)
  expect(() => decodeWritten('{"mode":1}\n')).toThrowError(/makes no sense/)
})

function ownMapping() {
  const uid = process.geteuid!()
  const gid = process.getegid!()
  return {
    uids: new IdMapping([{ from: 0, to: uid, count: 1 }]),
    gids: new IdMapping([{ from: 0, to: gid, count: 1 }]),
  }
}
