import { createHash } from 'node:crypto'
import { existsSync, lstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { diff } from '../../src/diff/index.ts'
import { append, scratch } from '../../src/image/append.ts'
import { layerFromBlob } from '../../src/image/image-from-blobs.ts'
import { digestOf } from '../../src/model/digest.ts'
import { mediaTypes } from '../../src/model/documents.ts'
import type { Container } from '../../src/store/containers/containers.ts'
import { openStore } from '../../src/store/open-store.ts'
import type { Store } from '../../src/store/store.ts'
import { exportTree } from '../../src/store/trees/export-tree.ts'
import { type Bytes, memoryBytes, streamOf } from '../../src/stream/bytes.ts'
import { root } from '../support/ability.ts'
import { valuesOf } from '../support/collect.ts'
import { archive } from '../tar/raw.ts'
import { forms as sparseForms } from '../tar/sparse-forms.ts'
import { noise } from './places.ts'

if (!root) console.warn("large files in overlayfs's own form are not tested: only root may write trusted.* xattrs")

const forms = root ? (['overlay', 'portable'] as const) : (['portable'] as const)
const block = 4096
const MiB = 2 ** 20

/** Some disks take ten seconds to remove what lies scattered on them. */
function inMemory(): string {
  const path = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'ply-large-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** An image with `/disk`, which has data of its own every so many bytes, and holes between. */
async function write(store: Store, size: number, every: number): Promise<(position: number) => Buffer> {
  const data = noise(MiB)
  const runs = Array.from({ length: size / every }, (_, i) => [i * every, data] as const)
  const tar = archive(sparseForms['1.0']({ name: 'disk', size, runs }))
  const descriptor = { mediaType: mediaTypes.ociLayer, digest: digestOf(tar), size: tar.length }
  const layer = layerFromBlob(descriptor, digestOf(tar), () => streamOf(memoryBytes(tar)))
  await store.write(append(scratch, layer), 'large')
  const zeros = Buffer.alloc(block)
  return (position) => (position % every < MiB ? data.subarray(position % every).subarray(0, block) : zeros)
}

/** What the disk gave to files below a directory, in bytes. */
function taken(directory: string): number {
  let sum = 0
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true }))
    sum += lstatSync(join(entry.parentPath, entry.name)).blocks * 512
  return sum
}

const filled = (what: string): Buffer => Buffer.alloc(block, `${what} `)

function reading(container: Container): (position: number) => Buffer {
  const fd = container.fs.openSync('/disk', 'r')
  return (position) => {
    const found = Buffer.alloc(block)
    container.fs.readSync(fd, found, 0, block, position)
    return found
  }
}

/** Writes blocks of a container's file, and answers how many milliseconds it was until the first one was written. */
function change(container: Container, blocks: Iterable<readonly [position: number, bytes: Buffer]>): number {
  const began = performance.now()
  let first: number | undefined
  const fd = container.fs.openSync('/disk', 'r+')
  for (const [position, bytes] of blocks) {
    container.fs.writeSync(fd, bytes, 0, block, position)
    first ??= performance.now() - began
  }
  container.fs.closeSync(fd)
  return first!
}

/** The digest of all content of a container's file. */
function sum(content: Bytes): string {
  const hash = createHash('sha256')
  const chunk = Buffer.alloc(MiB)
  for (let at = 0, got = 0; (got = content.read(chunk, at)) > 0; at += got) hash.update(chunk.subarray(0, got))
  return hash.digest('hex')
}

async function sumOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of chunks) hash.update(chunk)
  return hash.digest('hex')
}

