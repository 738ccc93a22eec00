// A store of many images and many more names. many-tags.mjs make|images|tag|df STORE [NAMES] [IMAGES]
// `make` writes the store's files as the store would, without syncing each; the others measure one thing in a process of its own.
import { createHash } from 'node:crypto'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { cpuSeconds } from './cpu.mjs'

const { openStore } = await import('../../.modules/index.js')
const [act, root, names = '100000', images = '10000'] = process.argv.slice(2)

const answer = (result) =>
  console.log(JSON.stringify({ ...result, rss: (process.resourceUsage().maxRSS * 1024) / 1e6 }))

/** Seconds of the clock and of the processor. */
async function timed(work) {
  const cpu = cpuSeconds()
  const start = performance.now()
  const result = await work()
  return { result, wall: (performance.now() - start) / 1000, cpu: cpuSeconds() - cpu }
}

const verbs = {
  async make() {
    rmSync(root, { recursive: true, force: true })
    await openStore(root)
    const { escapeName, recordText } = await import('../../.modules/store/records.js')
    const put = (content, mediaType) => {
      const hex = createHash('sha256').update(content).digest('hex')
      writeFileSync(join(root, 'blobs/sha256', hex), content, { mode: 0o444 })
      return { mediaType, digest: `sha256:${hex}`, size: content.length }
    }
    const layer = (text) => put(tarOf(text), 'application/vnd.oci.image.layer.v1.tar')
    const bases = Array.from({ length: 20 }, (_, base) => [0, 1, 2].map((at) => layer(`base ${base}, layer ${at}`)))
    const manifests = Array.from({ length: Number(images) }, (_, at) => {
      const layers = [...bases[at % bases.length], layer(`image ${at}`)]
      const config = {
        created: new Date(1.7e12 + at * 1000).toISOString(),
        ...{ architecture: 'amd64', os: 'linux' },
        config: { Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'], Cmd: ['/bin/sh'] },
        rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
        history: layers.map((_, step) => ({ created_by: `RUN step ${step} of ${at}` })),
      }
      const manifest = {
        schemaVersion: 2,
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        config: put(JSON.stringify(config), 'application/vnd.oci.image.config.v1+json'),
        layers,
      }
      return put(JSON.stringify(manifest), manifest.mediaType)
    })
    mkdirSync(join(root, 'names'), { recursive: true })
    for (let at = 0; at < Number(names); at++) {
      const name = `registry.example.com/team-${at % 100}/service-${Math.floor(at / 100) % 100}:build-${at}`
      const record = recordText({ name, descriptor: manifests[at % manifests.length] })
      writeFileSync(join(root, 'names', escapeName(name)), record, { mode: 0o600 })
    }
    const store = await openStore(root)
    const { wall, cpu } = await timed(() => store.collect())
    answer({ wall, cpu })
  },
  async images() {
    const store = await openStore(root)
    const { result, ...first } = await timed(() => store.images())
    if (result.length < Number(names) || result.some(({ problem }) => problem)) throw new Error('images are missing')
    answer({ ...first, seen: result.length })
  },
  async tag() {
    const store = await openStore(root)
    const all = []
    for (let at = 0; at < 20; at++) {
      const { wall, cpu } = await timed(() =>
        store.tag('registry.example.com/team-0/service-0:build-0', `registry.example.com/new:${process.pid}-${at}`),
      )
      all.push({ wall, cpu })
    }
    // The first one loads what locks need.
    answer({
      first: all[0].wall,
      wall: Math.max(...all.slice(1).map((one) => one.wall)),
      cpu: Math.max(...all.slice(1).map((one) => one.cpu)),
    })
  },
  async df() {
    const store = await openStore(root)
    const { result, ...times } = await timed(() => store.accounting())
    answer({ ...times, images: result.images.length, total: result.total.bytes })
  },
}

/** One file, in a tar. */
function tarOf(text) {
  const tar = Buffer.alloc(512 * 4)
  tar.write('file', 0)
  tar.write('0000644\x000000000\x000000000\x00', 100, 'latin1')
  tar.write(`${text.length.toString(8).padStart(11, '0')}\x0014371000000\x00`, 124, 'latin1')
  tar.write('        0', 148)
  tar.write('ustar\x0000', 257, 'latin1')
  let sum = 0
  for (let at = 0; at < 512; at++) sum += tar[at]
  tar.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  tar.write(text, 512)
  return tar
}

await verbs[act]()
