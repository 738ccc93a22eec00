import { gzipSync } from 'node:zlib'
import { append, scratch } from '../../src/image/append.ts'
import { configure } from '../../src/image/configure.ts'
import type { Image, Layer } from '../../src/image/image.ts'
import { layerFromBlob } from '../../src/image/image-from-blobs.ts'
import { type FileSpec, layerFrom } from '../../src/image/layer-from.ts'
import { digestOf } from '../../src/model/digest.ts'
import { mediaTypes } from '../../src/model/documents.ts'
import { memoryBytes, streamOf } from '../../src/stream/bytes.ts'
import { collect } from '../../src/stream/collect.ts'

/** A layer of these files, as gzip. */
export async function gzipLayer(files: Readonly<Record<string, FileSpec>>): Promise<Layer> {
  const plain = layerFrom(files)
  const blob = gzipSync(await collect(plain.uncompressed(), 1 << 30))
  const descriptor = { mediaType: mediaTypes.ociLayerGzip, digest: digestOf(blob), size: blob.length }
  return layerFromBlob(descriptor, plain.diffId, () => streamOf(memoryBytes(blob)))
}

/** An image of three layers, the first of them compressed. */
export async function sampleImage(extra: Readonly<Record<string, FileSpec>> = {}): Promise<Image> {
  const files = {
    '/etc/motd': 'hello\n',
    '/bin/app': { content: '#!/bin/sh\necho hi\n', mode: 0o755 },
    '/data/blob': Buffer.alloc(300_000, 'x'),
    '/link': { symlink: 'etc/motd' },
    ...extra,
  }
  const base = append(scratch, await gzipLayer(files), { created: '2024-01-01T00:00:00Z', created_by: 'base' })
  const more = append(
    base,
    layerFrom({ '/etc/issue': 'two\n', '/home/user': { directory: true, uid: 1000, gid: 1000 } }),
    {
      created: '2024-01-02T00:00:00Z',
      created_by: 'more',
    },
  )
  return configure(append(more, layerFrom({ '/etc/motd': 'changed\n' }), { created: '2024-01-03T00:00:00Z' }), {
    entrypoint: ['/bin/app'],
    env: { PATH: '/bin' },
    labels: { 'org.example': 'yes' },
  })
}

/** The same image for another platform. */
export function withPlatform(image: Image, platform: string): Image {
  return configure(image, { platform })
}
