import { expect, test } from 'vitest'
import { append, scratch } from '../../src/image/append.ts'
import type { Image, Layer } from '../../src/image/image.ts'
import { layerFromBlob } from '../../src/image/image-from-blobs.ts'
import type { LayerReport } from '../../src/image/layer-report.ts'
import { digestOf } from '../../src/model/digest.ts'
import { mediaTypes } from '../../src/model/documents.ts'
import type { Store } from '../../src/store/store.ts'
import { memoryBytes, streamOf } from '../../src/stream/bytes.ts'
import { compressionOf } from '../../src/stream/compression.ts'
import { memoryDisk } from '../../src/sys/memory-disk.ts'
import { placeAt } from '../store/places.ts'
import { bytesIn } from '../support/collect.ts'
import { corpus } from './archives.ts'
import type { Case } from './case.ts'
import { readBlob, refusalOf } from './read.ts'
import { tellTree, visibleLines } from './tell-tree.ts'

const types = { none: mediaTypes.ociLayer, gzip: mediaTypes.ociLayerGzip, zstd: mediaTypes.ociLayerZstd }

function layerOf(blob: Buffer, tar: Buffer, mediaType: string = types[compressionOf(blob)], lenient = false): Layer {
  const descriptor = { mediaType, digest: digestOf(blob), size: blob.length }
  return layerFromBlob(descriptor, digestOf(tar), () => streamOf(memoryBytes(blob)), { lenient })
}

/** An image of the archive, over the layer below where it has one. */
function imageOf({ blob, tar, below, options }: Case): Image {
  const base = below === undefined ? scratch : append(scratch, layerOf(below, below))
  return append(base, layerOf(blob, tar, options.mediaType, options.lenient))
}

const judged = ({ options: { mediaType: _, ...judgement } }: Case) => judgement
const store = async () => placeAt(await memoryDisk(), '/ply')

test('I-01, I-02, I-03, A-03: what is accepted comes out of a store bit for bit, shows its table, and does so again when all caches are gone', async () => {
  const place = await store()
  const { fs } = place.disk
  const digests = new Map<Case, string>()
  const read = async (opened: Store) => {
    for (const [one, digest] of digests) {
      const { name, expect: expected, blob, tar, below } = one
      if ('refused' in expected) continue
      const { layers } = await opened.image(digest)
      expect((await bytesIn(layers.at(-1)!.compressed())).equals(blob), name).toBe(true)
      expect((await bytesIn(layers.at(-1)!.uncompressed())).equals(tar), name).toBe(true)
      if (below !== undefined) expect((await bytesIn(layers[0]!.uncompressed())).equals(below), name).toBe(true)
      const tree = await opened.tree(digest)
      try {
        if (below === undefined) expect(tellTree(tree), name).toEqual(visibleLines(expected.says))
      } finally {
        tree.close()
      }
    }
  }
  const caches = () => {
    const names = place.names('cache', 'layers').filter((name) => /\.(?:tar|erofs)$/.test(name))
    return new Map(
      names.map((name) => [name, Buffer.from(fs.readFileSync(place.at('cache', 'layers', name)) as Uint8Array)]),
    )
  }
  {
    await using opened = await place.open()
    for (const one of corpus) {
      const { name, expect: expected } = one
      if ('refused' in expected) continue
      let report: LayerReport | undefined
      const { digest } = await opened.write(imageOf(one), undefined, {
        ...judged(one),
        onReport: (last) => (report = last),
      })
      digests.set(one, digest)
      const found = report!.known ? undefined : report!.warnings.map(({ rule }) => rule)
      expect(found ?? expected.warnings, name).toEqual([
        ...expected.warnings,
        ...(found ? expected.warningsOverBelow : []),
      ])
    }
    await read(opened)
  }
  const before = caches()
  fs.rmSync(place.at('cache'), { recursive: true })
  await using opened = await place.open()
  await read(opened)
  const after = caches()
  for (const [name, bytes] of before) expect(after.get(name)?.equals(bytes), name).toBe(true)
})

test('what is refused is refused by a store too, by the same rule, and leaves nothing in it', async () => {
  const place = await store()
  await using opened = await place.open()
  const empty = place.files()
  for (const one of corpus) {
    const { name, expect: expected } = one
    if (!('refused' in expected)) continue
    const refusal = await refusalOf(opened.write(imageOf(one), 'case:1', judged(one)))
    expect(refusal, name).toEqual({ code: expected.code, rule: expected.refused })
    expect(place.files(), name).toEqual(empty)
  }
})

test('Z-05: a blob of another size or digest than was announced is refused, whatever it holds', async () => {
  const place = await store()
  await using opened = await place.open()
  const empty = place.files()
  for (const { name, blob, tar, expect: expected } of corpus.filter(({ rules }) => rules.includes('Z-02'))) {
    if ('refused' in expected) continue
    const { descriptor, diffId } = layerOf(blob, tar)
    const wrong = [
      { ...descriptor, size: blob.length + 1 },
      { ...descriptor, size: blob.length - 1 },
      { ...descriptor, digest: digestOf(Buffer.from('another')) },
    ]
    for (const announced of wrong) {
      const layer = layerFromBlob(announced, diffId, () => streamOf(memoryBytes(blob)), { lenient: true })
      const { code } = (await refusalOf(opened.write(append(scratch, layer), 'case:1', { lenient: true }))) as {
        code: string
      }
      expect(code, name).toMatch(/^PLY_(?:SIZE|DIGEST)_MISMATCH$/)
      expect(place.files(), name).toEqual(empty)
    }
    const layer = layerFromBlob(descriptor, digestOf(Buffer.from('another')), () => streamOf(memoryBytes(blob)))
    expect(await refusalOf(opened.write(append(scratch, layer), 'case:1', { lenient: true })), name).toMatchObject({
      code: 'PLY_DIGEST_MISMATCH',
    })
    expect((await readBlob(blob, undefined, { lenient: true })).tar.equals(tar), name).toBe(true)
  }
})
