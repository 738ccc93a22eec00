import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { layerFromBlob } from '../../src/image/image-from-blobs.ts'
import {
  append,
  type Container,
  copy,
  type Image,
  layerFrom,
  openSink,
  openSource,
  openStore,
  recompressed,
  type Store,
  scratch,
  type UpperForm,
} from '../../src/index.ts'
import { digestOf } from '../../src/model/digest.ts'
import { mediaTypes } from '../../src/model/documents.ts'
import { memoryBytes, streamOf } from '../../src/stream/bytes.ts'
import { gzipLayer } from '../support/images.ts'
import { archive, member } from '../tar/raw.ts'
import { forms } from '../tar/sparse-forms.ts'

/** Where an operation happens. Text, as `node:fs` takes it. */
export interface Place {
  /** The store. */
  readonly root: string
  /** Holds what `makeImages` made. */
  readonly images: string
}

/** One thing that is done to a store, in one step or not at all. */
export interface Operation {
  readonly name: string
  /** What is there before; without it the store is not even made. */
  readonly before?: (place: Place) => Promise<void>
  readonly act: (place: Place) => Promise<void>
  /** What it answers when it has happened before; nothing: it is done again. */
  readonly again?: string
  /** It is several changes of a container's files: those that were made before it was interrupted stay. */
  readonly isSeveral?: boolean
  /**
   * Some of its changes take several calls, which only a journal keeps together: on a disk that keeps no order, what they change may
   * lose attributes and content, but all else can be read.
   */
  readonly needsOrder?: boolean
  /** What is there before is damaged, and is made good. */
  readonly heals?: boolean
  /** It is two steps, and this is what is shown between them. */
  readonly between?: string
}

const step = (created_by: string) => ({ created: '2024-01-01T00:00:00Z', created_by })
const noise = (size: number, from: number): Buffer => {
  const bytes = Buffer.alloc(size)
  let state = from
  for (let i = 0; i < size; i++) bytes[i] = (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) >>> 16
  return bytes
}

/** The images that the operations take in: a base, one on it that shares its layers, one with a sparse file, a lenient one. */
export async function makeImages(folder: string): Promise<void> {
  const base = append(
    append(
      append(
        scratch,
        await gzipLayer({
          '/etc/motd': 'hello\n',
          '/bin/app': { content: noise(9000, 1), mode: 0o755 },
          '/link': { symlink: 'etc/motd' },
        }),
        step('base'),
      ),
      layerFrom({ '/etc/issue': 'two\n', '/home/user': { directory: true, uid: 1000, gid: 1000 } }),
      step('more'),
    ),
    await gzipLayer({ '/etc/motd': 'changed\n', '/usr/data': noise(5000, 2) }),
    step('last'),
  )
  const shared = append(base, await gzipLayer({ '/usr/more': noise(3000, 3), '/etc/issue': 'three\n' }), step('own'))
  const tar = archive(
    forms['1.0']({ name: 'sparse', size: 300_000, runs: [[200_000, Buffer.from('far')]] }),
    member({ name: 'plain' }, 'plain'),
  )
  const blob = gzipSync(tar)
  const descriptor = { mediaType: mediaTypes.ociLayerGzip, digest: digestOf(blob), size: blob.length }
  const sparse = append(
    append(
      scratch,
      layerFromBlob(descriptor, digestOf(tar), () => streamOf(memoryBytes(blob))),
    ),
    layerFrom({ '/new': 'new' }),
  )
  await using zstd = await recompressed(shared, { compression: 'zstd' })
  await write(base, `oci:${join(folder, 'base')}:base`)
  await write(shared, `oci:${join(folder, 'shared')}:shared`)
  await write(zstd.image, `oci:${join(folder, 'zstd')}:zstd`)
  await write(sparse, `docker-archive:${join(folder, 'sparse.tar')}:sparse:latest`)
}

async function write(image: Image, reference: string): Promise<void> {
  await using sink = await openSink(reference)
  await sink.write(image, undefined, {})
}

async function load({ root, images }: Place, from: string, as: string): Promise<void> {
  await using source = await openSource(
    from.endsWith('.tar') ? `docker-archive:${join(images, from)}` : `oci:${join(images, from)}`,
  )
  await using store = await openStore(root)
  await copy(source, store, { as })
}

/** Does something to a store that is opened for it. */
const on = (does: (store: Store) => Promise<unknown>, upperForm?: UpperForm) => async (place: Place) => {
  await using store = await openStore(place.root, upperForm ? { upperForm } : {})
  await does(store)
}

const written = (container: Container): void => {
  const { fs } = container
  fs.writeFileSync('/etc/motd', 'from the container\n')
  fs.mkdirSync('/work')
  fs.writeFileSync('/work/new', noise(6000, 4))
  fs.rmSync('/link')
  fs.renameSync('/usr/data', '/usr/moved')
}

