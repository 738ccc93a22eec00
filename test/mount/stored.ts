import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { packTree } from '../../src/diff/index.ts'
import { append, scratch } from '../../src/image/append.ts'
import type { Image } from '../../src/image/image.ts'
import { layerFromBlob } from '../../src/image/image-from-blobs.ts'
import { packLayer } from '../../src/layer/index.ts'
import { digestOf } from '../../src/model/digest.ts'
import { mediaTypes } from '../../src/model/documents.ts'
import { unmount } from '../../src/mount/unmount.ts'
import { openStore } from '../../src/store/open-store.ts'
import type { Store, StoreOptions } from '../../src/store/store.ts'
import { memoryBytes, streamOf } from '../../src/stream/bytes.ts'
import { bytesIn } from '../support/collect.ts'
import { type PlainSpec, plainTree } from '../support/plain-tree.ts'
import { temporary } from '../support/temporary.ts'
import { archive } from '../tar/raw.ts'
import { expanded, forms, type SparseSpec, shapes } from '../tar/sparse-forms.ts'

const at = { mtime: 1_000_000_000_123_456_789n, uid: 1000, gid: 100 }

export const plain: PlainSpec = {
  '': { mode: 0o755, mtime: 5_000_000_000n },
  'etc/': { ...at, mode: 0o750 },
  'etc/passwd': { content: 'root:x:0:0', ...at },
  'etc/group': { content: 'root:x:0', ...at },
  'etc/\xff name': { content: 'not UTF-8', ...at },
  'usr/share/doc': { content: Buffer.alloc(50_000, 'doc '), ...at },
  'usr/lib/one': { content: '1', ...at, xattrs: { 'user.note': '\0\xff' } },
  'bin/tool': { content: Buffer.alloc(10_000, 'tool'), mode: 0o4755, ...at },
  'bin/alias': { hardlink: 'bin/tool' },
  'usr/lib/alias': { hardlink: 'bin/tool' },
  'dev/null': { kind: 'character', major: 1, minor: 3, mode: 0o666 },
  'dev/pipe': { kind: 'fifo' },
  'var/log/messages': { content: Buffer.alloc(100_000, 'line\n'), ...at },
  link: { kind: 'symlink', target: 'etc/passwd' },
}

/** An image of one layer. */
export async function imageOf(spec: PlainSpec): Promise<Image> {
  return imageOfTar(await bytesIn(packLayer(packTree(plainTree(spec)))))
}

export function imageOfTar(tar: Uint8Array, below: Image = scratch): Image {
  const digest = digestOf(tar)
  const descriptor = { mediaType: mediaTypes.ociLayer, digest, size: tar.length }
  return append(
    below,
    layerFromBlob(descriptor, digest, () => streamOf(memoryBytes(tar))),
    {},
  )
}

/** Sparse files, and what they hold. */
export const sparse = shapes(5000).map((spec, i): SparseSpec => ({ ...spec, name: `sparse${i}` }))
export const sparseContent = (spec: SparseSpec): Buffer => expanded(spec)
export const sparseTar = (): Buffer => archive(...sparse.map((spec) => forms['1.0'](spec)))

export interface Place {
  readonly store: Store
  readonly root: string
  /** An empty directory to mount on. */
  readonly target: string
}

/** A store with the image `plain`. What is still mounted when the test has finished is unmounted. */
export async function storeWithImage(options: StoreOptions = {}, folder = temporary()): Promise<Place> {
  const root = join(folder, 'store')
  const target = join(folder, 'target')
  mkdirSync(target)
  const store = await openStore(root, options)
  await store.write(await imageOf(plain), 'plain')
  onTestFinished(async () => {
    await unmount(store, undefined, { force: true })
  })
  return { store, root, target }
}
