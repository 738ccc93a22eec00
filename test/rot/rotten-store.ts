import { cpSync, lstatSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { diskBlobStore } from '../../src/blob/disk-blob-store.ts'
import { append, scratch } from '../../src/image/append.ts'
import type { Image, Layer } from '../../src/image/image.ts'
import { layerFromBlob } from '../../src/image/image-from-blobs.ts'
import { layerFrom } from '../../src/image/layer-from.ts'
import { digestOf } from '../../src/model/digest.ts'
import { mediaTypes } from '../../src/model/documents.ts'
import { Acceptances } from '../../src/store/intake/acceptances.ts'
import { Layers } from '../../src/store/layers/layers.ts'
import { layoutOf } from '../../src/store/layout.ts'
import { openStore } from '../../src/store/open-store.ts'
import { memoryBytes, streamOf } from '../../src/stream/bytes.ts'
import { nodeDisk } from '../../src/sys/node-disk.ts'
import { openSink } from '../../src/transport/index.ts'
import { archive, member } from '../tar/raw.ts'
import { forms } from '../tar/sparse-forms.ts'

/** A store with a file of every kind, and the place that its images came from. */
export interface Specimen {
  readonly root: string
  /** A reference. */
  readonly source: string
}

/** Numbers that look random, the same for the same seed. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}

export async function specimen(home: string, random: (below: number) => number): Promise<Specimen> {
  const root = join(home, 'store')
  const elsewhere = join(home, 'elsewhere')
  mkdirSync(home, { recursive: true })
  const source = `oci:${elsewhere}`
  const noise = (size: number) => Buffer.from(Array.from({ length: size }, () => random(256)))
  const many = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`/dir/file-${i}`, `content ${i}`]))
  const sparse = archive(
    forms['1.0']({ name: 'sparse', size: 200_000, runs: [[150_000, Buffer.from('far')]] }),
    member({ name: 'plain' }, noise(70_000).toString('hex')),
  )
  const base = append(append(scratch, zipped(sparse)), layerFrom({ '/noise': noise(90_000), ...many }))
  const other = append(base, zipped(await tarOf(layerFrom({ '/etc/motd': 'hello\n', '/big': noise(30_000) }))))

  await using sink = await openSink(`${source}:base`)
  await sink.write(base, 'base')
  await using second = await openSink(`${source}:other`)
  await second.write(other, 'other')

  await using store = await openStore(root, { upperForm: 'portable' })
  await store.write(base, 'base', { source: `${source}:base`, limits: { depth: 5000 } })
  await store.write(other, 'other', { source: `${source}:other` })
  const container = await store.containers.create('work', 'other')
  container.fs.mkdirSync('/new')
  for (let i = 0; i < 50; i++) container.fs.writeFileSync(`/new/${i}`, `written ${i}`)
  await container.close()
  await (await store.containers.create('second', 'base')).close()
  const tree = await store.tree('other')
  await tree.digests?.complete()
  tree.close()
  store.fileDigests.remember({ device: 1n, number: 2n, changed: 3n, size: 4 }, digestOf(Buffer.from('x')))
  store.fileDigests.flush()
  // Another tool leaves an image without a name.
  const layout = layoutOf(root)
  const index = JSON.parse(readFileSync(layout.indexJson, 'utf8'))
  index.manifests.push({ ...base.descriptor, annotations: { 'org.example': 'theirs' } })
  writeFileSync(layout.indexJson, JSON.stringify(index))
  await store.tag('base', 'again')
  await spill(root, base)
  return { root, source }
}

async function spill(root: string, image: Image): Promise<void> {
  const disk = nodeDisk()
  const layout = layoutOf(root)
  const blobs = diskBlobStore({ disk, root, tmp: layout.tmp })
  const acceptances = new Acceptances(disk, layout)
  const layers = new Layers({ disk, layout, blobs, zstd: undefined, acceptances, writable: true })
  for (const layer of image.layers) await layers.spill(layer)
}

function zipped(tar: Buffer): Layer {
  const blob = gzipSync(tar)
  const descriptor = { mediaType: mediaTypes.ociLayerGzip, digest: digestOf(blob), size: blob.length }
  return layerFromBlob(descriptor, digestOf(tar), () => streamOf(memoryBytes(blob)))
}

async function tarOf(layer: Layer): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of layer.uncompressed()) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}

/** A copy that nothing can tell from the first: times are kept, and `index.json` is known by its inode. */
export async function copyOf(of: Specimen, home: string): Promise<Specimen> {
  const root = join(home, 'store')
  cpSync(of.root, root, { recursive: true, preserveTimestamps: true })
  const seen = join(root, 'names', '%.index-seen')
  const { ino, size, mtimeMs } = lstatSync(join(root, 'index.json'))
  const { recordText, readJson } = await import('../../src/store/records.ts')
  const record = readJson<object>(nodeDisk(), seen)!
  writeFileSync(seen, recordText({ ...record, ino, size, mtimeMs }))
  return { root, source: of.source }
}

/**
 * What kind of file something is, by its path in the store; `undefined` for what nobody checks: locks, work in progress, what a
 * user wrote in a container (of which nobody knows what it should be), and what is only ever compared with the file beside it.
 */
function kindOf(path: string): string | undefined {
  if (/^(locks|tmp)\//.test(path) || path === 'names/%.index-seen') return undefined
  if (/^uppers\/[^/]+\/upper\/log$/.test(path)) return 'log of an upper'
  if (/^uppers\/[^/]+\/(upper|work)\//.test(path)) return undefined
  const [, extension] = /^cache\/[^.]+(?:\.([a-z]+))$/.exec(path) ?? []
  if (path === 'cache/files.sums') return path
  if (extension !== undefined) return `${path.split('/')[1]}/*.${extension}`
  const directory = path.split('/')[0]!
  return path.includes('/') ? directory : path
}

/** Every file that is checked, by its kind. */
export function filesByKind(root: string): Map<string, string[]> {
  const found = new Map<string, string[]>()
  const visit = (prefix: string) => {
    for (const name of readdirSync(join(root, prefix)).sort()) {
      const path = prefix === '' ? name : `${prefix}/${name}`
      const stat = lstatSync(join(root, path))
      if (stat.isDirectory()) visit(path)
      const kind = stat.isFile() && stat.size > 0 ? kindOf(path) : undefined
      if (kind !== undefined) found.set(kind, [...(found.get(kind) ?? []), path])
    }
  }
  visit('')
  return found
}

/** Changes one byte of a file where it lies, as a disk does: its times stay as they are. */
export function rot(path: string, at: number, by: number): void {
  const { atime, mtime } = lstatSync(path)
  const bytes = readFileSync(path)
  bytes[at] = bytes[at]! ^ by
  nodeDisk().fs.chmodSync(path, 0o600)
  writeFileSync(path, bytes, { flag: 'r+' })
  utimesSync(path, atime, mtime)
}