/** Changes of what is below that copy no content, such that all of them can be made once more. */
const attributesAndNames = ({ fs }: Container): void => {
  const move = (from: string, to: string) => {
    if (fs.existsSync(from)) fs.renameSync(from, to)
  }
  if (!fs.existsSync('/hard')) fs.linkSync('/etc/issue', '/hard')
  move('/usr/more', '/home/more')
  move('/usr', '/var')
  move('/bin', '/etc/bin')
  fs.rmSync('/work/new', { force: true })
  fs.chmodSync('/home/more', 0o700)
  fs.chmodSync('/home', 0o711)
  fs.chmodSync('/etc/bin/app', 0o500)
}

const contained = (form: UpperForm) => async (place: Place) => {
  await load(place, 'shared', 'shared')
  await on(async (store) => {
    await using container = await store.containers.create('work', 'shared')
    written(container)
  }, form)(place)
}

/** A container with a snapshot, and with more that was written since. */
const kept = (form: UpperForm) => async (place: Place) => {
  await contained(form)(place)
  await on(async (store) => {
    await store.containers.snapshot('work', 'kept')
    await using container = await store.containers.open('work')
    container.fs.writeFileSync('/since', 'written since\n')
    container.fs.rmSync('/work/new')
  })(place)
}

const based = (place: Place) => load(place, 'base', 'base')
const both = async (place: Place): Promise<void> => {
  await based(place)
  await load(place, 'shared', 'shared')
}

const upperForms = ['overlay', 'portable'] as const

/** Files that are as large as `/bin/app` are kept in blocks. */
const inBlocks = (does: (store: Store) => Promise<unknown>, upperForm: UpperForm) => async (place: Place) => {
  await using store = await openStore(place.root, { upperForm, blockCopyUp: 9000 })
  await does(store)
}

const writtenAt = (position: number, text: string) => async (store: Store) => {
  await using container = await store.containers.open('work')
  const fd = container.fs.openSync('/bin/app', 'r+')
  container.fs.writeSync(fd, Buffer.alloc(4096, text), 0, 4096, position)
  container.fs.closeSync(fd)
}

/** A container with a file of which it has some blocks; `isFrozen`: and a snapshot that has others. */
const partly =
  (form: UpperForm, isFrozen = false) =>
  async (place: Place) => {
    await contained(form)(place)
    await inBlocks(writtenAt(0, 'first '), form)(place)
    if (!isFrozen) return
    await inBlocks(async (store) => store.containers.snapshot('work', 'kept'), form)(place)
    await inBlocks(writtenAt(4096, 'since '), form)(place)
  }

const ofBlocks = (form: UpperForm): Operation[] => [
  {
    name: `write the first block of a file (${form})`,
    before: contained(form),
    needsOrder: form === 'overlay',
    act: inBlocks(writtenAt(4096, 'new '), form),
  },
  {
    name: `write a block of a file in blocks (${form})`,
    before: partly(form),
    act: inBlocks(writtenAt(4096, 'new '), form),
  },
  {
    name: `write over a block of a file in blocks that a snapshot has (${form})`,
    before: async (place) => {
      await partly(form)(place)
      await inBlocks(async (store) => store.containers.snapshot('work', 'kept'), form)(place)
    },
    needsOrder: form === 'overlay',
    act: inBlocks(writtenAt(0, 'new '), form),
  },
  {
    name: `cut a file in blocks (${form})`,
    before: partly(form),
    act: inBlocks(async (store) => {
      await using container = await store.containers.open('work')
      container.fs.truncateSync('/bin/app', 3000)
    }, form),
  },
  {
    name: `cut a file in blocks to nothing (${form})`,
    before: partly(form),
    act: inBlocks(async (store) => {
      await using container = await store.containers.open('work')
      container.fs.truncateSync('/bin/app', 0)
    }, form),
  },
  {
    name: `remove a file in blocks (${form})`,
    before: partly(form),
    act: inBlocks(async (store) => {
      await using container = await store.containers.open('work')
      container.fs.rmSync('/bin/app', { force: true })
    }, form),
  },
  {
    name: `snapshot of a file in blocks (${form})`,
    before: partly(form),
    act: inBlocks(async (store) => store.containers.snapshot('work', 'kept'), form),
    again: 'PLY_SNAPSHOT_EXISTS',
  },
  {
    name: `commit a file in blocks (${form})`,
    before: partly(form, true),
    act: inBlocks(async (store) => {
      await using container = await store.containers.open('work')
      await store.commit(container, 'made', { message: 'x', epoch: 1_700_000_000 })
    }, form),
  },
  {
    name: `clone a file in blocks (${form})`,
    before: partly(form),
    act: inBlocks(async (store) => store.containers.clone('work', 'twin'), form),
    again: 'PLY_CONTAINER_EXISTS',
  },
  {
    name: `roll back a file in blocks (${form})`,
    before: partly(form, true),
    act: inBlocks(async (store) => store.containers.rollback('work', 'kept'), form),
  },
  {
    name: `make a file in blocks whole (${form})`,
    before: partly(form, true),
    act: inBlocks(async (store) => store.containers.materialize('work'), form),
  },
  {
    name: `convert a file in blocks (${form})`,
    before: partly(form),
    act: inBlocks(async (store) => store.containers.convert('work', form === 'overlay' ? 'portable' : 'overlay'), form),
  },
  {
    name: `remove a container with files in blocks (${form})`,
    before: partly(form, true),
    act: inBlocks(async (store) => store.containers.remove('work'), form),
    again: 'PLY_CONTAINER_NOT_FOUND',
  },
]

