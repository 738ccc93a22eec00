import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { openStore } from 'plyfs'
import { expect, test } from 'vitest'
import { append, scratch } from '../../../src/image/append.ts'
import type { Image } from '../../../src/image/image.ts'
import { layerFrom } from '../../../src/image/layer-from.ts'
import { bundled } from '../../crash-store/bundled.ts'
import { gzipLayer } from '../../support/images.ts'
import { temporary } from '../../support/temporary.ts'
import { ownRegistry } from './own-registry.ts'
import type { Pulls } from './puller.ts'
import { halfBlobs, seed } from './setting.ts'

const processes = 4
const pulls = 50

test('50 pulls of overlapping images by 4 processes into one store fetch each blob once', async () => {
  const registry = await ownRegistry()
  // Ten images on three bases, with layers below and above what is worth a file of its own while it comes.
  const bases = await Promise.all(
    [300_000, 30_000, 600_000].map(async (size, i) =>
      append(scratch, await gzipLayer({ [`/base-${i}`]: randomBytes(size) }), { created_by: `base ${i}` }),
    ),
  )
  const images: Image[] = []
  for (let i = 0; i < 10; i++) {
    const shared = layerFrom({ [`/shared-${i % 4}`]: Buffer.alloc(100_000, `${i % 4} `) })
    const middle = append(bases[i % 3]!, shared, { created_by: 'shared' })
    images.push(append(middle, layerFrom({ '/own': randomBytes(1000 + i * 20_000) }), { created_by: `own ${i}` }))
  }
  for (const [i, image] of images.entries()) await seed(registry, image, 'team/app', `v${i}`)
  const folder = temporary()
  const root = join(folder, 'store')
  const program = await bundled('test/transport/registry/puller.ts', folder)
  const environment = { PATH: process.env.PATH, HOME: folder, CONTAINERS_REGISTRIES_CONF: '/dev/null' }
  const ended = Array.from({ length: processes }, async (_, which) => {
    const references: Record<string, string> = {}
    for (let i = which; i < pulls; i += processes)
      references[`app:v${i % 10}-${i}`] = `docker://${registry.host}/team/app:v${i % 10}`
    const order: Pulls = { root, references }
    const { stdout } = await promisify(execFile)(process.execPath, [program, JSON.stringify(order)], {
      env: environment,
    })
    return Object.entries(JSON.parse(stdout) as Record<string, string>)
  })
  const pulled = (await Promise.all(ended)).flat()
  expect(pulled).toHaveLength(pulls)
  for (const [name, digest] of pulled) expect(digest, name).toBe(images[Number(/v(\d+)-/.exec(name)![1])]!.digest)

  const blobs = images.flatMap(({ manifest }) => [manifest.config, ...manifest.layers].map(({ digest }) => digest))
  const fetches = registry.seen.filter(({ method, path }) => method === 'GET' && path.includes('/blobs/'))
  expect(fetches.map(({ path }) => path.split('/').at(-1)).sort()).toEqual([...new Set<string>(blobs)].sort())
  expect(fetches.every(({ status }) => status === 200)).toBe(true)

  await using store = await openStore(root)
  expect((await store.images()).map(({ problem }) => problem)).toEqual(Array.from({ length: pulls }, () => undefined))
  expect((await store.fsck({ level: 'digests' })).findings).toEqual([])
  expect(halfBlobs(join(folder, '.cache/ply/partial'))).toEqual([])
}, 120_000)
