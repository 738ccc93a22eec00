import { describe, expect, test } from 'vitest'
import { append, scratch } from '../../src/image/append.ts'
import { configure } from '../../src/image/configure.ts'
import { historyOf } from '../../src/image/history.ts'
import type { Image, Layer } from '../../src/image/image.ts'
import { layerFromBlob } from '../../src/image/image-from-blobs.ts'
import type { LayerReport } from '../../src/image/layer-report.ts'
import { rebase } from '../../src/image/rebase.ts'
import { validateImage } from '../../src/image/validate.ts'
import { digestOf } from '../../src/model/digest.ts'
import { type History, mediaTypes } from '../../src/model/documents.ts'
import { openStore } from '../../src/store/open-store.ts'
import type { Store } from '../../src/store/store.ts'
import { memoryBytes, streamOf } from '../../src/stream/bytes.ts'
import { dir, file, gone, link, opaque, symlink, withXattrs } from '../layer/parts.ts'
import { bytesIn } from '../support/collect.ts'
import { contentAt, treeEntries } from '../support/plain-tree.ts'
import { archive } from '../tar/raw.ts'

function layerOf(...parts: Buffer[]): Layer {
  const tar = archive(...parts)
  const digest = digestOf(tar)
  const descriptor = { mediaType: mediaTypes.ociLayer, digest, size: tar.length }
  return layerFromBlob(descriptor, digest, () => streamOf(memoryBytes(tar)))
}

function imageOf(...layers: (Layer | History)[]): Image {
  return layers.reduce<Image>(
    (image, made, number) =>
      'diffId' in made
        ? append(image, made, { created: `2024-01-0${number + 1}T00:00:00Z`, created_by: `step ${number}` })
        : configure(image, { history: made }),
    scratch,
  )
}

const base = () =>
  layerOf(
    dir('d/', { mode: 0o700, uid: 3, mtime: 77 }),
    file('d/a', 'one', { mtime: 5 }),
    link('d/b', 'd/a', { mtime: 5 }),
    file('d/n/x', 'deep'),
    withXattrs({ 'user.k': 'v' }, file('e', 'with an attribute')),
    file('gone', 'soon'),
    symlink('l', 'd'),
  )
const second = () => layerOf(file('d/.wh.a'), link('h', 'd/a'), file('d/n/y', 'new'), gone('gone'), opaque('o'))
const third = () => layerOf(file('o/p', 'p'), dir('gone/', { mode: 0o711 }), link('k', 'h'), gone('h'), gone('d/n/x'))
const fourth = () => layerOf(file('d/a', 'again'), gone('e'))

const sample = () =>
  configure(imageOf(base(), second(), { created_by: 'ENV', empty_layer: true }, third(), fourth()), {
    env: { A: '1' },
    entrypoint: ['/d/a'],
  })

async function shown(store: Store, image: string | Image) {
  const tree = await store.tree(image)
  try {
    return treeEntries(tree)
  } finally {
    tree.close()
  }
}

/** A store with an image named `image`. */
async function holding(image: Image): Promise<Store> {
  const store = await openStore(':memory:')
  await store.write(image, 'image')
  return store
}

const madeBy = (image: Image) => image.config.history?.map(({ created_by: by }) => by)