const perForm = (form: UpperForm): Operation[] => [
  {
    name: `create a container (${form})`,
    before: based,
    act: on(async (store) => (await store.containers.create('work', 'base')).close(), form),
    again: 'PLY_CONTAINER_EXISTS',
  },
  {
    name: `write in a container (${form})`,
    before: contained(form),
    isSeveral: true,
    act: on(async (store) => {
      await using container = await store.containers.open('work')
      container.fs.writeFileSync('/again', 'written later\n')
      container.fs.writeFileSync('/etc/issue', 'and more\n')
      // What was lost of the modes of files that came onto the disk nevertheless.
      for (const path of ['/again', '/etc/issue']) container.fs.chmodSync(path, 0o644)
    }),
  },
  {
    name: `change attributes and names in a container (${form})`,
    before: contained(form),
    isSeveral: true,
    needsOrder: form === 'overlay',
    act: on(async (store) => {
      await using container = await store.containers.open('work')
      attributesAndNames(container)
    }),
  },
  {
    name: `remove a container (${form})`,
    before: contained(form),
    act: on((store) => store.containers.remove('work')),
    again: 'PLY_CONTAINER_NOT_FOUND',
  },
  {
    name: `commit a container (${form})`,
    before: contained(form),
    act: on(async (store) => {
      await using container = await store.containers.open('work')
      await store.commit(container, 'made', { message: 'x', epoch: 1_700_000_000 })
    }),
  },
  {
    name: `convert a container (${form})`,
    before: contained(form),
    act: on((store) => store.containers.convert('work', form === 'overlay' ? 'portable' : 'overlay')),
  },
  {
    name: `snapshot (${form})`,
    before: contained(form),
    act: on((store) => store.containers.snapshot('work', 'kept')),
    again: 'PLY_SNAPSHOT_EXISTS',
  },
  {
    name: `roll back (${form})`,
    before: kept(form),
    act: on((store) => store.containers.rollback('work', 'kept')),
  },
  {
    name: `clone a container (${form})`,
    before: contained(form),
    act: on((store) => store.containers.clone('work', 'twin')),
    again: 'PLY_CONTAINER_EXISTS',
  },
  {
    name: `clone a snapshot (${form})`,
    before: kept(form),
    act: on((store) => store.containers.clone('work@kept', 'twin')),
    again: 'PLY_CONTAINER_EXISTS',
  },
  {
    name: `remove a snapshot (${form})`,
    before: kept(form),
    act: on((store) => store.containers.remove('work@kept')),
    again: 'PLY_SNAPSHOT_NOT_FOUND',
  },
  {
    name: `remove a container with a snapshot and a clone (${form})`,
    before: async (place) => {
      await kept(form)(place)
      await on((store) => store.containers.clone('work', 'twin'))(place)
    },
    act: on((store) => store.containers.remove('work')),
    again: 'PLY_CONTAINER_NOT_FOUND',
  },
]

