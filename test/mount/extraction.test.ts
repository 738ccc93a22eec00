import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { packTree } from '../../src/diff/index.ts'
import { append, scratch } from '../../src/image/append.ts'
import type { Image } from '../../src/image/image.ts'
import { layerFromBlob } from '../../src/image/image-from-blobs.ts'
import { packLayer } from '../../src/layer/index.ts'
import { encodeText } from '../../src/model/bytes.ts'
import { digestOf } from '../../src/model/digest.ts'
import { mediaTypes } from '../../src/model/documents.ts'
import { PlyError } from '../../src/model/errors.ts'
import { IdMapping } from '../../src/model/id-mapping.ts'
import { type Extracted, mountByExtraction, unmountExtraction } from '../../src/mount/extraction.ts'
import { mount } from '../../src/mount/mount.ts'
import type { MountOptions } from '../../src/mount/mounted.ts'
import { unmount } from '../../src/mount/unmount.ts'
import type { Container } from '../../src/store/containers/containers.ts'
import { mountGround } from '../../src/store/mounts/ground.ts'
import { openStore } from '../../src/store/open-store.ts'
import type { Store } from '../../src/store/store.ts'
import { memoryBytes, streamOf } from '../../src/stream/bytes.ts'
import { setXattr } from '../../src/sys/xattr.ts'
import { resolvePath } from '../../src/union/resolve.ts'
import { becomeNobody, becomeRoot, root, testIf } from '../support/ability.ts'
import { bytesIn, valuesOf } from '../support/collect.ts'
import { type PlainSpec, plainTree, treeEntries } from '../support/plain-tree.ts'
import { temporary } from '../support/temporary.ts'

const owner = { uid: process.geteuid!(), gid: process.getegid!() }

const at1000 = { ...owner, mtime: 1000_000_000_000n }

const files: PlainSpec = {
  '': owner,
  'etc/': at1000,
  'etc/passwd': { content: 'root:x:0:0', ...at1000 },
  'etc/group': { content: 'root:x:0', ...at1000 },
  'usr/': owner,
  'usr/lib/': owner,
  'usr/lib/deep/': owner,
  'usr/lib/deep/file': { content: Buffer.alloc(20_000, 'abc'), ...at1000 },
  'usr/lib/a': { content: 'a', ...owner },
  'usr/lib/b': { content: 'b', ...owner },
  'gone/x': { content: 'x', ...owner },
  'again/hidden': { content: 'h', ...owner },
  'bin/su': { content: 'lends', mode: 0o4755 },
  'links/one': { content: 'linked', ...at1000 },
  'links/two': { hardlink: 'links/one' },
  'links/three': { hardlink: 'links/one' },
  link: { target: 'etc/passwd' },
}

/** An image of one layer. */
async function imageOf(spec: PlainSpec): Promise<Image> {
  const blob = await bytesIn(packLayer(packTree(plainTree(spec))))
  const digest = digestOf(blob)
  const descriptor = { mediaType: mediaTypes.ociLayer, digest, size: blob.length }
  return append(
    scratch,
    layerFromBlob(descriptor, digest, () => streamOf(memoryBytes(blob))),
    {},
  )
}

/** A place that is changed: a real directory, or a container without one. */
interface Place {
  readonly fs: typeof fs
  at(path: string): string
  xattr(path: string, name: string, value: string): void
}

const onDisk = (target: string): Place => ({
  fs,
  at: (path) => join(target, path),
  xattr: (path, name, value) => setXattr(encodeText(join(target, path)), name, Buffer.from(value)),
})

const inContainer = (container: Container): Place => ({
  fs: container.fs as unknown as typeof fs,
  at: (path) => `/${path}`,
  xattr(path, name, value) {
    const { ino } = resolvePath(container.tree, path, { follow: false })
    container.tree.setXattr(ino!, name, Buffer.from(value))
  },
})

