import { gzipSync } from 'node:zlib'
import { type Header, pack } from 'tar-stream'
import { afterAll, expect, test } from 'vitest'
import { append, scratch } from '../../src/image/append.ts'
import { compareImages } from '../../src/image/compare.ts'
import { configure } from '../../src/image/configure.ts'
import type { Image } from '../../src/image/image.ts'
import { layerFromBlob } from '../../src/image/image-from-blobs.ts'
import { digestOf } from '../../src/model/digest.ts'
import { mediaTypes } from '../../src/model/documents.ts'
import { openStore } from '../../src/store/open-store.ts'
import { memoryBytes, streamOf } from '../../src/stream/bytes.ts'
import { compareLayers } from '../../src/trace/index.ts'
import { makePlace } from '../support/places.ts'

const place = makePlace()
afterAll(() => place[Symbol.dispose]())

interface Member extends Partial<Header> {
  readonly name: string
  readonly content?: string
}

const files: readonly Member[] = [
  { name: 'etc/', type: 'directory', mode: 0o755, mtime: new Date(1e12) },
  { name: 'etc/a', content: 'one', mode: 0o644, mtime: new Date(1e12) },
  { name: 'etc/b', content: 'two', mode: 0o644, mtime: new Date(1e12) },
]

async function tarOf(members: readonly Member[]): Promise<Buffer> {
  const archive = pack()
  for (const { content, ...header } of members) archive.entry(header, content ?? '')
  archive.finalize()
  const chunks: Buffer[] = []
  for await (const chunk of archive) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** An image of layers, each a tar and the instruction that made it. */
function imageOf(...layers: readonly (readonly [tar: Buffer, instruction: string, gzip?: boolean])[]): Image {
  let image = scratch
  for (const [tar, instruction, gzip] of layers) {
    const blob = gzip ? gzipSync(tar) : tar
    const mediaType = gzip ? mediaTypes.ociLayerGzip : mediaTypes.ociLayer
    const descriptor = { mediaType, digest: digestOf(blob), size: blob.length }
    image = append(
      image,
      layerFromBlob(descriptor, digestOf(tar), () => streamOf(memoryBytes(blob))),
      { created_by: instruction },
    )
  }
  return image
}

let number = 0
async function compared(a: Image, b: Image) {
  await using store = await openStore(place.at(`store-${number++}`))
  await store.write(a, 'a')
  await store.write(b, 'b')
  const [x, y] = [await store.layers('a'), await store.layers('b')]
  try {
    return await compareLayers(x, y)
  } finally {
    x.close()
    y.close()
  }
}

const changes: readonly [string, (members: Member[]) => Member[], string[], string[]][] = [
  ['a time', ([etc, a, b]) => [etc!, { ...a!, mtime: new Date(2e12) }, b!], ['metadata'], ['mtime']],
  ['an owner', ([etc, a, b]) => [etc!, a!, { ...b!, uid: 7 }], ['metadata'], ['owner']],
  ['a content of one size', ([etc, a, b]) => [etc!, { ...a!, content: 'eno' }, b!], ['content'], ['content']],
  ['a file more', (all) => [...all, { name: 'etc/c', content: 'x' }], ['content'], ['kind']],
  ['a whiteout more', (all) => [...all, { name: 'etc/.wh.c', content: '' }], ['content'], ['kind']],
  ['the order', ([etc, a, b]) => [etc!, b!, a!], ['order'], []],
  ['names of owners', (all) => all.map((member) => ({ ...member, uname: 'root' })), ['dialect'], []],
  ['names of owners and the order', ([etc, a, b]) => [etc!, b!, { ...a!, gname: 'root' }], ['order', 'dialect'], []],
]

for (const [what, change, causes, changed] of changes) {
  test(`of a layer rebuilt with only ${what} changed that is the cause`, async () => {
    const before = imageOf([await tarOf(files), 'RUN make'])
    const after = imageOf([await tarOf(change([...files])), 'RUN make'])
    expect(await compared(before, after)).toEqual([{ before: 0, after: 0, same: false, causes, changed }])
  })
}

test('of a layer that is compressed otherwise the compression is the cause', async () => {
  const tar = await tarOf(files)
  const pairs = await compared(imageOf([tar, 'RUN make']), imageOf([tar, 'RUN make', true]))
  expect(pairs).toEqual([{ before: 0, after: 0, same: false, causes: ['compression'], changed: [] }])
})

test('layers stand beside each other by diffID, then by instruction', async () => {
  const tars = await Promise.all(['base', 'one', 'two', 'top', 'new'].map((name) => tarOf([{ name, content: name }])))
  const [base, one, two, top, fresh] = tars as [Buffer, Buffer, Buffer, Buffer, Buffer]
  const before = imageOf([base, 'FROM'], [one, 'RUN make'], [top, 'COPY'])
  const after = imageOf([base, 'FROM'], [fresh, 'RUN new'], [two, 'RUN make'], [top, 'another name'])
  expect((await compared(before, after)).map(({ before: b, after: a, same }) => [b, a, same])).toEqual([
    [0, 0, true],
    [undefined, 1, false],
    [1, 2, false],
    [2, 3, true],
  ])
})

test('what images say of themselves is compared statement by statement', async () => {
  const tar = await tarOf(files)
  const before = configure(imageOf([tar, 'RUN make']), { env: { PATH: '/bin', A: '1' }, labels: { 'a.b': 'x' } })
  const after = configure(imageOf([tar, 'RUN another']), { env: { PATH: '/usr/bin', A: '1' }, entrypoint: ['/sh'] })
  expect(compareImages(before, before)).toEqual([])
  const differences = compareImages(before, after)
  expect(differences).toContainEqual({ at: 'config.Env.PATH', before: '/bin', after: '/usr/bin' })
  expect(differences).toContainEqual({ at: 'config.Labels.a.b', before: 'x' })
  expect(differences).toContainEqual({ at: 'config.Entrypoint', after: ['/sh'] })
  expect(differences).toContainEqual({ at: 'history', before: expect.objectContaining({ created_by: 'RUN make' }) })
  expect(differences.some(({ at }) => at === 'config.Env.A')).toBe(false)
})
