import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  append,
  configure,
  copy,
  filesLayer,
  type Image,
  openSink,
  openStore,
  recompressed,
  type Store,
  scratch,
} from 'plyfs'
import { expect } from 'vitest'
import { directoryTree } from '../../src/extract/directory-tree.ts'
import type { Layer } from '../../src/image/image.ts'
import { layerFromBlob } from '../../src/image/image-from-blobs.ts'
import { digestOf } from '../../src/model/digest.ts'
import { mediaTypes } from '../../src/model/documents.ts'
import { memoryBytes, streamOf } from '../../src/stream/bytes.ts'
import { dir, file, gone, link, opaque, symlink, withXattrs } from '../layer/parts.ts'
import { hasProgram, testIf } from '../support/ability.ts'
import { archive } from '../tar/raw.ts'
import { compare, dump, type KnownDifference } from './differences.ts'
import { applyWithTar, podman, root, run } from './tools.ts'
import { workspace } from './workspace.ts'

const programs = ['skopeo', 'umoci', 'podman', 'tar']
if (process.env.CI && root && !programs.every(hasProgram))
  throw new Error(`${programs.join(', ')} have to be there on CI`)
const toolsTest = testIf(root && programs.every(hasProgram), `needs root, ${programs.join(', ')}`)

function layerOf(...parts: Buffer[]): Layer {
  const tar = archive(...parts)
  const digest = digestOf(tar)
  const descriptor = { mediaType: mediaTypes.ociLayer, digest, size: tar.length }
  return layerFromBlob(descriptor, digest, () => streamOf(memoryBytes(tar)))
}

const mtime = 1_600_000_000
const base = () =>
  layerOf(
    dir('./', { mode: 0o755, mtime }),
    dir('etc/', { mtime }),
    file('etc/motd', 'welcome', { mtime }),
    file('etc/old', 'old', { mtime, mode: 0o600, uid: 5, gid: 6 }),
    dir('d/', { mode: 0o711, uid: 3, mtime }),
    file('d/a', 'one', { mtime }),
    link('d/b', 'd/a', { mtime }),
    file('d/sub/deep', 'deep', { mtime }),
    symlink('l', 'd'),
    withXattrs({ 'user.k': 'v' }, file('x', 'attribute', { mtime })),
  )
const second = () =>
  layerOf(
    dir('etc/', { mtime: mtime + 5 }),
    gone('etc/old'),
    file('etc/key', 'SECRET', { mtime: mtime + 9 }),
    dir('o/', { mtime }),
    opaque('o'),
    file('o/p', 'p', { mtime }),
  )
const third = () =>
  layerOf(gone('etc/key'), gone('d'), dir('d/', { mtime: mtime + 20 }), file('d/new', 'new', { mtime, mode: 0o4755 }))

const built = (...layers: Layer[]) =>
  layers.reduce<Image>((image, layer, at) => append(image, layer, { created_by: `step ${at}` }), scratch)

/** Every operation's result, by a word for it. */
async function results(store: Store, work: string): Promise<[string, Image][]> {
  const app = built(base(), second(), third())
  const other = built(
    layerOf(
      dir('./', { mtime }),
      dir('etc/', { mtime }),
      file('etc/motd', 'new base', { mtime }),
      file('only', 'x', { mtime }),
    ),
  )
  for (const [name, image] of [
    ['app', app],
    ['old', built(base())],
    ['new', other],
  ] as const)
    await store.write(image, name)
  const placed = join(work, 'placed')
  mkdirSync(join(placed, 'bin'), { recursive: true })
  writeFileSync(join(placed, 'bin', 'tool'), 'tool', { mode: 0o755 })
  const tree = await store.tree('app')
  const files = await filesLayer([{ from: placed, to: '/l/new place' }], { below: tree, sourceEpoch: mtime })
  tree.close()
  const gzip = await recompressed(await store.image('app'), { compression: 'gzip', level: 9 })
  const zstd = await recompressed(await store.image('app'), { compression: 'zstd' })
  const made: [string, Image][] = [
    ['squash', await store.squash('app', { from: 1 })],
    ['flatten', await store.flatten('app')],
    ['split', await store.split('app', { layer: 0, paths: ['d'] })],
    ['rebase', await store.rebase('app', { oldBase: 'old', newBase: 'new' })],
    ['strip', await store.strip('app', { paths: ['/etc/key', 'd/new'] })],
    ['epoch', await store.lowerTimes('app', { sourceEpoch: mtime + 1 })],
    ['append', append(await store.image('app'), files, { created_by: 'ply append' })],
    ['config', configure(app, { env: { A: '1' }, cmd: ['/x'], annotations: { a: 'b' } })],
    ['gzip', gzip.image],
    ['zstd', zstd.image],
  ]
  for (const [name, image] of made) await store.write(image, name)
  await gzip[Symbol.asyncDispose]()
  await zstd[Symbol.asyncDispose]()
  return made
}

const unpackedAt = BigInt(Date.now()) * 1_000_000n
const containersStorage: readonly KnownDifference[] = [
  {
    rule: 'E-05',
    because: 'containers/storage gives a root that a layer does not describe the time at which it unpacks it',
    field: 'mtime',
    expect: (ours, path, { theirs }) =>
      path === '' && theirs.get('')!.mtime > unpackedAt ? theirs.get('')!.mtime : ours.mtime,
  },
]
/** Directories on the way that no entry describes get the time of the unpacking from everybody who unpacks. */
const implied: readonly KnownDifference[] = [
  {
    rule: 'M-06',
    because:
      'a directory that no entry describes has no time of its own: who unpacks it gives it that of the unpacking',
    field: 'mtime',
    expect: (ours, _path, { theirs }) =>
      ours.kind === 'directory' && theirs.get(ours.path)!.mtime > unpackedAt
        ? theirs.get(ours.path)!.mtime
        : ours.mtime,
  },
]

toolsTest(
  'the result of every operation is unpacked by umoci and podman, and by tar, to what we show of it',
  async () => {
    await using work = workspace({ inMemory: true })
    await using store = await openStore(join(work.path, 'store'), { durable: false })
    const made = await results(store, work.path)
    const layout = join(work.path, 'layout')
    const pods = join(work.path, 'podman')
    for (const [name] of made) {
      await using sink = await openSink(`oci:${layout}:${name}`)
      const image = await store.image(name)
      await copy(image, sink)
      const tree = await store.tree(name)
      const ours = dump(tree)
      tree.close()
      const same = (tool: string, rootfs: string, known: readonly KnownDifference[] = implied) => {
        const { unexplained } = compare(ours, dump(directoryTree(rootfs)), [...implied, ...known])
        expect(unexplained.slice(0, 20), `${tool}: ${name}`).toEqual([])
      }
      const plain = join(work.path, `tar-${name}`)
      mkdirSync(plain)
      const blobs = image.layers.map(({ descriptor }) => join(layout, 'blobs', 'sha256', descriptor.digest.slice(7)))
      applyWithTar(blobs, plain)
      same('tar', plain)
      // umoci of Debian knows no zstd.
      if (name !== 'zstd') {
        run('umoci', 'unpack', '--image', `${layout}:${name}`, join(work.path, `umoci-${name}`))
        same('umoci', join(work.path, `umoci-${name}`, 'rootfs'))
      }
      const id = podman(pods, 'pull', '-q', `oci:${layout}:${name}`).trim()
      same('podman', podman(pods, 'image', 'mount', id).trim(), containersStorage)
    }
    podman(pods, 'image', 'umount', '-a', '-f')
    console.log(`operations: ${made.map(([name]) => name).join(', ')} unpacked alike by tar, umoci and podman`)
  },
)
