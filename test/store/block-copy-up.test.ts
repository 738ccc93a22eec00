import { expect, test } from 'vitest'
import { append, scratch } from '../../src/image/append.ts'
import { layerFrom } from '../../src/image/layer-from.ts'
import type { Container } from '../../src/store/containers/containers.ts'
import { root } from '../support/ability.ts'
import { valuesOf } from '../support/collect.ts'
import { contentAt } from '../support/plain-tree.ts'
import { everywhere, noise, type StorePlace } from './places.ts'

if (!root)
  console.warn("block-level copy-up in overlayfs's own form is not tested: only root may write trusted.* xattrs")

const forms = (kind: string) => (kind === 'disk' && root ? (['portable', 'overlay'] as const) : (['portable'] as const))
const size = 1 << 20
const blockCopyUp = 64 << 10

/** Writes into a file of a container without opening it anew for each. */
function writeAt(container: Container, path: string, writes: readonly (readonly [number, string, number])[]): void {
  const fd = container.fs.openSync(path, 'r+')
  for (const [position, fill, length] of writes)
    container.fs.writeSync(fd, Buffer.alloc(length, fill), 0, length, position)
  container.fs.closeSync(fd)
}

const read = (container: Container, path: string): Buffer => container.fs.readFileSync(path) as Buffer
const lines = async (container: Container, since?: string) =>
  (await valuesOf(container.changes(since === undefined ? {} : { since }))).map(({ kind, path }) => `${kind} ${path}`)