/** What a store may be asked to do, each the same every time: once more gives the same store. */
export const operations: readonly Operation[] = [
  { name: 'make a store', act: on(async () => {}) },
  { name: 'make a store and import into it', between: '{}', act: (place) => load(place, 'base', 'base') },
  { name: 'import (gzip)', before: based, act: (place) => load(place, 'shared', 'shared') },
  { name: 'import (zstd)', before: based, act: (place) => load(place, 'zstd', 'zstd') },
  { name: 'import (docker-archive, sparse)', before: based, act: (place) => load(place, 'sparse.tar', 'sparse') },
  { name: 'import over a name', before: based, act: (place) => load(place, 'shared', 'base') },
  {
    name: 'import with raised limits',
    before: based,
    act: async (place) => {
      await using source = await openSource(`oci:${join(place.images, 'shared')}`)
      await using store = await openStore(place.root)
      await copy(source, store, { as: 'raised', limits: { entries: 20_000_000 } })
    },
  },
  {
    name: 'import what is there without a name',
    before: async (place) => {
      await both(place)
      await on((store) => store.untag('shared'))(place)
    },
    act: (place) => load(place, 'shared', 'shared'),
  },
  {
    name: 'build caches anew',
    before: async (place) => {
      await both(place)
      rmSync(join(place.root, 'cache'), { recursive: true })
    },
    act: on(async (store) => (await store.tree('shared')).close()),
  },
  { name: 'tag', before: based, act: on((store) => store.tag('base', 'second')) },
  { name: 'tag over a name', before: both, act: on((store) => store.tag('base', 'shared')) },
  {
    name: 'adopt names from another tool',
    before: async (place) => {
      await both(place)
      const path = join(place.root, 'index.json')
      const index = JSON.parse(readFileSync(path, 'utf8'))
      const [first] = index.manifests
      for (let at = 0; at < 40; at++) {
        const annotations = { 'org.opencontainers.image.ref.name': `foreign:${at}` }
        index.manifests.push({ ...first, annotations })
      }
      writeFileSync(path, JSON.stringify(index))
    },
    act: on((store) => store.tag('base', 'second')),
  },
  { name: 'untag', before: both, act: on((store) => store.untag('shared')), again: 'PLY_IMAGE_NOT_FOUND' },
  { name: 'untag the last name', before: based, act: on((store) => store.untag('base')), again: 'PLY_IMAGE_NOT_FOUND' },
  {
    name: 'collect',
    before: async (place) => {
      await both(place)
      await load(place, 'zstd', 'zstd')
      await on(async (store) => {
        await store.untag('zstd')
        await store.untag('shared')
      })(place)
    },
    act: on((store) => store.collect()),
  },
  {
    name: 'collect everything',
    before: async (place) => {
      await both(place)
      await on(async (store) => {
        await store.untag('base')
        await store.untag('shared')
      })(place)
    },
    act: on((store) => store.collect()),
  },
  {
    name: 'repair',
    heals: true,
    before: async (place) => {
      await both(place)
      await on(async (store) => {
        const { layers } = await store.image('shared')
        const hex = (digest: string) => digest.slice('sha256:'.length)
        for (const [folder, name] of [
          ['blobs/sha256', hex(layers.at(-1)!.descriptor.digest)],
          ['cache/layers', `${hex(layers[0]!.diffId)}.erofs`],
        ] as const) {
          const path = join(place.root, folder, name)
          const bytes = readFileSync(path)
          bytes[bytes.length >> 1]! ^= 1
          rmSync(path)
          writeFileSync(path, bytes, { mode: 0o444 })
        }
      })(place)
    },
    act: async ({ root, images }) => {
      await using store = await openStore(root)
      const { left } = await store.fsck({ level: 'caches', repair: true, sources: [`oci:${join(images, 'shared')}`] })
      if (left.damage > 0) throw new Error(`${left.damage} times damage is left`)
    },
  },
  { name: 'squash', before: both, act: on((store) => store.squash('shared', { from: 1, as: 'made' })) },
  { name: 'flatten', before: both, act: on((store) => store.flatten('shared', { as: 'made' })) },
  { name: 'split', before: both, act: on((store) => store.split('shared', { layer: 2, paths: ['/usr'], as: 'made' })) },
  {
    name: 'rebase',
    before: async (place) => {
      await both(place)
      await on((store) => store.squash('base', { as: 'new' }))(place)
    },
    act: on((store) => store.rebase('shared', { oldBase: 'base', newBase: 'new', as: 'made' })),
  },
  ...upperForms.flatMap(perForm),
  ...upperForms.flatMap(ofBlocks),
]

/** Operations during which a process dies, and what another one does then, before the power goes. */
export const sequels: readonly (readonly [died: string, then: string])[] = [
  ['import (gzip)', 'import (gzip)'],
  ['import with raised limits', 'import with raised limits'],
  ['make a store and import into it', 'make a store and import into it'],
  ['untag', 'collect'],
  ['tag over a name', 'collect'],
  ['import over a name', 'collect'],
  ...upperForms.flatMap((form): (readonly [string, string])[] => [
    [`remove a container (${form})`, 'collect'],
    [`convert a container (${form})`, 'collect'],
    [`commit a container (${form})`, `commit a container (${form})`],
    [`roll back (${form})`, 'collect'],
    [`remove a container with a snapshot and a clone (${form})`, 'collect'],
    [`write a block of a file in blocks (${form})`, `write a block of a file in blocks (${form})`],
    [`make a file in blocks whole (${form})`, `make a file in blocks whole (${form})`],
    [`cut a file in blocks to nothing (${form})`, `cut a file in blocks to nothing (${form})`],
  ]),
]