describe('squash', () => {
  for (const [from, to] of [
    [0, 3],
    [0, 1],
    [1, 2],
    [1, 3],
    [2, 3],
    [2, 2],
  ] as const) {
    test(`A-02: layers ${from} to ${to} as one show the same, and the image is in order`, async () => {
      await using store = await holding(sample())
      const squashed = await store.squash('image', { from, to, as: 'squashed' })
      expect(squashed.layers).toHaveLength(4 - (to - from))
      expect(await shown(store, 'squashed')).toEqual(await shown(store, 'image'))
      const read = await store.image('squashed')
      expect(read.digest).toBe(squashed.digest)
      expect(await validateImage(read)).toEqual([])
      const image = await store.image('image')
      const kept = (one: Image) => one.layers.map(({ diffId }) => diffId)
      expect(kept(read).toSpliced(from, 1)).toEqual(kept(image).toSpliced(from, to - from + 1))
      expect(read.config.config).toEqual(image.config.config)
    })
  }

  test('without a range it is all layers; the history has one step for them, and those that made none', async () => {
    await using store = await holding(sample())
    const squashed = await store.squash('image')
    expect(madeBy(squashed)).toEqual(['ENV', 'ply squash'])
    const { digest } = await store.image('image')
    expect(squashed.config.history?.at(-1)).toEqual({
      created: '2024-01-05T00:00:00Z',
      created_by: 'ply squash',
      comment: `layers 0 to 3 of ${digest}`,
    })
    const part = await store.squash('image', { from: 1, to: 2, message: 'two in one' })
    expect(madeBy(part)).toEqual(['step 0', 'ENV', 'ply squash', 'step 4'])
    expect(historyOf(part)[2]).toMatchObject({
      step: { comment: 'two in one' },
      layer: { diffId: part.layers[1]!.diffId },
    })
  })

  test('E-13: the same layers give the same digest, whatever the clock says', async () => {
    const squashed: string[] = []
    for (const _ of [1, 2]) {
      await using store = await holding(sample())
      squashed.push((await store.squash('image', { from: 1 })).digest)
    }
    expect(squashed[0]).toBe(squashed[1])
  })

  test('W-07: whiteouts stay where there is something below, and go where there is not', async () => {
    await using store = await holding(sample())
    const names = async (image: Image, layer: number) =>
      (await bytesIn(image.layers[layer]!.uncompressed())).toString('latin1').match(/[\w/]*\.wh\.[\w.]+/g)
    expect(await names(await store.squash('image', { from: 1, to: 2 }), 1)).toEqual(
      expect.arrayContaining(['d/.wh.a', 'gone/.wh..wh..opq', 'd/n/.wh.x']),
    )
    expect(await names(await store.squash('image'), 0)).toBeNull()
  })

  test('M-07, M-08: times are whole seconds unless asked otherwise, and none is later than the source epoch', async () => {
    const timed = layerOf(withXattrs({}, file('late', '', { mtime: 100 })), file('early', '', { mtime: 2 }))
    await using store = await holding(imageOf(timed))
    const times = async (image: Image) => (await shown(store, image)).map(({ path, mtime }) => [path, mtime])
    expect(await times(await store.squash('image', { sourceEpoch: 50 }))).toEqual([
      ['', 0n],
      ['early', 2_000_000_000n],
      ['late', 50_000_000_000n],
    ])
  })

  test('a layer takes the family of its image', async () => {
    const docker = { ...sample().manifest, mediaType: mediaTypes.dockerManifest }
    const image = sample()
    await using store = await holding(image)
    const made = await store.squash('image')
    expect(made.layers[0]!.descriptor.mediaType).toBe(mediaTypes.ociLayer)
    const { plainLayerType } = await import('../../src/image/replace-layers.ts')
    const descriptor = { ...image.descriptor, mediaType: docker.mediaType }
    expect(plainLayerType({ ...image, descriptor })).toBe(mediaTypes.dockerLayer)
  })

  test('a range that the image does not have is refused', async () => {
    await using store = await holding(sample())
    for (const range of [{ from: 4 }, { to: 4 }, { from: 2, to: 1 }, { from: -1 }, { from: 0.5 }])
      await expect(store.squash('image', range)).rejects.toMatchObject({ code: 'PLY_USAGE' })
    await store.write(scratch, 'empty')
    await expect(store.squash('empty')).rejects.toMatchObject({ code: 'PLY_USAGE' })
    await expect(store.flatten('empty')).rejects.toMatchObject({ code: 'PLY_USAGE' })
  })

  test('an abort leaves nothing behind', async () => {
    await using store = await holding(sample())
    const before = await store.usage()
    const aborted = store.squash('image', { as: 'never', signal: AbortSignal.abort() })
    await expect(aborted).rejects.toMatchObject({ code: 'PLY_ABORTED' })
    expect(await store.usage()).toEqual(before)
    expect((await store.images()).map(({ name }) => name)).not.toContain('never')
  })
})