/** All that people do to files, with the times that it happened. */
function edit({ fs, at, xattr }: Place): void {
  fs.writeFileSync(at('etc/passwd'), 'changed')
  fs.chmodSync(at('etc/group'), 0o600)
  fs.writeFileSync(at('new'), 'new')
  fs.chmodSync(at('new'), 0o640)
  fs.linkSync(at('new'), at('etc/new-too'))
  fs.linkSync(at('usr/lib/a'), at('a-too'))
  xattr('new', 'user.k', 'v')
  fs.renameSync(at('usr/lib'), at('usr/share'))
  fs.renameSync(at('usr/share/deep'), at('deep'))
  fs.mkdirSync(at('usr/lib'))
  fs.chmodSync(at('usr/lib'), 0o750)
  fs.renameSync(at('usr/share/b'), at('usr/lib/b'))
  fs.rmSync(at('gone'), { recursive: true })
  fs.rmSync(at('again'), { recursive: true })
  fs.mkdirSync(at('again'))
  fs.chmodSync(at('again'), 0o755)
  fs.writeFileSync(at('again/fresh'), 'f')
  fs.chmodSync(at('again/fresh'), 0o644)
  fs.unlinkSync(at('link'))
  fs.symlinkSync('elsewhere', at('link'))
  const sparse = fs.openSync(at('sparse'), 'w')
  fs.writeSync(sparse, Buffer.from('end'), 0, 3, 10 << 20)
  fs.closeSync(sparse)
  fs.chmodSync(at('sparse'), 0o600)
  fs.renameSync(at('etc/group'), at('etc/swap'))
  fs.writeFileSync(at('etc/group'), 'another one')
  fs.chmodSync(at('etc/group'), 0o644)
  fs.unlinkSync(at('links/one'))
  fs.appendFileSync(at('links/two'), ' more')
  const changed = [
    'etc/passwd',
    'links/two',
    'links',
    'etc/swap',
    'etc/group',
    'new',
    'again/fresh',
    'sparse',
    'usr/lib/b',
    'deep',
    'again',
  ]
  for (const path of [...changed, 'usr/lib', 'usr/share', 'usr', 'etc', '']) fs.utimesSync(at(path), 5000, 5000)
  fs.lutimesSync(at('link'), 5000, 5000)
}

async function ground(): Promise<{ readonly store: Store; readonly target: string; readonly base: string }> {
  const base = temporary()
  fs.chmodSync(base, 0o777)
  const store = await openStore(join(base, 'store'))
  await store.write(await imageOf(files), 'image')
  return { store, target: join(base, 'target'), base }
}

async function extracted(store: Store, name: string, target: string, options: MountOptions = {}) {
  using held = await store[mountGround].hold({ container: name })
  held.letGo()
  const { standing } = held
  const attached = await mountByExtraction(standing, encodeText(target), options)
  const { subject, upper } = standing
  const record: Extracted = { subject, upper: upper!.id, target: encodeText(target), readOnly: false }
  return { attached, record }
}

async function outcome(store: Store, name: string) {
  await using container = await store.containers.open(name, { readOnly: true })
  const changes = (await valuesOf(container.changes())).map((change) =>
    [change.kind, change.path, ...(change.kind === 'modify' ? change.changed : [])].join(' '),
  )
  const entries = treeEntries(container.tree)
  const image = await store.commit(container, `${name}-image`, { epoch: 7 })
  return { changes, entries, diffId: image.layers.at(-1)!.diffId }
}

