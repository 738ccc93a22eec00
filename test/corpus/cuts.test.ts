import { expect, test } from 'vitest'
import { append, scratch } from '../../src/image/append.ts'
import { layerFromBlob } from '../../src/image/image-from-blobs.ts'
import { LayerIndexer } from '../../src/layer/index.ts'
import { digestOf } from '../../src/model/digest.ts'
import { mediaTypes } from '../../src/model/documents.ts'
import { memoryBytes, streamOf } from '../../src/stream/bytes.ts'
import { memoryDisk } from '../../src/sys/memory-disk.ts'
import { dir, file, link, named, symlink } from '../layer/parts.ts'
import { placeAt } from '../store/places.ts'
import { rawFrame } from '../stream/zstd-writing.ts'
import { archive, pax } from '../tar/raw.ts'
import { tar as compressedTar, gzip } from './compression.ts'
import { readBlob, refusalOf } from './read.ts'
import { gnu01, gnu10, oldGnu, type Sparse } from './sparse.ts'
import { tellLayer } from './tell-layer.ts'

const small = file('a', 'x')

for (const [what, blob, tar, mediaType] of [
  ['gzip', gzip, compressedTar, mediaTypes.ociLayerGzip],
  ['zstd', rawFrame(small), small, mediaTypes.ociLayerZstd],
] as const) {
  test(`Z-04: a small layer in ${what}, cut at every byte, is refused, and a store takes nothing of it`, async () => {
    const place = placeAt(await memoryDisk(), '/ply')
    await using store = await place.open()
    const empty = place.files()
    for (let size = 1; size < blob.length; size++) {
      const cut = blob.subarray(0, size)
      const refusal = await refusalOf(readBlob(cut))
      // One byte is too few to tell a compression: it is a tar that ends inside its first header.
      const code = size === 1 ? 'PLY_BAD_LAYER' : 'PLY_BAD_COMPRESSION'
      expect(refusal, `${size} bytes`).toEqual({ code, rule: 'Z-04' })
      if (size % 29 !== 0) continue
      const descriptor = { mediaType, digest: digestOf(cut), size }
      const layer = layerFromBlob(descriptor, digestOf(tar), () => streamOf(memoryBytes(cut)))
      expect(await refusalOf(store.write(append(scratch, layer), 'cut:1')), `${size} bytes`).toEqual({
        code,
        rule: 'Z-04',
      })
    }
    expect(place.files()).toEqual(empty)
    expect((await readBlob(blob)).tar.equals(tar)).toBe(true)
  })
}

test('Z-04, Q-02, Q-03: a tar cut at every byte is a shorter archive, or refused by a rule', async () => {
  const sparse: Sparse = {
    size: 5000,
    data: [
      [0, 'begin'],
      [1024, 'middle'],
      [4990, 'end'],
    ],
  }
  const parts = [
    dir('d'),
    pax({ mtime: '1.5', 'SCHILY.xattr.user.a': '1' }),
    file('d/f', 'content'),
    named('long'.repeat(30), symlink('-', 'd')),
    oldGnu('old', sparse),
    gnu01('one', sparse),
    gnu10('ten', sparse),
    link('l', 'd/f'),
  ]
  const whole = archive(...parts)
  const { view } = await readBlob(whole)
  const all = tellLayer(view)
  let accepted = 0
  for (let size = 0; size <= whole.length; size++) {
    const cut = whole.subarray(0, size)
    const refusal = await refusalOf(indexed(cut))
    if (refusal !== 'accepted') {
      expect(refusal, `${size} bytes`).toEqual({
        code: 'PLY_BAD_LAYER',
        rule: expect.stringMatching(/^(?:Z-04|P-10|S-03)$/),
      })
      continue
    }
    accepted++
    if (size % 512 > 1 && size % 512 < 511) continue
    const lines = tellLayer((await readBlob(cut)).view)
    const directory = (line: string) => line.replace('implied', 'directory 755')
    // A link's file may be met first by its other name, once the link is there.
    if (size < whole.length - 1024) expect(all.map(directory)).toEqual(expect.arrayContaining(lines.map(directory)))
    else expect(lines).toEqual(all)
  }
  // Blocks where an entry has just ended, and the bytes of padding before them.
  expect(accepted).toBeGreaterThan(2000)
})

async function indexed(tar: Buffer): Promise<void> {
  const indexer = new LayerIndexer()
  indexer.push(tar)
  indexer.finish()
}