describe('flatten', () => {
  test('A-03, E-05: one layer that shows the same, without markers, with every directory described', async () => {
    await using store = await holding(sample())
    const flat = await store.flatten('image', { as: 'flat' })
    expect(flat.layers).toHaveLength(1)
    expect(await shown(store, 'flat')).toEqual(await shown(store, 'image'))
    expect(madeBy(flat)).toEqual(['ENV', 'ply flatten'])
    expect(await validateImage(await store.image('flat'))).toEqual([])
    const tar = (await bytesIn(flat.layers[0]!.uncompressed())).toString('latin1')
    expect(tar).not.toContain('.wh.')
    expect(tar).toContain('d/n/')
    expect((await store.flatten('flat')).layers[0]!.diffId).toBe(flat.layers[0]!.diffId)
  })
})

describe('split', () => {
  const whole = () =>
    layerOf(
      gone('gone'),
      dir('d/', { mode: 0o750, uid: 4, mtime: 9 }),
      opaque('d'),
      file('d/f', 'x'.repeat(2000), { mtime: 3 }),
      link('d/g', 'd/f', { mtime: 3 }),
      link('old', 'e'),
      dir('u/', { uid: 8, mtime: 10 }),
      file('u/doc/a', 'y'.repeat(3000)),
      file('u/z', 'z'),
      link('u/zf', 'd/f', { mtime: 3 }),
    )
  const image = () => imageOf(base(), whole(), fourth())

  for (const [what, options] of [
    ['size', { size: 2048 }],
    ['path', { paths: ['/u/doc/'] }],
    ['both', { size: 1, paths: ['u', 'd'] }],
  ] as const) {
    test(`A-02, E-09: a layer cut by ${what} shows the same`, async () => {
      await using store = await holding(image())
      const cut = await store.split('image', { layer: 1, ...options, as: 'cut' })
      expect(cut.layers.length).toBeGreaterThan(3)
      expect(await shown(store, 'cut')).toEqual(await shown(store, 'image'))
      expect(await validateImage(await store.image('cut'))).toEqual([])
      const own = historyOf(cut).slice(1, -1)
      expect(own.map(({ step }) => step)).toEqual(
        own.map((_, at) => ({
          created: '2024-01-02T00:00:00Z',
          created_by: 'step 1',
          comment: `part ${at + 1} of ${own.length}`,
        })),
      )
    })
  }

  test('squashing the parts gives the layer back', async () => {
    await using store = await holding(image())
    const cut = await store.split('image', { layer: 1, size: 1 })
    const whole = await store.squash('image', { from: 1, to: 1 })
    const again = await store.squash(cut, { from: 1, to: cut.layers.length - 2 })
    expect(again.layers[1]!.diffId).toBe(whole.layers[1]!.diffId)
  })

  test('what says nothing about how to cut is refused', async () => {
    await using store = await holding(image())
    for (const options of [{}, { paths: [] }, { size: 0 }, { size: Number.NaN }, { paths: ['..'] }, { paths: ['/'] }])
      await expect(store.split('image', { layer: 1, ...options })).rejects.toMatchObject({ code: 'PLY_USAGE' })
    await expect(store.split('image', { layer: 3, size: 1 })).rejects.toMatchObject({ code: 'PLY_USAGE' })
  })
})