describe('a container in a directory', () => {
  test('what is changed in it is what was changed in the container: the same changes, the same layer', async () => {
    const { store, target } = await ground()
    await using twin = await store.containers.create('twin', 'image')
    edit(inContainer(twin))
    await twin.close()
    await (await store.containers.create('work', 'image')).close()
    const { attached } = await extracted(store, 'work', target)
    edit(onDisk(target))
    await attached.unmount()
    await attached.ended
    expect(fs.readdirSync(target)).toEqual([])
    const [work, other] = [await outcome(store, 'work'), await outcome(store, 'twin')]
    expect(work.changes).toEqual(other.changes)
    expect(work.entries).toEqual(other.entries)
    expect(work.diffId).toBe(other.diffId)
  })

  test('nothing is changed by looking at it: what nobody may have is not taken for a change', async () => {
    const { store, target } = await ground()
    await (await store.containers.create('work', 'image')).close()
    const { attached } = await extracted(store, 'work', target)
    expect(fs.lstatSync(join(target, 'bin/su')).mode & 0o7777).toBe(0o755)
    expect(fs.readFileSync(join(target, 'etc/passwd'), 'utf8')).toBe('root:x:0:0')
    await attached.unmount()
    expect((await outcome(store, 'work')).changes).toEqual([])
  })

  test('what lends rights goes on doing so in the container, unless somebody wrote to it', async () => {
    const { store, target } = await ground()
    await (await store.containers.create('work', 'image')).close()
    const first = await extracted(store, 'work', target)
    fs.renameSync(join(target, 'bin/su'), join(target, 'moved'))
    await first.attached.unmount()
    const mode = async () => {
      await using container = await store.containers.open('work', { readOnly: true })
      return container.fs.lstatSync('/moved').mode & 0o7777
    }
    expect(await mode()).toBe(0o4755)
    const second = await extracted(store, 'work', target)
    fs.appendFileSync(join(target, 'moved'), 'more')
    await second.attached.unmount()
    expect(await mode()).toBe(0o755)
  })

  test('two that change places, and a directory that goes into one of its own', async () => {
    const { store, target } = await ground()
    await (await store.containers.create('work', 'image')).close()
    const { attached } = await extracted(store, 'work', target)
    const at = (path: string) => join(target, path)
    fs.renameSync(at('etc/passwd'), at('t'))
    fs.renameSync(at('etc/group'), at('etc/passwd'))
    fs.renameSync(at('t'), at('etc/group'))
    fs.renameSync(at('usr/lib/deep'), at('deep'))
    fs.renameSync(at('usr'), at('deep/usr'))
    await attached.unmount()
    await using container = await store.containers.open('work', { readOnly: true })
    expect(container.fs.readFileSync('/etc/passwd', 'utf8')).toBe('root:x:0')
    expect(container.fs.readFileSync('/etc/group', 'utf8')).toBe('root:x:0:0')
    expect(container.fs.readdirSync('/deep').toSorted()).toEqual(['file', 'usr'])
    expect(container.fs.readdirSync('/deep/usr/lib').toSorted()).toEqual(['a', 'b'])
    expect(container.fs.readdirSync('/').some((name) => name.startsWith('.ply'))).toBe(false)
  })

  test('whoever dies while changes are brought back loses nothing: done again, it goes on', async () => {
    const { store, target } = await ground()
    await using twin = await store.containers.create('twin', 'image')
    edit(inContainer(twin))
    await twin.close()
    const expected = await outcome(store, 'twin')
    for (const after of [1, 3, 6, 9, 12, 15, 18]) {
      const name = `work-${after}`
      await (await store.containers.create(name, 'image')).close()
      const { record } = await extracted(store, name, target)
      edit(onDisk(target))
      let steps = 0
      const onProgress = () => {
        if (++steps === after) throw new Error('the end')
      }
      await expect(unmountExtraction(store, record, { onProgress })).rejects.toThrow('the end')
      expect(fs.existsSync(target)).toBe(true)
      await unmountExtraction(store, record)
      expect(fs.readdirSync(target)).toEqual([])
      const found = await outcome(store, name)
      expect(found.entries, name).toEqual(expected.entries)
      expect(found.diffId, name).toBe(expected.diffId)
      // Nothing is left of it.
      await unmountExtraction(store, record)
    }
  })

  test('a directory that is in use stays, and says who is in it', async () => {
    const { store, target } = await ground()
    await (await store.containers.create('work', 'image')).close()
    const { attached } = await extracted(store, 'work', target)
    const { spawn } = await import('node:child_process')
    const inside = spawn('sleep', ['60'], { cwd: target })
    try {
      await expect(attached.unmount()).rejects.toThrow(expect.objectContaining({ code: 'PLY_MOUNT_BUSY' }))
      expect(fs.existsSync(join(target, 'etc/passwd'))).toBe(true)
    } finally {
      inside.kill()
    }
  })

  test('it is recorded: the container is busy until the directory is unmounted, by whomever', async () => {
    const { store, target } = await ground()
    await (await store.containers.create('work', 'image')).close()
    fs.mkdirSync(target)
    const mounted = await mount({ store, container: 'work' }, target, { via: 'extract' })
    expect(mounted.via).toBe('extract')
    fs.writeFileSync(join(target, 'mine'), 'x')
    await expect(store.containers.open('work')).rejects.toThrow(expect.objectContaining({ code: 'PLY_CONTAINER_BUSY' }))
    await using other = await openStore(store.root)
    expect(other.mounts.list().map(({ via }) => via)).toEqual(['extract'])
    await unmount(other, target)
    expect(other.mounts.list()).toEqual([])
    await using work = await store.containers.open('work')
    expect(work.fs.readFileSync('/mine', 'utf8')).toBe('x')
  })

  test('its record cannot be written: the directory is as it was, and the container is free', async () => {
    const { store, target } = await ground()
    await (await store.containers.create('work', 'image')).close()
    fs.mkdirSync(target)
    const { records } = store[mountGround]
    const failing = vi.spyOn(records, 'publish').mockImplementation(() => {
      throw new PlyError('ENOSPC', { syscall: 'write' })
    })
    await expect(mount({ store, container: 'work' }, target, { via: 'extract' })).rejects.toMatchObject({
      code: 'ENOSPC',
    })
    failing.mockRestore()
    expect(fs.readdirSync(target)).toEqual([])
    expect(
      fs.readdirSync(join(store.root, 'uppers'), { recursive: true }).filter((one) => /extracted/.test(`${one}`)),
    ).toEqual([])
    await (await store.containers.open('work')).close()
    await (await mount({ store, container: 'work' }, target, { via: 'extract' })).unmount()
  })

  testIf(root, 'only root mounts')(
    'what is mounted in the directory is never emptied with it, whatever is asked for',
    async () => {
      const { store, target, base } = await ground()
      await (await store.containers.create('work', 'image')).close()
      fs.mkdirSync(target)
      const precious = join(base, 'precious')
      fs.mkdirSync(precious)
      fs.writeFileSync(join(precious, 'file'), 'x')
      await mount({ store, container: 'work' }, target, { via: 'extract' })
      execFileSync('mount', ['--bind', precious, join(target, 'usr')])
      try {
        for (const how of [{}, { detach: true }, { force: true }])
          await expect(unmount(store, 'work', how)).rejects.toMatchObject({
            code: 'PLY_MOUNT_BUSY',
            message: `${target} is in use by what is mounted in it; unmount that first: umount ${join(target, 'usr')}`,
          })
        expect(fs.readdirSync(precious)).toEqual(['file'])
      } finally {
        execFileSync('umount', [join(target, 'usr')])
      }
      await unmount(store, 'work')
      expect(fs.readdirSync(target)).toEqual([])
    },
  )

  test('a directory in which something is stays as it is, and what to do is told', async () => {
    const { store, target } = await ground()
    await (await store.containers.create('work', 'image')).close()
    fs.mkdirSync(target)
    fs.writeFileSync(join(target, 'mine'), 'x')
    await expect(mount({ store, container: 'work' }, target, { via: 'extract' })).rejects.toMatchObject({
      code: 'PLY_EXISTS',
      message: expect.stringContaining('name another directory, or empty it first'),
    })
    expect(fs.readdirSync(target)).toEqual(['mine'])
    await (await store.containers.open('work')).close()
  })

  test('an image and a snapshot are only shown', async () => {
    const { store, target } = await ground()
    {
      await using work = await store.containers.create('work', 'image')
      work.fs.writeFileSync('/mine', 'x')
      await work.snapshot('before')
    }
    for (const wanted of [{ image: 'image' }, { container: 'work@before' }]) {
      using held = await store[mountGround].hold(wanted)
      const attached = await mountByExtraction(held.standing, encodeText(target))
      expect(fs.existsSync(join(target, 'mine'))).toBe('container' in wanted)
      fs.writeFileSync(join(target, 'lost'), '')
      await attached.unmount()
      expect(fs.readdirSync(target)).toEqual([])
    }
  })

  testIf(root, 'only root may give files away')(
    'O-01: with shifted owners the directory has those of the host, and the container and its layers those of the archive',
    async () => {
      const { store, target } = await ground()
      const mapping = IdMapping.parse('0:100000:1000')
      const owners = { uids: mapping, gids: mapping }
      await using twin = await store.containers.create('twin', 'image')
      const change = ({ fs, at }: Place, shift: number) => {
        fs.writeFileSync(at('mine'), 'x')
        fs.chmodSync(at('mine'), 0o600)
        fs.chownSync(at('mine'), shift + 7, shift + 8)
        fs.chownSync(at('etc/group'), shift + 9, shift)
        fs.utimesSync(at('mine'), 5, 5)
        fs.utimesSync(at(''), 5, 5)
      }
      change(inContainer(twin), 0)
      await twin.close()
      await (await store.containers.create('work', 'image')).close()
      const { attached, record } = await extracted(store, 'work', target, { owners })
      expect(fs.lstatSync(join(target, 'etc/passwd')).uid).toBe(100_000)
      change(onDisk(target), 100_000)
      fs.writeFileSync(join(target, 'stranger'), '')
      await expect(attached.unmount()).rejects.toThrow(/stranger.*O-02/s)
      fs.unlinkSync(join(target, 'stranger'))
      fs.utimesSync(target, 5, 5)
      await unmountExtraction(store, record)
      expect(await outcome(store, 'work')).toEqual(await outcome(store, 'twin'))
    },
  )

  testIf(root, 'it becomes an ordinary user')(
    'O-04, O-05: an ordinary user’s directory brings back what that user changed, and nothing else',
    async () => {
      const base = temporary()
      fs.chmodSync(base, 0o777)
      becomeNobody()
      try {
        const store = await openStore(join(base, 'store'))
        const device = { kind: 'character', major: 1, minor: 3, mode: 0o666 } as const
        await store.write(
          await imageOf({ ...files, 'dev/null': device, 'etc/shadow': { content: 's', mode: 0 } }),
          'image',
        )
        await (await store.containers.create('work', 'image')).close()
        const target = join(base, 'target')
        const { attached } = await extracted(store, 'work', target)
        fs.appendFileSync(join(target, 'etc/passwd'), '\nmore')
        fs.renameSync(join(target, 'dev'), join(target, 'devices'))
        await attached.unmount()
        expect(fs.readdirSync(target)).toEqual([])
        const { changes, entries } = await outcome(store, 'work')
        expect(changes).toEqual([
          'delete /dev',
          'add /devices',
          'add /devices/null',
          'modify /etc/passwd mtime content',
        ])
        expect(entries.find(({ path }) => path === 'devices/null')).toMatchObject({
          kind: 'character',
          uid: 0,
          mode: 0o666,
        })
        expect(entries.find(({ path }) => path === 'etc/shadow')).toMatchObject({ uid: 0, mode: 0 })
      } finally {
        becomeRoot()
      }
    },
  )

  testIf(root, 'it becomes an ordinary user')(
    'O-02, O-04: an ordinary user’s directory is that user’s, whoever else has no number in the mapping; what comes back is whose it was',
    async () => {
      const base = temporary()
      fs.chmodSync(base, 0o777)
      becomeNobody()
      try {
        const store = await openStore(join(base, 'store'))
        await store.write(await imageOf({ ...files, 'etc/other': { content: 'o', uid: 7, gid: 42 } }), 'image')
        await (await store.containers.create('work', 'image')).close()
        const target = join(base, 'target')
        const [uid, gid] = [process.geteuid!(), process.getegid!()]
        const owners = { uids: IdMapping.parse(`0:${uid}:1`), gids: IdMapping.parse(`0:${gid}:1`) }
        const { attached } = await extracted(store, 'work', target, { owners })
        expect(fs.lstatSync(join(target, 'etc/other'))).toMatchObject({ uid, gid })
        fs.appendFileSync(join(target, 'etc/other'), 'more')
        fs.writeFileSync(join(target, 'etc/new'), '')
        await attached.unmount()
        const { entries } = await outcome(store, 'work')
        const owner = (path: string) => entries.find((one) => one.path === path)
        expect(owner('etc/other')).toMatchObject({ uid: 7, gid: 42, size: 5 })
        expect(owner('etc/new')).toMatchObject({ uid: 0, gid: 0 })
      } finally {
        becomeRoot()
      }
    },
  )
})