for (const upperForm of forms) {
  test(`4 KiB written into a file of 4 GiB take 4 KiB, and snapshots and clones of it nothing (${upperForm})`, async () => {
    const folder = inMemory()
    await using store = await openStore(join(folder, 'store'), { upperForm })
    const size = 4096 * MiB
    const below = await write(store, size, 128 * MiB)
    await using work = await store.containers.create('work', 'large')
    const uppers = join(folder, 'store/uppers')
    const before = taken(uppers)
    const took = change(work, [[size / 2, filled('first')]])
    work.tree.sync()
    const used = taken(uppers) - before
    console.log(`${upperForm}: the first 4 KiB of 4 GiB: ${took.toFixed(1)} ms, ${used >> 10} KiB of disk`)
    expect(used).toBeLessThan(MiB)
    // A copy of what it holds takes longer on any disk; how long a busy machine takes for nothing is nobody's promise.
    expect(took).toBeLessThan(2000)

    await work.snapshot('kept')
    await store.containers.clone('work@kept', 'twin')
    await using twin = await store.containers.open('twin')
    change(twin, [[size - block, filled('twin')]])
    expect(taken(uppers) - before).toBeLessThan(2 * MiB)
    for (const [container, last] of [
      [work, below(size - block)],
      [twin, filled('twin')],
    ] as const) {
      expect(container.fs.statSync('/disk').size).toBe(size)
      const at = reading(container)
      expect(at(size / 2).equals(filled('first'))).toBe(true)
      for (const position of [0, size / 2 - block, size / 2 + block, size - 128 * MiB])
        expect(at(position).equals(below(position)), `${position}`).toBe(true)
      expect(at(size - block).equals(last)).toBe(true)
    }
    expect((await valuesOf(twin.changes())).map(({ kind, path }) => `${kind} ${path}`)).toEqual(['modify /disk'])
    expect((await valuesOf(diff(work.tree, twin.tree))).map(({ kind, path }) => `${kind} ${path}`)).toEqual([
      'modify /disk',
    ])
    expect(await store.fsck({ level: 'sizes' })).toMatchObject({ findings: [] })
  })

  test(`twenty clones of a virtual machine's disk take what each has changed (${upperForm})`, async () => {
    const folder = inMemory()
    await using store = await openStore(join(folder, 'store'), { upperForm })
    const [size, clones] = [256 * MiB, 20]
    const mine = 32_850 * block
    const below = await write(store, size, 16 * MiB)
    await using work = await store.containers.create('work', 'large')
    change(work, [[mine, filled('work')]])
    await work.close()
    const uppers = join(folder, 'store/uppers')
    const before = taken(uppers)
    // Every hundredth block, others in each clone, in no order that a disk would like.
    const count = Math.floor(size / block / 100)
    const own = (clone: number) =>
      Array.from({ length: count }, (_, i) => {
        const position = (((i * 7919) % count) * 100 + clone) * block
        return [position, filled(`${clone} at ${position}`)] as const
      })
    for (let clone = 0; clone < clones; clone++) {
      await store.containers.clone('work', `clone${clone}`)
      await using one = await store.containers.open(`clone${clone}`)
      change(one, own(clone))
    }
    const used = (taken(uppers) - before) / (clones * count * block)
    console.log(`${upperForm}: twenty clones take ${used.toFixed(3)} times what they changed`)
    expect(used).toBeLessThan(1.3)

    for (let clone = 0; clone < clones; clone++) {
      await using one = await store.containers.open(`clone${clone}`, { readOnly: true })
      const at = reading(one)
      for (const [position, bytes] of own(clone)) if (!at(position).equals(bytes)) expect.fail(`${clone}: ${position}`)
      for (const [position] of own(clone + 1))
        if (!at(position).equals(below(position))) expect.fail(`${clone}: ${position}`)
      expect(at(mine).equals(filled('work'))).toBe(true)
    }

    // All of one of them, through everything that reads it whole.
    const whole = createHash('sha256')
    const blocks = new Map([[mine, filled('work')] as const, ...own(7)])
    for (let position = 0; position < size; position += block) whole.update(blocks.get(position) ?? below(position))
    const expected = whole.digest('hex')
    await using one = await store.containers.open('clone7')
    const content = (container: Container) => container.tree.open(container.tree.lookup(container.tree.root, 'disk')!)
    expect(sum(content(one))).toBe(expected)
    if (upperForm !== forms[0]) return
    const exported = await sumOf(exportTree(one.tree))
    await store.commit(one, 'committed')
    await one.close()
    await using made = await store.containers.create('made', 'committed')
    expect(sum(content(made))).toBe(expected)
    expect(await sumOf(exportTree(made.tree))).toBe(exported)
    expect(await store.fsck({ level: 'sizes' })).toMatchObject({ findings: [] })
  })
}