describe('rebase', () => {
  const old = () => configure(imageOf(base()), { history: { created_by: 'CMD sh' } })
  const built = () =>
    configure(append(append(old(), second(), { created_by: 'RUN' }), third(), { created_by: 'COPY' }), {
      env: { A: '1' },
      history: { created_by: 'ENV' },
      annotations: {
        'org.opencontainers.image.base.digest': old().digest,
        'org.opencontainers.image.base.name': 'old',
      },
    })
  const fresh = (...more: Buffer[]) => imageOf(layerOf(dir('d/', { uid: 9 }), file('d/a', 'newer'), ...more), layerOf())

  test('layers and history above the base go over; the configuration stays', () => {
    const rebased = rebase(built(), old(), fresh())
    expect(rebased.layers.map(({ diffId }) => diffId)).toEqual(
      [...fresh().layers, ...built().layers.slice(1)].map(({ diffId }) => diffId),
    )
    expect(madeBy(rebased)).toEqual(['step 0', 'step 1', 'RUN', 'COPY', 'ENV'])
    const { rootfs: _, history: __, ...config } = rebased.config
    const { rootfs: ___, history: ____, ...same } = built().config
    expect(config).toEqual(same)
    expect(rebased.manifest.annotations).toEqual({ 'org.opencontainers.image.base.digest': fresh().digest })
  })

  test('onto its own base an image stays what it is', () => {
    const image = built()
    const { annotations, ...documents } = rebase(image, old(), old()).manifest
    expect(documents.layers).toEqual(image.manifest.layers)
    expect(documents.config.digest).toBe(image.manifest.config.digest)
    expect(annotations).toEqual({ 'org.opencontainers.image.base.digest': old().digest })
  })

  test('a base without a history, or with another one, is cut off after its last layer', () => {
    const { history: _, ...config } = old().config
    const silent = { ...old(), config }
    expect(madeBy(rebase(built(), silent, fresh()))).toEqual(['step 0', 'step 1', 'CMD sh', 'RUN', 'COPY', 'ENV'])
    expect(madeBy(rebase(built(), scratch, fresh()))?.slice(2)).toEqual(madeBy(built()))
  })

  test('shows the layers on the new base, links into it included', async () => {
    await using store = await holding(built())
    await store.write(fresh(), 'fresh')
    await store.write(old(), 'old')
    const rebased = await store.rebase('image', { oldBase: 'old', newBase: 'fresh', as: 'rebased' })
    expect(await validateImage(await store.image('rebased'))).toEqual([])
    const tree = await store.tree(rebased)
    expect(contentAt(tree, 'k')).toBe('newer')
    expect(tree.stat(tree.lookup(tree.root, 'd')!).uid).toBe(9)
    tree.close()
  })

  test('an image that was not built on the old base is refused, saying where they part', async () => {
    const reason = expect.stringMatching(
      /^the image was not built on this base: its layer 0 is sha256:.*, and the image has sha256:/,
    )
    expect(() => rebase(built(), fresh(), old())).toThrow(
      expect.objectContaining({ code: 'PLY_USAGE', details: { reason } }),
    )
    const longer = append(built(), fourth())
    expect(() => rebase(built(), longer, fresh())).toThrow(/the image has only 3 layers/)
  })

  test('H-06: a hardlink whose target the new base lacks is refused, and nothing is stored', async () => {
    await using store = await holding(built())
    await store.write(imageOf(layerOf(file('other'))), 'fresh')
    await store.write(old(), 'old')
    const before = (await store.images()).length
    await expect(store.rebase('image', { oldBase: 'old', newBase: 'fresh', as: 'rebased' })).rejects.toMatchObject({
      code: 'PLY_BAD_LAYER',
      details: { entry: 'h', rule: 'H-06' },
    })
    expect(await store.images()).toHaveLength(before)
  })

  test('N-13, R-02: a directory in the place of a symlink of the new base is a warning, if it was none before', async () => {
    await using store = await openStore(':memory:')
    const lower = imageOf(layerOf(symlink('same', 'd'), dir('lib/')))
    await store.write(lower, 'old')
    await store.write(
      append(lower, layerOf(dir('lib/'), file('lib/x'), file('bin/y'), file('same/z'), dir('usr/'), file('usr/k'))),
      'image',
    )
    await store.write(
      imageOf(layerOf(symlink('same', 'd'), symlink('lib', 'usr/lib'), symlink('bin', 'usr/bin'))),
      'new',
    )
    const reports: LayerReport[] = []
    const onReport = (report: LayerReport) => void reports.push(report)
    await store.rebase('image', { oldBase: 'old', newBase: 'new', onReport })
    expect(reports.map(({ warnings }) => warnings.map(({ entry, rule }) => [entry, rule]))).toEqual([
      [],
      [
        ['bin', 'N-13'],
        ['lib', 'R-02'],
      ],
    ])
    expect(reports[1]!.warningsByRule).toEqual({ 'N-13': 1, 'R-02': 1 })
    await expect(store.rebase('image', { oldBase: 'old', newBase: 'new', strict: true })).rejects.toMatchObject({
      code: 'PLY_BAD_LAYER',
    })
  })
})
