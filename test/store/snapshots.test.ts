import { expect, test } from 'vitest'
import type { Container } from '../../src/store/containers/containers.ts'
import { openTree } from '../../src/store/trees/open-tree.ts'
import { removeXattr } from '../../src/sys/xattr.ts'
import { root } from '../support/ability.ts'
import { valuesOf } from '../support/collect.ts'
import { sampleImage } from '../support/images.ts'
import { contentAt, treeEntries } from '../support/plain-tree.ts'
import { descriptors, everywhere, type StorePlace } from './places.ts'

if (!root) console.warn("snapshots in overlayfs's own form are not tested: only root may write trusted.* xattrs")

const forms = (kind: string) => (kind === 'disk' && root ? (['portable', 'overlay'] as const) : (['portable'] as const))

/** What is in a container, by another opening of it. */
async function shownBy(place: StorePlace, name: string) {
  await using store = await place.open()
  await using container = await store.containers.open(name, { readOnly: true })
  return treeEntries(container.tree)
}

const lines = async (container: Container, since?: string) =>
  (await valuesOf(container.changes(since === undefined ? {} : { since }))).map(({ kind, path }) => `${kind} ${path}`)

everywhere('a snapshot', (make, kind) => {
  for (const upperForm of forms(kind)) {
    const started = async () => {
      const place = await make()
      const store = await place.open({ upperForm })
      await store.write(await sampleImage(), 'a')
      return { place, store, containers: store.containers }
    }

    test(`keeps what a container showed, which goes on and can go back (${upperForm})`, async () => {
      const { place, store, containers } = await started()
      await using work = await containers.create('work', 'a')
      work.fs.writeFileSync('/etc/motd', 'first\n')
      work.fs.mkdirSync('/new')
      work.fs.writeFileSync('/new/a', 'a')
      const first = treeEntries(work.tree)
      const numbers = ['/etc/motd', '/new', '/new/a', '/bin/app'].map((path) => work.fs.statSync(path).ino)
      const before = await work.snapshot('before')
      expect(before).toMatchObject({ name: 'before', upper: expect.any(String), created: expect.any(String) })
      expect(treeEntries(work.tree)).toEqual(first)
      expect(['/etc/motd', '/new', '/new/a', '/bin/app'].map((path) => work.fs.statSync(path).ino)).toEqual(numbers)

      work.fs.writeFileSync('/etc/motd', 'second\n')
      work.fs.unlinkSync('/new/a')
      work.fs.renameSync('/new', '/newer')
      work.fs.writeFileSync('/newer/b', 'b')
      const fresh = work.fs.statSync('/newer/b').ino
      expect(numbers).not.toContain(fresh)
      const second = treeEntries(work.tree)
      expect(await work.snapshot()).toMatchObject({ name: 's2' })
      expect(work.snapshots.map(({ name }) => name)).toEqual(['before', 's2'])
      work.fs.rmSync('/newer', { recursive: true })
      const third = treeEntries(work.tree)
      await expect(work.snapshot('before')).rejects.toMatchObject({ code: 'PLY_SNAPSHOT_EXISTS' })
      await expect(work.snapshot('../x')).rejects.toMatchObject({ code: 'PLY_USAGE' })
      await expect(work.rollback('none')).rejects.toMatchObject({ code: 'PLY_SNAPSHOT_NOT_FOUND' })

      for (const [name, showed] of [
        ['work@before', first],
        ['work@s2', second],
      ] as const) {
        expect(await shownBy(place, name)).toEqual(showed)
        await using tree = Object.assign(await openTree(`container:${name}`, { store }), {
          async [Symbol.asyncDispose]() {},
        })
        expect(treeEntries(tree)).toEqual(showed)
        tree.close()
      }
      await work.rollback(before)
      expect(treeEntries(work.tree)).toEqual(first)
      expect(work.fs.statSync('/new/a').ino).toBe(numbers[2])
      work.fs.writeFileSync('/etc/motd', 'another\n')
      await work.rollback('s2')
      expect(treeEntries(work.tree)).toEqual(second)
      work.fs.rmSync('/newer', { recursive: true })
      expect(treeEntries(work.tree).map(({ path }) => path)).toEqual(third.map(({ path }) => path))
      await work.close()
      expect((await shownBy(place, 'work')).map(({ path }) => path)).toEqual(third.map(({ path }) => path))
      await expect(containers.open('work@before')).rejects.toMatchObject({ code: 'PLY_USAGE' })
      await expect(containers.open('work@none', { readOnly: true })).rejects.toMatchObject({
        code: 'PLY_SNAPSHOT_NOT_FOUND',
      })
      expect((await store.collect()).files).toEqual([])
      expect(await shownBy(place, 'work@before')).toEqual(first)
      await containers.remove('work')
      for (const directory of ['containers', 'uppers', 'tmp']) expect(place.names(directory)).toEqual([])
      expect(place.names('locks').filter((name) => name.startsWith('upper'))).toEqual([])
    })

    if (upperForm === 'overlay')
      test('of a container whose writer lost power knows every number in it, also where the disk took what was noted of them', async () => {
        const { place, containers } = await started()
        const work = await containers.create('work', 'a')
        work.fs.mkdirSync('/new')
        work.fs.writeFileSync('/new/file', 'from before')
        const taken = ['/new', '/new/file'].map((path) => work.fs.statSync(path).ino)
        await work.close()
        const [id = ''] = place.names('uppers')
        removeXattr(place.at('uppers', id, 'upper'), 'trusted.overlay.plyfs.next')
        place.put(place.at('uppers', id, 'writing'), '')
        await containers.snapshot('work')
        expect(place.names('uppers', id)).not.toContain('writing')
        await using again = await containers.open('work')
        for (const name of ['a', 'b', 'c']) again.fs.writeFileSync(`/${name}`, name)
        for (const name of ['a', 'b', 'c']) expect(taken).not.toContain(again.fs.statSync(`/${name}`).ino)
        expect(again.fs.readFileSync('/new/file', 'utf8')).toBe('from before')
        expect(['/new', '/new/file'].map((path) => again.fs.statSync(path).ino)).toEqual(taken)
      })

    test(`is made, gone back to, cloned and removed without opening anything (${upperForm})`, async () => {
      const { place, store, containers } = await started()
      const work = await containers.create('work', 'a')
      work.fs.writeFileSync('/etc/motd', 'first\n')
      const first = treeEntries(work.tree)
      await expect(containers.snapshot('work')).rejects.toMatchObject({ code: 'PLY_CONTAINER_BUSY' })
      await expect(containers.rollback('work', 'x')).rejects.toMatchObject({ code: 'PLY_CONTAINER_BUSY' })
      await expect(containers.clone('work', 'twin')).rejects.toMatchObject({ code: 'PLY_CONTAINER_BUSY' })
      await work.close()
      // Whoever reads an upper of this name fails.
      const snapshot = await containers.snapshot('work', 'before')
      expect((await containers.list())[0]!.snapshots).toEqual([snapshot])
      const again = await containers.open('work')
      again.fs.writeFileSync('/etc/motd', 'second\n')
      const second = treeEntries(again.tree)
      await again.close()
      await containers.clone('work', 'twin')
      await containers.clone('work@before', 'old')
      await expect(containers.clone('work', 'twin')).rejects.toMatchObject({ code: 'PLY_CONTAINER_EXISTS' })
      await expect(containers.clone('work@none', 'x')).rejects.toMatchObject({ code: 'PLY_SNAPSHOT_NOT_FOUND' })
      await expect(containers.clone('none', 'x')).rejects.toMatchObject({ code: 'PLY_CONTAINER_NOT_FOUND' })
      expect(await shownBy(place, 'work')).toEqual(second)
      expect(await shownBy(place, 'twin')).toEqual(second)
      expect(await shownBy(place, 'old')).toEqual(first)
      await containers.rollback('work', 'before')
      expect(await shownBy(place, 'work')).toEqual(first)
      expect(await shownBy(place, 'twin')).toEqual(second)

      await containers.remove('work@before')
      expect((await containers.list()).find(({ name }) => name === 'work')!.snapshots).toEqual([])
      expect(place.json<object>('containers', 'work', 'record.json')).not.toHaveProperty('snapshots')
      await expect(containers.remove('work@before')).rejects.toMatchObject({ code: 'PLY_SNAPSHOT_NOT_FOUND' })
      await containers.remove('work')
      expect((await store.collect()).files).toEqual([])
      expect(await shownBy(place, 'twin')).toEqual(second)
      expect(await shownBy(place, 'old')).toEqual(first)
      await containers.remove('twin')
      expect(await shownBy(place, 'old')).toEqual(first)
      await containers.remove('old')
      for (const directory of ['containers', 'uppers', 'tmp']) expect(place.names(directory)).toEqual([])
    })

    test(`a clone shares everything until one of them writes (${upperForm})`, async () => {
      const { place, containers } = await started()
      await using work = await containers.create('work', 'a')
      work.fs.writeFileSync('/shared', 'shared')
      work.fs.chmodSync('/bin/app', 0o700)
      const shown = treeEntries(work.tree)
      await expect(work.clone('work')).rejects.toMatchObject({ code: 'PLY_CONTAINER_EXISTS' })
      expect(work.snapshots).toEqual([])
      const twin = await work.clone('twin')
      expect(treeEntries(twin.tree)).toEqual(shown)
      expect(treeEntries(work.tree)).toEqual(shown)
      expect(twin.fs.statSync('/shared').ino).toBe(work.fs.statSync('/shared').ino)
      twin.fs.writeFileSync('/shared', 'twin')
      work.fs.appendFileSync('/shared', ', work')
      work.fs.writeFileSync('/new', 'work')
      expect(contentAt(twin.tree, 'shared')).toBe('twin')
      expect(contentAt(work.tree, 'shared')).toBe('shared, work')
      expect(twin.fs.existsSync('/new')).toBe(false)
      expect(await lines(twin)).toContain('add /shared')
      const third = await twin.clone('third')
      await work.close()
      await twin.close()
      expect(contentAt(third.tree, 'shared')).toBe('twin')
      third.fs.unlinkSync('/shared')
      await third.close()
      expect(await shownBy(place, 'third')).not.toEqual(shown)
      await using again = await containers.open('work')
      expect(contentAt(again.tree, 'shared')).toBe('shared, work')
    })

    test(`handles stay open when what they read and write is frozen (${upperForm})`, async () => {
      const { place, containers } = await started()
      await using work = await containers.create('work', 'a')
      work.fs.writeFileSync('/log', 'one\n')
      const writer = work.fs.openSync('/log', 'a+')
      const reader = work.fs.openSync('/log', 'r')
      const lower = work.fs.openSync('/etc/motd', 'r')
      const gone = work.fs.openSync('/gone', 'w+')
      work.fs.writeSync(gone, 'gone')
      work.fs.unlinkSync('/gone')
      const was = treeEntries(work.tree)
      await work.snapshot('before')
      work.fs.writeSync(writer, 'two\n')
      work.fs.writeSync(gone, '!')
      const at = (fd: number) => {
        const into = Buffer.alloc(100)
        return into.toString('utf8', 0, work.fs.readSync(fd, into, 0, 100, 0))
      }
      expect(at(reader)).toBe('one\ntwo\n')
      expect(at(gone)).toBe('gone!')
      work.fs.writeFileSync('/etc/motd', 'new\n')
      expect(at(lower)).toBe('new\n')
      expect(contentAt(work.tree, 'log')).toBe('one\ntwo\n')
      const entries = await shownBy(place, 'work@before')
      expect(entries).toEqual(was)
      await expect(work.rollback('before')).rejects.toMatchObject({ code: 'EBUSY' })
      for (const fd of [writer, reader, lower, gone]) work.fs.closeSync(fd)
      await work.rollback('before')
      expect(contentAt(work.tree, 'log')).toBe('one\n')
    })

    test(`is what changes are told against, and is committed like a container (${upperForm})`, async () => {
      const { store, containers } = await started()
      await using work = await containers.create('work', 'a')
      work.fs.writeFileSync('/one', '1')
      work.fs.unlinkSync('/etc/issue')
      await work.snapshot('first')
      work.fs.writeFileSync('/two', '2')
      work.fs.writeFileSync('/etc/issue', 'back\n')
      await work.snapshot('second')
      work.fs.unlinkSync('/one')
      expect(await lines(work)).toEqual(expect.arrayContaining(['add /two']))
      expect((await lines(work)).join('\n')).not.toContain('/one')
      expect((await lines(work, 'first')).filter((line) => !line.startsWith('modify /etc'))).toEqual([
        'delete /one',
        'add /etc/issue',
        'add /two',
      ])
      expect(await lines(work, 'second')).toEqual(['delete /one'])
      const image = await store.commit(work, 'b')
      expect(image.layers).toHaveLength(4)
      const committed = await store.tree('b')
      expect(treeEntries(committed).map(({ path }) => path)).toEqual(treeEntries(work.tree).map(({ path }) => path))
      expect(contentAt(committed, 'etc/issue')).toBe('back\n')
      committed.close()
      await using old = await containers.open('work@first', { readOnly: true })
      expect(await lines(old)).toEqual(expect.arrayContaining(['add /one', 'delete /etc/issue']))
      await store.commit(old, 'c')
      const older = await store.tree('c')
      expect(contentAt(older, 'one')).toBe('1')
      expect(older.lookup(older.lookup(older.root, 'etc')!, 'issue')).toBeUndefined()
      older.close()
      await work.rollback('first')
      const beside = (await lines(work, 'second')).filter((line) => !line.startsWith('modify /etc'))
      expect(beside).toEqual(['delete /two', 'delete /etc/issue'])
      await expect(async () => lines(work, 'none')).rejects.toMatchObject({ code: 'PLY_SNAPSHOT_NOT_FOUND' })
    })

    test(`lives for as long as anything stands on it (${upperForm})`, async () => {
      const { place, store, containers } = await started()
      await (await containers.create('work', 'a')).close()
      const first = await containers.snapshot('work')
      const second = await containers.snapshot('work')
      await containers.clone('work@s1', 'twin')
      await containers.remove('work@s1')
      await containers.remove('work@s2')
      expect(place.names('uppers')).toEqual(expect.arrayContaining([first.upper, second.upper]))
      await containers.remove('work')
      expect(place.names('uppers')).toContain(first.upper)
      expect(place.names('uppers')).not.toContain(second.upper)
      expect((await store.collect()).files).toEqual([])
      await using twin = await containers.open('twin')
      twin.fs.writeFileSync('/x', 'x')
      await twin.close()
      await containers.remove('twin')
      expect(place.names('uppers')).toEqual([])

      // A clone leaves the container on what both stand on: that goes with the second of them.
      await (await containers.create('work', 'a')).close()
      await containers.snapshot('work')
      await containers.clone('work', 'twin')
      await containers.remove('twin')
      await containers.rollback('work', 's1')
      expect(place.names('uppers')).toHaveLength(2)
      await containers.clone('work', 'twin')
      await using again = await containers.open('work')
      await again.rollback('s1')
      await containers.remove('twin')
      expect(place.names('uppers')).toHaveLength(2)
      expect((await store.collect()).files).toEqual([])
    })
  }

  test('closes what it opens, in a chain too', async () => {
    const place = await make()
    await using store = await place.open()
    await store.write(await sampleImage(), 'a')
    const before = descriptors()
    const work = await store.containers.create('work', 'a')
    work.fs.writeFileSync('/x', 'x')
    await work.snapshot()
    work.fs.writeFileSync('/x', 'y')
    const twin = await work.clone('twin')
    await work.rollback('s1')
    await work.close()
    await work.close()
    expect(contentAt(twin.tree, 'x')).toBe('y')
    await twin.close()
    expect(descriptors()).toEqual(before)
  })

  test('a container from before there were snapshots has none', async () => {
    const place = await make()
    await using store = await place.open()
    await store.write(await sampleImage(), 'a')
    await (await store.containers.create('work', 'a')).close()
    expect(place.json<object>('containers', 'work', 'record.json')).not.toHaveProperty('snapshots')
    expect((await store.containers.list())[0]).toMatchObject({ name: 'work', snapshots: [] })
  })

  test('of a container that is open for reading only, nothing is kept', async () => {
    const place = await make()
    await using store = await place.open()
    await store.write(await sampleImage(), 'a')
    await (await store.containers.create('work', 'a')).close()
    await using work = await store.containers.open('work', { readOnly: true })
    for (const attempt of [() => work.snapshot(), () => work.rollback('x'), () => work.clone('twin')])
      await expect(attempt()).rejects.toMatchObject({ code: 'EROFS' })
  })

  test('stands on itself in no store that is whole', async () => {
    const place = await make()
    await using store = await place.open()
    await store.write(await sampleImage(), 'a')
    await (await store.containers.create('work', 'a')).close()
    await store.containers.snapshot('work')
    const { upper, snapshots } = (await store.containers.list())[0]!
    const below = place.json<object>('uppers', snapshots[0]!.upper, 'record.json')
    const { crc32: _, ...record } = below as { crc32?: string }
    place.put(place.at('uppers', snapshots[0]!.upper, 'record.json'), JSON.stringify({ ...record, parent: upper }))
    await expect(store.containers.open('work', { readOnly: true })).rejects.toMatchObject({ code: 'PLY_BAD_DOCUMENT' })
  })
})