/** Bytes that the blocks of all uppers take, as files count them. */
function extents(place: StorePlace): string[] {
  return place.files().filter((line) => /^uppers\/.*\/extents\//.test(line))
}

everywhere('a large file that is written in a container', (make, kind) => {
  for (const upperForm of forms(kind)) {
    const started = async () => {
      const place = await make()
      const store = await place.open({ upperForm, blockCopyUp })
      const content = noise(size)
      const image = append(scratch, layerFrom({ '/var/disk': content, '/small': 'small\n' }), {})
      await store.write(image, 'a')
      return { place, store, containers: store.containers, content }
    }

    test(`has the blocks that were written, and the rest from its image: opened again, committed, checked (${upperForm})`, async () => {
      const { place, store, containers, content } = await started()
      const work = await containers.create('work', 'a')
      const { ino } = work.fs.statSync('/var/disk')
      writeAt(work, '/var/disk', [[100_000, 'x', 5000]])
      const expected = Buffer.from(content).fill('x', 100_000, 105_000)
      expect(read(work, '/var/disk').equals(expected)).toBe(true)
      expect(work.fs.statSync('/var/disk')).toMatchObject({ ino, size })
      await work.close()
      expect(extents(place)).toHaveLength(2)
      expect(place.json<{ features: { incompatible: string[] } }>('ply.json').features.incompatible).toEqual(['blocks'])
      expect(await store.fsck({ level: 'digests' })).toMatchObject({ findings: [] })

      await using other = await place.open()
      await using again = await other.containers.open('work')
      expect(again.fs.statSync('/var/disk')).toMatchObject({ ino, size })
      expect(read(again, '/var/disk').equals(expected)).toBe(true)
      expect(await lines(again)).toEqual(['modify /var/disk'])
      const image = await other.commit(again, 'b')
      await again.close()
      await using made = await other.containers.create('next', 'b')
      expect(read(made, '/var/disk').equals(expected)).toBe(true)
      await made.close()
      expect((await other.image('b')).digest).toBe(image.digest)

      await other.containers.remove('work')
      await other.containers.remove('next')
      expect(place.names('uppers')).toEqual([])
    })

    test(`can be cut, grown, punched, moved and removed (${upperForm})`, async () => {
      const { place, containers, content } = await started()
      await using work = await containers.create('work', 'a')
      writeAt(work, '/var/disk', [[0, 'a', 4096]])
      work.fs.truncateSync('/var/disk', 700_001)
      work.fs.truncateSync('/var/disk', 800_000)
      const expected = Buffer.alloc(800_000)
      content.copy(expected, 0, 0, 700_001)
      expected.fill('a', 0, 4096)
      work.fs.renameSync('/var/disk', '/moved')
      work.fs.linkSync('/moved', '/second')
      await work.close()
      await using again = await containers.open('work')
      expect(read(again, '/second').equals(expected)).toBe(true)
      writeAt(again, '/second', [[900_000, 'z', 10]])
      const longer = Buffer.concat([expected, Buffer.alloc(100_000), Buffer.alloc(10, 'z')])
      expect(read(again, '/moved').equals(longer)).toBe(true)
      const open = again.fs.openSync('/moved', 'r+')
      again.fs.unlinkSync('/moved')
      again.fs.unlinkSync('/second')
      again.tree.sync()
      again.fs.writeSync(open, Buffer.from('after'), 0, 5, 500_000)
      const found = Buffer.alloc(5)
      again.fs.readSync(open, found, 0, 5, 500_000)
      expect(found.toString()).toBe('after')
      again.tree.sync()
      again.fs.fsyncSync(open)
      again.fs.closeSync(open)
      expect(await lines(again)).toEqual(['delete /var/disk'])
      await again.close()
      expect(extents(place)).toEqual([])
    })

    test(`is a plain file once it was cut to nothing, for whoever has it open too (${upperForm})`, async () => {
      const { place, store, containers, content } = await started()
      await using work = await containers.create('work', 'a')
      const writer = work.fs.openSync('/var/disk', 'r+')
      const reader = work.fs.openSync('/var/disk', 'r')
      const other = work.fs.openSync('/var/disk', 'r+')
      const found = Buffer.alloc(7)
      const reads = (fd: number) => found.toString('latin1', 0, work.fs.readSync(fd, found, 0, 7, 0))
      work.fs.writeSync(writer, Buffer.from('before'), 0, 6, 1)
      expect(reads(reader)).toBe(`${content.toString('latin1', 0, 1)}before`)
      work.fs.ftruncateSync(writer, 0)
      expect([writer, reader, other].map(reads)).toEqual(['', '', ''])
      work.fs.writeSync(other, Buffer.from('after'), 0, 5, 0)
      work.fs.writeSync(writer, Buffer.from('!'), 0, 1, 5)
      expect([writer, reader, other].map(reads)).toEqual(['after!', 'after!', 'after!'])
      for (const fd of [writer, reader, other]) work.fs.closeSync(fd)
      work.tree.sync()
      expect(extents(place)).toEqual([])
      await work.snapshot()
      writeAt(work, '/var/disk', [[5, '?', 1]])
      work.fs.truncateSync('/var/disk', 0)
      work.fs.truncateSync('/var/disk', 2)
      expect(read(work, '/var/disk')).toEqual(Buffer.alloc(2))
      await work.close()
      await using again = await containers.open('work')
      expect(read(again, '/var/disk')).toEqual(Buffer.alloc(2))
      await again.rollback('s1')
      expect(read(again, '/var/disk').toString()).toBe('after!')
      await again.close()
      expect(await store.fsck({ level: 'digests' })).toMatchObject({ findings: [] })
    })

    test(`is the same through snapshots, clones and going back, which share its blocks (${upperForm})`, async () => {
      const { place, store, containers, content } = await started()
      await using work = await containers.create('work', 'a')
      const states: Buffer[] = [content]
      const open = work.fs.openSync('/var/disk', 'r+')
      for (const [at, fill] of [
        [0, 'a'],
        [500_001, 'b'],
        [2000, 'c'],
      ] as const) {
        work.fs.writeSync(open, Buffer.alloc(6000, fill), 0, 6000, at)
        states.push(Buffer.from(states.at(-1)!).fill(fill, at, at + 6000))
        await work.snapshot()
        expect(read(work, '/var/disk').equals(states.at(-1)!)).toBe(true)
      }
      work.fs.closeSync(open)
      for (const name of ['s1', 's2', 's3']) {
        await using kept = await containers.open(`work@${name}`, { readOnly: true })
        expect(read(kept, '/var/disk').equals(states[Number(name[1])]!), name).toBe(true)
      }
      expect(await lines(work, 's2')).toEqual(['modify /var/disk'])
      await using twin = await work.clone('twin')
      writeAt(twin, '/var/disk', [[700_000, 't', 100]])
      expect(read(work, '/var/disk').equals(states[3]!)).toBe(true)
      expect(read(twin, '/var/disk').equals(Buffer.from(states[3]!).fill('t', 700_000, 700_100))).toBe(true)
      await twin.close()
      await work.rollback('s1')
      expect(read(work, '/var/disk').equals(states[1]!)).toBe(true)
      writeAt(work, '/var/disk', [[9000, 'r', 1]])
      expect(read(work, '/var/disk').equals(Buffer.from(states[1]!).fill('r', 9000, 9001))).toBe(true)
      await work.close()
      expect(await store.fsck({ level: 'digests' })).toMatchObject({ findings: [] })
      await containers.remove('work')
      await containers.remove('twin')
      expect(place.names('uppers')).toEqual([])
    })

    test(`is made whole by materialize, also of what a frozen upper holds, and by converting (${upperForm})`, async () => {
      const { place, containers, content } = await started()
      await using work = await containers.create('work', 'a')
      writeAt(work, '/var/disk', [[300_000, 'm', 70_000]])
      await work.snapshot('before')
      work.fs.chmodSync('/var/disk', 0o600)
      const { mtimeMs, ino } = work.fs.statSync('/var/disk')
      await work.close()
      const expected = Buffer.from(content).fill('m', 300_000, 370_000)
      expect(await containers.materialize('work')).toEqual({ files: 1, bytes: size })
      expect(await containers.materialize('work')).toEqual({ files: 0, bytes: 0 })
      await using whole = await containers.open('work')
      expect(read(whole, '/var/disk').equals(expected)).toBe(true)
      expect(whole.fs.statSync('/var/disk')).toMatchObject({ mtimeMs, ino, mode: 0o100600 })
      await whole.close()
      // That of the snapshot has its own still.
      expect(extents(place)).toHaveLength(2)
      await containers.clone('work@before', 'twin')
      await using twin = await containers.open('twin')
      writeAt(twin, '/var/disk', [[0, 'n', 3]])
      await twin.close()
      if (upperForm === 'overlay' || (kind === 'disk' && root)) {
        await containers.convert('twin', upperForm === 'overlay' ? 'portable' : 'overlay')
        await using converted = await containers.open('twin')
        expect(read(converted, '/var/disk').equals(Buffer.from(expected).fill('n', 0, 3))).toBe(true)
        expect(extents(place)).toHaveLength(2)
      }
    })

    test(`is an error to read where its map is gone or damaged, and never the old file; a check says so (${upperForm})`, async () => {
      const { place, store, containers } = await started()
      const work = await containers.create('work', 'a')
      writeAt(work, '/var/disk', [[0, 'x', 1]])
      const { upper } = work
      await work.close()
      const folder = ['uppers', upper, ...(upperForm === 'portable' ? ['upper', 'extents'] : ['extents'])]
      const map = place.names(...folder).find((name) => name.endsWith('.map'))!
      const path = place.at(...folder, map)
      const whole = Buffer.from(place.disk.fs.readFileSync(path) as Uint8Array)
      place.put(place.at(...folder, '77.map'), 'nobody')
      for (const damage of ['gone', 'turned over'] as const) {
        if (damage === 'gone') place.disk.fs.rmSync(path)
        else place.put(path, Buffer.from(whole.map((byte) => byte ^ 1)))
        const { findings } = await store.fsck({ level: 'structure' })
        expect(findings.map(({ code }) => code).sort()).toEqual(['bad-blocks', 'unused-blocks'])
        await using broken = await containers.open('work', { readOnly: true })
        expect(() => contentAt(broken.tree, 'var/disk')).toThrow(expect.objectContaining({ code: 'EIO' }))
      }
      place.put(path, whole)
      await (await containers.open('work')).close()
      expect(place.names(...folder)).not.toContain('77.map')
      expect((await store.fsck({ level: 'structure' })).findings).toEqual([])
    })
  }
})

test('what is smaller, or is emptied, is copied as ever, and with never everything is', async () => {
  const { placeAt } = await import('./places.ts')
  const { memoryDisk } = await import('../../src/sys/memory-disk.ts')
  const place = placeAt(await memoryDisk(), '/ply')
  for (const option of [blockCopyUp, 'never'] as const) {
    await using store = await place.open({ blockCopyUp: option })
    await store.write(append(scratch, layerFrom({ '/big': noise(size), '/small': 'small\n' }), {}), 'a')
    await using work = await store.containers.create(`work-${option}`, 'a')
    work.fs.writeFileSync('/small', 'other')
    if (option === 'never') writeAt(work, '/big', [[0, 'x', 1]])
    else work.fs.writeFileSync('/big', 'emptied first')
    expect(extents(place)).toEqual([])
  }
  await expect(place.open({ blockCopyUp: -1 })).rejects.toMatchObject({ code: 'PLY_USAGE' })
})
