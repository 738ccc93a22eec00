import { pack } from 'tar-stream'
import { afterAll, expect, test } from 'vitest'
import { append, scratch } from '../../src/image/append.ts'
import { layerFromBlob } from '../../src/image/image-from-blobs.ts'
import { digestOf } from '../../src/model/digest.ts'
import { mediaTypes } from '../../src/model/documents.ts'
import { openStore } from '../../src/store/open-store.ts'
import { memoryBytes, streamOf } from '../../src/stream/bytes.ts'
import { blameBelow, waste } from '../../src/trace/index.ts'
import { readTar } from '../properties/read-tar.ts'
import { Dice, holds, toss } from '../properties/seed.ts'
import { makePlace } from '../support/places.ts'
import { diveScore, readLayers } from './plain-layers.ts'

const place = makePlace()
afterAll(() => place[Symbol.dispose]())

interface Made {
  readonly tars: readonly Buffer[]
  /** Opaque markers, or files where directories were: dive stacks those in a way of its own. */
  readonly odd: boolean
}

/** Layers as builders write them: each of what is there changes some, removes some, adds some. */
async function layersFrom(start: number): Promise<Made> {
  const dice = new Dice(start)
  /** What is visible: directories end in a slash. */
  let visible = new Set<string>()
  let odd = false
  const tars: Buffer[] = []
  for (let layer = 0, layers = 2 + dice.below(4); layer < layers; layer++) {
    const archive = pack()
    const touched = new Set<string>()
    const free = (path: string) =>
      ![...touched].some((one) => one === path || one.startsWith(`${path}/`) || path.startsWith(`${one}/`))
    const drop = (path: string, itself: boolean) => {
      for (const one of visible)
        if (one.replace(/\/$/, '') === path ? itself : one.startsWith(`${path}/`)) visible.delete(one)
    }
    const next: string[] = []
    /** Directories that stay, since the layer marks them. */
    const marked: string[] = []
    const stays = (path: string) => [...next, ...marked].some((one) => one.startsWith(`${path}/`))
    for (let deeds = 3 + dice.below(7); deeds > 0; deeds--) {
      const directories = ['', ...[...visible, ...next].filter((one) => one.endsWith('/'))]
      const directory = dice.pick(directories)
      const path = `${directory}${dice.pick(['a', 'b', 'c', 'd'])}`
      if (!free(path)) continue
      const uid = dice.below(3)
      const there = [...visible].some((one) => one === `${path}/`)
      switch (dice.below(8)) {
        case 0:
          archive.entry({ name: `${path}/`, type: 'directory', uid, mode: 0o755 })
          if (!there) drop(path, true)
          next.push(`${path}/`)
          // What is in it may still change.
          break
        case 1:
        case 2: {
          if ((!visible.has(path) && !there) || stays(path)) continue
          archive.entry({ name: path.replace(/[^/]+$/, '.wh.$&') }, '')
          drop(path, true)
          touched.add(path)
          break
        }
        case 3: {
          const real = directory.slice(0, -1)
          if (real === '' || dice.below(3) > 0 || [...touched, ...next].some((one) => one.startsWith(directory)))
            continue
          archive.entry({ name: `${directory}.wh..wh..opq` }, '')
          drop(real, false)
          marked.push(directory)
          odd = true
          break
        }
        default: {
          // Entries of one layer do not remove each other.
          if (stays(path)) continue
          if (there) odd = true
          drop(path, true)
          archive.entry(
            { name: path, uid },
            dice.pick(['', 'x', 'long text', 'other one', 'x'.repeat(dice.below(600))]),
          )
          next.push(path)
          touched.add(path)
          if (dice.once(4) && free(`${path}z`) && !visible.has(`${path}z`) && !visible.has(`${path}z/`)) {
            archive.entry({ name: `${path}z`, type: 'link', linkname: path, uid })
            next.push(`${path}z`)
            touched.add(`${path}z`)
          }
        }
      }
    }
    visible = new Set([...visible, ...next])
    archive.finalize()
    const chunks: Buffer[] = []
    for await (const chunk of archive) chunks.push(chunk as Buffer)
    tars.push(Buffer.concat(chunks))
  }
  return { tars, odd }
}

let number = 0

test('A-03: blame and waste of generated images equal what their tars say, read one by one; so does the score of dive', async () => {
  await using store = await openStore(place.at('store'), { durable: false })
  await holds('blame, waste and dive', 50, toss, async (start) => {
    const { tars, odd } = await layersFrom(start)
    let image = scratch
    for (const tar of tars) {
      const descriptor = { mediaType: mediaTypes.ociLayer, digest: digestOf(tar), size: tar.length }
      const layer = layerFromBlob(descriptor, digestOf(tar), () => streamOf(memoryBytes(tar)))
      image = append(image, layer, { created_by: 'RUN' })
    }
    const name = `made:${number++}`
    await store.write(image, name)
    const stack = await store.layers(name)
    try {
      const plain = tars.map(readTar)
      const { deeds, sums } = readLayers(plain)
      const told = new Map<string, string[]>()
      for await (const { bytes, steps } of blameBelow(stack, '', { deleted: true })) {
        const lines = steps
          .filter(({ did }) => did !== 'inside' && did !== 'nothing')
          .filter(({ after, before }) => !(after?.kind === 'directory' && before?.kind === 'directory'))
          .map(({ layer, did }) => `${layer} ${did === 'add' || did === 'delete' ? did : 'other'}`)
        if (bytes !== '' && lines.length > 0) told.set(bytes, lines)
      }
      expect(Object.fromEntries(told)).toEqual(Object.fromEntries(deeds))
      const found = await waste(stack)
      expect({ bytes: found.bytes, wasted: found.wasted - found.causes.duplicate }).toEqual(sums)
      expect(found.saving(0, tars.length - 1)).toBe(sums.wasted)
      if (!odd) expect(found.diveEfficiency).toBeCloseTo(diveScore(plain), 10)
    } finally {
      stack.close()
    }
  })
})
