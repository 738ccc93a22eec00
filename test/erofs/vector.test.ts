import { expect, test } from 'vitest'
import { IndexBuilder } from '../../src/erofs/index.ts'
import { encodeSuperblock } from '../../src/erofs/superblock.ts'
import type { Digest } from '../../src/model/digest.ts'
import { written } from './support.ts'

/** An image of this tar, made by hand and mounted by Linux: `./` 0755, `./a` 0644 7:8 "hi\n", `./l` -> a. Zero where not shown. */
const expected = `
  0400: e2e1f5e0 17d94cd6 03000000 09003000
  0410: 03000000 00000000 00000000 00000000
  0420: 00000000 08000000 00000000 00000000
  0430: 00000000 00000000 00000000 00000001
  0450: 0c000000 00000100 09000000 00000000
  04c0: 14000000 08000000 00000000 00000000
  0600: 05000000 ed410000 35000000 00000000
  0610: ffffffff 30000000 00000000 00000000
  0620: 00ca9a3b 00000000 00000000 02000000
  0640: 30000000 00000000 30000200 30000000
  0650: 00000000 31000200 34000000 00000000
  0660: 33000100 37000000 00000000 34000700
  0670: 2e2e2e61 6c000000 00000000 00000000
  0680: 09000000 a4810000 03000000 00000000
  0690: 20000000 34000000 07000000 08000000
  06a0: 01ca9a3b 00000000 00000000 01000000
  06c0: 00000100 02000000 00000000 00000000
  06e0: 05000000 ffa10000 01000000 00000000
  06f0: ffffffff 37000000 00000000 00000000
  0700: 02ca9a3b 00000000 00000000 01000000
  0720: 61000000 00000000 00000000 00000000`

test('the image of a tiny tar is the one Linux was seen to mount, byte for byte', async () => {
  const image = Buffer.alloc(4096)
  for (const line of expected.trim().split('\n')) {
    const [at, ...words] = line.trim().split(/:? /)
    Buffer.from(words.join(''), 'hex').copy(image, Number.parseInt(at!, 16))
  }
  const devices = [{ diffId: `sha256:${'0'.repeat(64)}` as Digest, size: 10240 }]
  const builder = new IndexBuilder()
  const second = 1_000_000_000n
  builder.setInode(builder.root, { kind: 'directory', mode: 0o755, uid: 0, gid: 0, mtime: second * second })
  const l = builder.inode({ kind: 'symlink', mode: 0o644, uid: 0, gid: 0, mtime: (second + 2n) * second, target: 'a' })
  builder.enter(builder.root, 'l', l)
  const extent = { device: 0, offset: 1024 }
  const a = builder.inode({ kind: 'file', mode: 0o644, uid: 7, gid: 8, mtime: (second + 1n) * second, size: 3, extent })
  builder.enter(builder.root, 'a', a)

  const bytes = await written(builder, { devices })
  const head = encodeSuperblock({ rootNid: 48, inodes: 3, blocks: 8, uuid: Buffer.alloc(16).fill(1, 15), devices })
  expect(head.toString('hex')).toBe(image.toString('hex', 0, 1536))
  expect(bytes.toString('hex', 1536, 4096)).toBe(image.toString('hex', 1536))
  head.copy(bytes)
  expect(bytes.compare(image, 0, 4096, 0, 4096)).toBe(0)
})
