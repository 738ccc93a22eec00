import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { diff, packChanges, packTree } from '../src/diff/index.ts'
import { Index } from '../src/erofs/index.ts'
import { layerView, packLayer, rebuildIndex } from '../src/layer/index.ts'
import { chainIds } from '../src/model/digest.ts'
import { openPortableUpper } from '../src/overlay/portable-upper.ts'
import { writeTree } from '../src/stack/index.ts'
import { memoryBytes, streamOf } from '../src/stream/bytes.ts'
import { nodeDisk } from '../src/sys/node-disk.ts'
import { union } from '../src/union/union-tree.ts'
import { bytesIn } from './support/collect.ts'
import { plainTree, treeEntries } from './support/plain-tree.ts'

/**
 * What format 1 of the store looks like on a disk, byte for byte. If one of these tests fails, every store out there has
 * become another format: raise the format's number and keep reading the old one (docs/store-format.md), or undo the change.
 * `PLY_NEW_FIXTURES=1` writes the files where they are missing.
 */
const home = fileURLToPath(new URL('../fixtures/format-1', import.meta.url))

function matches(name: string, actual: Uint8Array): void {
  const path = join(home, name)
  if (process.env.PLY_NEW_FIXTURES && !existsSync(path)) {
    mkdirSync(home, { recursive: true })
    writeFileSync(path, actual)
  }
  expect(Buffer.compare(readFileSync(path), actual), `${name} is not what it was`).toBe(0)
}

const attributes = { uid: 1, gid: 2, mtime: 1_700_000_000n * 1_000_000_000n }
const base = plainTree({
  'etc/motd': 'hello\n',
  'etc/': { mode: 0o755, ...attributes },
  'bin/tool': {
    content: 'x'.repeat(1000),
    mode: 0o4755,
    uid: 70_000,
    gid: 3,
    xattrs: { 'user.a': Buffer.from([0, 255]) },
  },
  'bin/link': { kind: 'symlink', target: 'tool' },
  'bin/same': { hardlink: 'bin/tool' },
})
const changed = plainTree({ 'etc/issue': 'new\n', 'srv/deep/er/file': '1', 'bin/tool': 'a file of its own' })
const layers = [
  () => packLayer(packTree(base)),
  () => packLayer(packChanges(diff(base, changed), { before: base, after: changed })),
]

async function indexed(layer: (typeof layers)[0]) {
  const tar = await bytesIn(layer())
  const { writeIndex, diffId } = await rebuildIndex(streamOf(memoryBytes(tar)))
  const chunks: Uint8Array[] = []
  await writeIndex({ write: (chunk) => void chunks.push(Buffer.from(chunk)) })
  return { tar, index: Buffer.concat(chunks), diffId }
}

const text = (value: unknown) =>
  JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? String(inner) : inner), 1)

describe('format 1', () => {
  test('canonical layers and their indexes are the same bytes as ever', async () => {
    for (const [i, layer] of layers.entries()) {
      const { tar, index } = await indexed(layer)
      matches(`layer-${i}.tar`, tar)
      matches(`layer-${i}.erofs`, index)
    }
  })

  test('a folded tree, with the inode numbers that uppers hold, is the same bytes as ever', async () => {
    const parts = await Promise.all(layers.map(indexed))
    const views = parts.map(({ index, tar }) => layerView(Index.open(memoryBytes(index)), () => memoryBytes(tar)))
    const chunks: Uint8Array[] = []
    const chainId = chainIds(parts.map(({ diffId }) => diffId)).at(-1)!
    await writeTree({ write: (chunk) => void chunks.push(Buffer.from(chunk)) }, { chainId, views })
    matches('tree.erofs', Buffer.concat(chunks))
  })

  test('a portable upper is the same bytes as ever, and what an old one holds is still read', () => {
    const lower = plainTree({ 'etc/motd': 'hello\n', 'etc/issue': 'old\n', 'dir/a': '1' })
    const work = mkdtempSync(join(tmpdir(), 'ply-format-'))
    try {
      const written = union(lower, openPortableUpper({ disk: nodeDisk(), root: work }), {
        now: () => 1_600_000_000n * 1_000_000_000n,
      })
      const etc = written.lookup(written.root, 'etc')!
      const file = written.create(etc, 'new', { kind: 'file', mode: 0o640, ...attributes })
      const content = written.writer(file)
      content.write(Buffer.from('content\n'), 0)
      content.close()
      written.unlink(etc, 'issue')
      written.rename(written.root, 'dir', etc, 'moved')
      written.setAttributes(written.lookup(etc, 'motd')!, { mode: 0o600 })
      written.setAttributes(file, attributes)
      written.sync()
      const dump = text(treeEntries(written))
      written.close()
      matches('upper/log', readFileSync(join(work, 'log')))
      for (const name of readdirSync(join(work, 'inodes')))
        matches(`upper/inodes/${name}`, readFileSync(join(work, 'inodes', name)))
      matches('upper-dump.json', Buffer.from(dump))
    } finally {
      rmSync(work, { recursive: true, force: true })
    }
    const again = union(lower, openPortableUpper({ disk: nodeDisk(), root: join(home, 'upper'), readOnly: true }))
    expect(text(treeEntries(again))).toBe(readFileSync(join(home, 'upper-dump.json'), 'utf8'))
    again.close()
  })

  test('the fixtures are all there', () => {
    expect(
      (readdirSync(home, { recursive: true }) as string[])
        .filter((name) => name.includes('.') || name.includes('/'))
        .sort(),
    ).toEqual([
      'layer-0.erofs',
      'layer-0.tar',
      'layer-1.erofs',
      'layer-1.tar',
      'tree.erofs',
      'upper-dump.json',
      'upper/inodes',
      'upper/inodes/1',
      'upper/log',
    ])
  })
})
