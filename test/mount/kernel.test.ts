import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { encodeText } from '../../src/model/bytes.ts'
import { IdMapping } from '../../src/model/id-mapping.ts'
import { abilities } from '../../src/mount/abilities.ts'
import { diagnose } from '../../src/mount/diagnosis.ts'
import { kernelMount } from '../../src/mount/kernel-mount.ts'
import { mount } from '../../src/mount/mount.ts'
import { planMount } from '../../src/mount/plan.ts'
import { unmount } from '../../src/mount/unmount.ts'
import type { Container } from '../../src/store/containers/containers.ts'
import { mountGround } from '../../src/store/mounts/ground.ts'
import { openStore } from '../../src/store/open-store.ts'
import type { Store } from '../../src/store/store.ts'
import { mountTable } from '../../src/sys/mount-table.ts'
import { snapshotOfDirectory, snapshotOfTree, withoutNewNumbers } from '../overlay/snapshots.ts'
import { becomeNobody, becomeRoot, root } from '../support/ability.ts'
import { valuesOf } from '../support/collect.ts'
import { temporary } from '../support/temporary.ts'
import { until } from '../support/until.ts'
import { imageOf, imageOfTar, plain, sparse, sparseContent, sparseTar, storeWithImage } from './stored.ts'

const can = abilities()
const reason = !can.mounting.able
  ? can.mounting.why
  : !can.erofs.able || !can.overlay.able || !can.files.able
    ? `Linux ${can.kernel} lacks EROFS over files, or overlayfs`
    : undefined
if (reason !== undefined) console.log(`mounts by the kernel: skipped, ${reason}`)
const kernelTest = test.skipIf(reason !== undefined)

const via = 'kernel' as const
/** The kernel numbers new inodes as its disk does. */
const oursOf = (shown: Readonly<Record<string, string>>) => withoutNewNumbers(shown, () => true)

async function treeOf(store: Store, name: string): Promise<Readonly<Record<string, string>>> {
  const tree = await store.tree(name)
  try {
    return snapshotOfTree(tree)
  } finally {
    tree.close()
  }
}

/** By a program of its own: what is open in this process would keep the mount busy. */
const run = (script: string, cwd: string) => execFileSync('sh', ['-euc', script], { cwd, encoding: 'utf8' })
const changesOf = async (container: Container) =>
  (await valuesOf(container.changes())).map(({ kind, path }) => `${kind} ${path}`)
const mountsIn = (folder: string) => mountTable().filter(({ target }) => target.startsWith(folder))

describe('a mount by the kernel', () => {
  kernelTest(
    'shows an image entry by entry as its tree, for reading only, and is gone when it is unmounted',
    async () => {
      const { store, target } = await storeWithImage()
      const mounted = await mount({ store, image: 'plain' }, target)
      expect(mounted).toMatchObject({ via: 'kernel', readOnly: true, target })
      expect(snapshotOfDirectory(target)).toEqual(await treeOf(store, 'plain'))
      expect(() => fs.writeFileSync(join(target, 'new'), '')).toThrow('EROFS')
      expect(store.mounts.list()).toMatchObject([{ id: mounted.id, via: 'kernel', state: 'live', target }])
      await expect(mount({ store, image: 'plain' }, target)).rejects.toMatchObject({ code: 'PLY_MOUNT_EXISTS' })
      await mounted.unmount()
      await mounted.unmount()
      await mounted.ended
      expect(mountsIn(target)).toEqual([])
      expect(store.mounts.list()).toEqual([])
      expect(fs.readdirSync(target)).toEqual([])
    },
  )

  kernelTest('shows sparse files of a layer at their full size', async () => {
    const { store, target } = await storeWithImage()
    await store.write(imageOfTar(sparseTar()), 'sparse')
    for (const backing of ['file', 'loop'] as const) {
      using held = await store[mountGround].hold({ image: 'sparse' })
      using made = await kernelMount(held.standing, { ...forTest(target), files: await held.devices(), backing })
      made.attach(encodeText(target))
      made[Symbol.dispose]()
      try {
        for (const spec of sparse)
          expect(fs.readFileSync(join(target, spec.name)).equals(sparseContent(spec))).toBe(true)
      } finally {
        execFileSync('umount', [target])
      }
    }
  })

  kernelTest('by loop devices shows the same, and takes them along when it goes', async () => {
    const { store, target } = await storeWithImage()
    using held = await store[mountGround].hold({ image: 'plain' })
    using made = await kernelMount(held.standing, { ...forTest(target), files: await held.devices(), backing: 'loop' })
    expect(made.backing).toBe('loop')
    made.attach(encodeText(target))
    made[Symbol.dispose]()
    const shown = snapshotOfDirectory(target)
    expect(loopsOver(held.standing.index!)).toBe(1)
    execFileSync('umount', [target])
    expect(shown).toEqual(await treeOf(store, 'plain'))
    // A program that looks at all loop devices meanwhile keeps one until it has.
    await until(() => loopsOver(held.standing.index!) === 0)
  })

  kernelTest('of 200 layers in a directory with a long name needs no string of options', async () => {
    const folder = join(temporary(), ...Array.from({ length: 4 }, () => 'long'.repeat(40)))
    fs.mkdirSync(folder, { recursive: true })
    const { store, target } = await storeWithImage({}, folder)
    let image = await imageOf(plain)
    for (let i = 0; i < 200; i++)
      image = imageOfTar(await tarOf({ [`layer/${i}`]: { content: `${i}`, mtime: 1n } }), image)
    await store.write(image, 'many')
    const mounted = await mount({ store, image: 'many' }, target)
    expect(snapshotOfDirectory(target)).toEqual(await treeOf(store, 'many'))
    await mounted.unmount()
  })

  kernelTest(
    'has what is written in it in the container, with the same changes and the same commit as without a mount',
    async () => {
      const { store, target } = await storeWithImage()
      const change =
        'printf more >> etc/passwd; mv usr moved; rm -r var; ln bin/tool new; mkdir made; printf x > made/file; chmod 0600 etc/group'
      const epoch = 1_700_000_000
      for (const name of ['work', 'other']) await (await store.containers.create(name, 'plain')).close()
      const mounted = await mount({ store, container: 'work' }, target)
      expect(mounted).toMatchObject({ via: 'kernel', readOnly: false })
      expect(snapshotOfDirectory(target)).toEqual(await treeOf(store, 'plain'))
      run(change, target)
      const shown = oursOf(snapshotOfDirectory(target))
      await mounted.unmount()
      await using work = await store.containers.open('work')
      expect(withoutLinksOfDirectories(oursOf(snapshotOfTree(work.tree)))).toEqual(withoutLinksOfDirectories(shown))
      await using other = await store.containers.open('other')
      const { fs: files } = other
      files.appendFileSync('/etc/passwd', 'more')
      files.renameSync('/usr', '/moved')
      files.rmSync('/var', { recursive: true })
      files.linkSync('/bin/tool', '/new')
      files.mkdirSync('/made')
      files.writeFileSync('/made/file', 'x')
      files.chmodSync('/etc/group', 0o600)
      expect(await changesOf(work)).toEqual(await changesOf(other))
      // But for the times, the same layer.
      for (const each of [work, other]) stamp(each)
      const committed = await Promise.all([work, other].map((each) => store.commit(each, undefined, { epoch })))
      expect(committed[0]!.layers.at(-1)!.diffId).toBe(committed[1]!.layers.at(-1)!.diffId)
    },
  )

  kernelTest('shows a chain of snapshots, and a snapshot for reading', async () => {
    const { store, target, root } = await storeWithImage()
    await using work = await store.containers.create('work', 'plain')
    work.fs.renameSync('/usr', '/etc/usr')
    work.fs.chmodSync('/var/log/messages', 0o600)
    await work.snapshot('one')
    work.fs.renameSync('/etc/usr/lib', '/lib')
    work.fs.unlinkSync('/etc/group')
    const two = snapshotOfTree(work.tree)
    await work.snapshot('two')
    work.fs.writeFileSync('/etc/group', 'again')
    const last = snapshotOfTree(work.tree)
    await work.close()
    const mounted = await mount({ store, container: 'work' }, target)
    expect(oursOf(snapshotOfDirectory(target))).toEqual(oursOf(last))
    run('printf more >> lib/one; mv etc conf', target)
    const after = oursOf(snapshotOfDirectory(target))
    const seen = join(root, '../seen')
    fs.mkdirSync(seen)
    const snapshot = await mount({ store, container: 'work@two' }, seen)
    expect(snapshot).toMatchObject({ via: 'kernel', readOnly: true })
    expect(oursOf(snapshotOfDirectory(seen))).toEqual(oursOf(two))
    expect(() => fs.writeFileSync(join(seen, 'new'), '')).toThrow('EROFS')
    await expect(store.containers.remove('work@two')).rejects.toMatchObject({ code: 'PLY_CONTAINER_BUSY' })
    await snapshot.unmount()
    await mounted.unmount()
    await using again = await store.containers.open('work', { readOnly: true })
    expect(withoutLinksOfDirectories(oursOf(snapshotOfTree(again.tree)))).toEqual(withoutLinksOfDirectories(after))
  })

  kernelTest('of a container for reading only shows what was written in it, links of lower groups too', async () => {
    const { store, target } = await storeWithImage()
    await using work = await store.containers.create('work', 'plain')
    work.fs.writeFileSync('/bin/alias', 'through one name')
    const shown = oursOf(snapshotOfTree(work.tree))
    await work.close()
    const mounted = await mount({ store, container: 'work' }, target, { readOnly: true })
    expect(oursOf(snapshotOfDirectory(target))).toEqual(shown)
    expect(() => fs.writeFileSync(join(target, 'new'), '')).toThrow('EROFS')
    await mounted.unmount()
  })

  kernelTest(
    'of an image without layers is an empty directory, and what is written there is in the container',
    async () => {
      const { store, target } = await storeWithImage()
      const { scratch } = await import('../../src/image/append.ts')
      await store.write(scratch, 'empty')
      const image = await mount({ store, image: 'empty' }, target)
      expect(fs.readdirSync(target)).toEqual([])
      await image.unmount()
      await (await store.containers.create('work', 'empty')).close()
      const mounted = await mount({ store, container: 'work' }, target)
      run('echo x > file', target)
      await mounted.unmount()
      await using work = await store.containers.open('work')
      expect(work.fs.readFileSync('/file', 'utf8')).toBe('x\n')
    },
  )

  kernelTest('is nosuid and nodev, unless it is asked for otherwise', async () => {
    const { store, target } = await storeWithImage()
    const optionsOf = () =>
      fs
        .readFileSync('/proc/self/mountinfo', 'utf8')
        .split('\n')
        .find((line) => line.includes(target))!
        .split(' ')[5]!
    for (const [options, expected] of [
      [{}, ['nosuid', 'nodev']],
      [{ suid: true }, ['nodev']],
      [{ suid: true, devices: true }, []],
    ] as const) {
      const mounted = await mount({ store, image: 'plain' }, target, options)
      expect(['nosuid', 'nodev'].filter((one) => optionsOf().includes(one))).toEqual(expected)
      await mounted.unmount()
    }
  })

  kernelTest('O-01: shows owners shifted, and what is written there has the owners of the archive', async () => {
    const { store, target } = await storeWithImage()
    const uids = new IdMapping([{ from: 0, to: 100_000, count: 65_536 }])
    const owners = { uids, gids: uids }
    const image = await mount({ store, image: 'plain' }, target, { owners, via })
    expect(fs.statSync(join(target, 'etc/passwd'))).toMatchObject({ uid: 101_000, gid: 100_100 })
    await image.unmount()
    await using work = await store.containers.create('work', 'plain')
    work.fs.writeFileSync('/etc/group', 'x')
    await work.snapshot('below')
    work.fs.chmodSync('/etc/passwd', 0o640)
    work.fs.chmodSync('/', 0o777)
    await work.close()
    const mounted = await mount({ store, container: 'work' }, target, { owners, via })
    for (const path of ['etc/passwd', 'etc/group', 'usr/share/doc'])
      expect(fs.statSync(join(target, path))).toMatchObject({ uid: 101_000, gid: 100_100 })
    run(
      'echo more >> etc/passwd; chown 100005:100006 etc/group; setpriv --reuid 100000 --regid 100007 --clear-groups sh -c "echo new > new"; ! echo x > x',
      target,
    )
    await mounted.unmount()
    await using again = await store.containers.open('work')
    const ownersOf = (path: string) => {
      const { uid, gid } = again.fs.statSync(path)
      return `${uid}:${gid}`
    }
    expect(['/etc/passwd', '/etc/group', '/new', '/usr/share/doc'].map(ownersOf)).toEqual([
      '1000:100',
      '5:6',
      '0:7',
      '1000:100',
    ])
  })

  for (const [which, owners] of [
    ['', undefined],
    [' with shifted owners', { uids: new IdMapping([{ from: 0, to: 100_000, count: 65_536 }]) }],
  ] as const)
    kernelTest(
      `on a kernel that takes no unseen mounts as layers (before Linux 6.15) is the same${which}`,
      async () => {
        const { store, target } = await storeWithImage()
        await using work = await store.containers.create('work', 'plain')
        work.fs.renameSync('/usr', '/moved')
        await work.snapshot('below')
        await work.close()
        const shown: Readonly<Record<string, string>>[] = []
        for (const staged of [false, true]) {
          using held = await store[mountGround].hold({ container: 'work' })
          await held.prepare()
          const request = { ...forTest(target), files: await held.devices(), staged, owners }
          using made = await kernelMount(held.standing, request)
          expect(mountsIn(target)).toEqual([])
          made.attach(encodeText(target))
          made[Symbol.dispose]()
          shown.push(oursOf(snapshotOfDirectory(target)))
          execFileSync('umount', [target])
          // And where it fails in the middle.
          const broken = { ...held.standing, upper: { ...held.standing.upper!, workDir: join(target, 'missing') } }
          await expect(kernelMount(broken, request)).rejects.toThrow()
          expect(mountsIn(target)).toEqual([])
          held.settle()
        }
        expect(shown[0]).toEqual(shown[1])
        expect(shown[0]?.['/moved/share/doc']).toContain(owners ? ' 101000:100 ' : ' 1000:100 ')
      },
    )

  kernelTest(
    'makes a container in the portable form overlayfs’s if nothing was written in it, and else says what to do',
    async () => {
      const { store, target } = await storeWithImage({ upperForm: 'portable' })
      await using work = await store.containers.create('work', 'plain')
      await work.close()
      const mounted = await mount({ store, container: 'work' }, target, { via })
      run('echo x > new', target)
      await mounted.unmount()
      await using other = await store.containers.create('other', 'plain')
      other.fs.writeFileSync('/new', 'x')
      await other.close()
      await expect(mount({ store, container: 'other' }, target, { via })).rejects.toMatchObject({
        code: 'PLY_UNSUPPORTED',
        message: expect.stringContaining('convert("other", \'overlay\')'),
      })
      await store.containers.convert('other', 'overlay')
      await (await mount({ store, container: 'other' }, target, { via })).unmount()
    },
  )
})

test.skipIf(!root)(
  'for an ordinary user is refused, and what to do is told; the best that works is planned',
  async () => {
    const { target, root: place } = await storeWithImage()
    execFileSync('chown', ['-R', '65534:65534', join(place, '..')])
    becomeNobody()
    try {
      await using store = await openStore(place)
      const refused = { code: 'PLY_UNSUPPORTED', message: expect.stringMatching(/only root may mount; run it as root/) }
      await expect(mount({ store, image: 'plain' }, target, { via })).rejects.toMatchObject(refused)
      const { ways } = await diagnose(store)
      expect(ways.image.kernel.able).toBe(false)
      const subject = { subject: { kind: 'image', name: 'plain' }, upper: undefined, frozen: [] } as const
      const plan = planMount(subject, {}, abilities({ store: place }))
      expect(plan.via).toBe(ways.image.fuse.able ? 'fuse' : 'extract')
      expect(plan.why[1]).toMatch(/^not by the kernel: only root may mount/)
    } finally {
      becomeRoot()
    }
  },
)

describe('a container that is open', () => {
  kernelTest('hands writing over to its mount, and goes on from there', async () => {
    const { store, target } = await storeWithImage()
    await using work = await store.containers.create('work', 'plain')
    work.fs.writeFileSync('/before', 'x')
    const { tree } = work
    const open = work.fs.openSync('/before', 'r')
    await expect(mount(work, target)).rejects.toMatchObject({ code: 'EBUSY' })
    work.fs.closeSync(open)
    const mounted = await mount(work, target)
    expect(fs.readFileSync(join(target, 'before'), 'utf8')).toBe('x')
    const cause = expect.objectContaining({ message: expect.stringContaining(`mounted at ${target}`) })
    const told = expect.objectContaining({ code: 'EBUSY', cause })
    expect(() => [...tree.list(tree.root)]).toThrow(told)
    expect(() => work.fs.readFileSync('/before')).toThrow(told)
    expect(() => work.fs.writeFileSync('/new', '')).toThrow(told)
    expect(() => work.fs.readdirSync('/')).toThrow(told)
    expect(() => work.fs.statSync('/')).toThrow(told)
    run('echo y > new; rm before; mv usr moved', target)
    expect(await changesOf(work)).toEqual(expect.arrayContaining(['add /new', 'delete /usr', 'add /moved/lib/one']))
    const image = await store.commit(work, 'committed')
    const committed = await store.tree(image)
    expect(committed.lookup(committed.root, 'moved')).toBeDefined()
    committed.close()
    await expect(work.snapshot('x')).rejects.toMatchObject({ code: 'PLY_CONTAINER_BUSY' })
    await expect(work.rollback('x')).rejects.toMatchObject({ code: 'PLY_CONTAINER_BUSY' })
    await mounted.unmount()
    expect(work.tree).toBe(tree)
    expect(work.fs.readFileSync('/new', 'utf8')).toBe('y\n')
    work.fs.writeFileSync('/after', 'z')
    expect(await changesOf(work)).toEqual(expect.arrayContaining(['add /after', 'add /new', 'delete /usr']))
    await work.snapshot('kept')
    await (await mount(work, target)).unmount()
    expect(work.fs.existsSync('/after')).toBe(true)
  })

  kernelTest('keeps writing if it cannot be mounted', async () => {
    const { store, target } = await storeWithImage()
    await using work = await store.containers.create('work', 'plain')
    await expect(mount(work, join(target, 'missing'))).rejects.toMatchObject({ code: 'PLY_MOUNT_TARGET' })
    work.fs.writeFileSync('/new', 'x')
    await expect(store.containers.open('work')).rejects.toMatchObject({ code: 'PLY_CONTAINER_BUSY' })
  })

  kernelTest('may be closed while it is mounted', async () => {
    const { store, target } = await storeWithImage()
    const work = await store.containers.create('work', 'plain')
    const mounted = await mount(work, target)
    await work.close()
    run('echo y > new', target)
    await mounted.unmount()
    await using again = await store.containers.open('work')
    expect(again.fs.readFileSync('/new', 'utf8')).toBe('y\n')
  })
})

describe('what goes wrong with a mount', () => {
  kernelTest('somebody is in it: who that is, is told, and it stays', async () => {
    const { store, target } = await storeWithImage()
    const mounted = await mount({ store, image: 'plain' }, target)
    const inside = spawn('sleep', ['60'], { cwd: join(target, 'etc'), stdio: 'ignore' })
    await expect(mounted.unmount()).rejects.toMatchObject({
      code: 'PLY_MOUNT_BUSY',
      message: expect.stringContaining(`sleep (${inside.pid})`),
    })
    expect(store.mounts.list()).toHaveLength(1)
    inside.kill()
    await once(inside, 'exit')
    await mounted.unmount()
  })

  kernelTest('a container whose mount is detached is free when the last one has left it', async () => {
    const { store, target } = await storeWithImage()
    await (await store.containers.create('work', 'plain')).close()
    const mounted = await mount({ store, container: 'work' }, target)
    const inside = spawn('sh', ['-c', 'exec 3> late; read -r _; echo late >&3'], { cwd: target })
    while (!fs.existsSync(join(target, 'late'))) await new Promise((resolve) => setTimeout(resolve, 5))
    await mounted.unmount({ detach: true })
    expect(mountsIn(target)).toEqual([])
    await expect(store.containers.open('work')).rejects.toMatchObject({
      code: 'PLY_CONTAINER_BUSY',
      message: expect.stringContaining(`sh (${inside.pid})`),
    })
    inside.stdin.end('\n')
    await once(inside, 'exit')
    await using work = await store.containers.open('work')
    expect(work.fs.readFileSync('/late', 'utf8')).toBe('late\n')
  })

  kernelTest('somebody else has taken its name away: the container is free when the last one has left', async () => {
    const { store, target } = await storeWithImage()
    await (await store.containers.create('work', 'plain')).close()
    await mount({ store, container: 'work' }, target)
    const inside = spawn('sh', ['-c', 'exec 3> late; read -r _; echo late >&3'], { cwd: target })
    while (!fs.existsSync(join(target, 'late'))) await new Promise((resolve) => setTimeout(resolve, 5))
    execFileSync('umount', ['--lazy', target])
    expect(store.mounts.list()).toMatchObject([{ state: 'live', detached: true }])
    for (const busy of [store.containers.open('work'), mount({ store, container: 'work' }, target)])
      await expect(busy).rejects.toMatchObject({
        code: 'PLY_CONTAINER_BUSY',
        message: expect.stringContaining(`sh (${inside.pid})`),
      })
    inside.stdin.end('\n')
    await once(inside, 'exit')
    await using work = await store.containers.open('work')
    expect(work.fs.readFileSync('/late', 'utf8')).toBe('late\n')
  })

  kernelTest(
    'a mount that nobody recorded has the upper: where it is, is told, and no other way is tried',
    async () => {
      const { store, target, root } = await storeWithImage()
      await (await store.containers.create('work', 'plain')).close()
      const mounted = await mount({ store, container: 'work' }, target)
      fs.rmSync(join(root, 'mounts', `${mounted.id}.json`))
      const other = join(target, '../other')
      fs.mkdirSync(other)
      await expect(mount({ store, container: 'work' }, other)).rejects.toMatchObject({
        code: 'PLY_CONTAINER_BUSY',
        message: expect.stringContaining(`unmount that: umount ${target}`),
      })
      const inside = spawn('sh', ['-c', 'echo there; read -r _'], { cwd: target })
      await once(inside.stdout, 'data')
      execFileSync('umount', ['--lazy', target])
      await expect(mount({ store, container: 'work' }, other)).rejects.toMatchObject({
        code: 'PLY_CONTAINER_BUSY',
        message: expect.stringContaining('end whoever has files of it open'),
      })
      inside.stdin.end('\n')
      await once(inside, 'exit')
      await (await mount({ store, container: 'work' }, other)).unmount()
    },
  )

  for (const each of ['kernel', 'extract'] as const)
    kernelTest(`of two that come to one directory at the same moment one is told of the other (${each})`, async () => {
      const { store, target } = await storeWithImage()
      const both = await Promise.allSettled([1, 2].map(() => mount({ store, image: 'plain' }, target, { via: each })))
      expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
      const [failed] = both.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []))
      expect(failed).toMatchObject({
        code: 'PLY_MOUNT_TARGET',
        message: expect.stringContaining('somebody else is mounting there just now'),
      })
      expect(store.mounts.list()).toHaveLength(1)
      expect(await unmount(store, target)).toEqual([target])
      expect([mountsIn(target), fs.readdirSync(target)]).toEqual([[], []])
    })

  kernelTest('is found and unmounted where a directory above it was renamed', async () => {
    const { store, target } = await storeWithImage()
    await (await store.containers.create('work', 'plain')).close()
    const [before, after] = [join(target, 'before'), join(target, 'after')]
    fs.mkdirSync(join(before, 'mnt'), { recursive: true })
    const mounted = await mount({ store, container: 'work' }, join(before, 'mnt'))
    fs.renameSync(before, after)
    expect(store.mounts.list()).toMatchObject([{ id: mounted.id, target: join(after, 'mnt') }])
    await mounted.unmount()
    expect(mountsIn(target)).toEqual([])
    await mount({ store, container: 'work' }, join(after, 'mnt'))
    fs.renameSync(after, before)
    expect(await unmount(store, join(before, 'mnt'))).toEqual([join(before, 'mnt')])
    expect(mountsIn(target)).toEqual([])
  })

  kernelTest('a container that another mount namespace has taken along is free when that one has ended', async () => {
    const { store, target } = await storeWithImage()
    await (await store.containers.create('work', 'plain')).close()
    const mounted = await mount({ store, container: 'work' }, target)
    const inside = spawn('unshare', ['-m', 'sh', '-c', 'echo there; read -r _'], { cwd: '/' })
    await once(inside.stdout, 'data')
    await mounted.unmount()
    expect(mountsIn(target)).toEqual([])
    await expect(store.containers.open('work')).rejects.toMatchObject({
      code: 'PLY_CONTAINER_BUSY',
      message: expect.stringContaining(`sh (${inside.pid})`),
    })
    inside.stdin.end('\n')
    await once(inside, 'exit')
    await (await store.containers.open('work')).close()
  })

  kernelTest('a container is mounted once, and then written nowhere else: what to do is told', async () => {
    const { store, target, root } = await storeWithImage()
    await (await store.containers.create('work', 'plain')).close()
    const mounted = await mount({ store, container: 'work' }, target)
    const other = join(root, '../other')
    fs.mkdirSync(other)
    const busy = { code: 'PLY_CONTAINER_BUSY', message: expect.stringContaining(`ply umount ${target}`) }
    await using beside = await openStore(root)
    for (const attempt of [
      () => mount({ store: beside, container: 'work' }, other),
      () => beside.containers.open('work'),
      () => beside.containers.snapshot('work'),
      () => beside.containers.rollback('work', 'x'),
      () => beside.containers.clone('work', 'twin'),
      () => beside.containers.convert('work', 'portable'),
      () => beside.containers.remove('work'),
    ])
      await expect(attempt()).rejects.toMatchObject(busy)
    await using reading = await beside.containers.open('work', { readOnly: true })
    run('echo y > new', target)
    await reading.close()
    await using seen = await beside.containers.open('work', { readOnly: true })
    expect(seen.fs.existsSync('/new')).toBe(true)
    await mounted.unmount()
    await beside.containers.remove('work')
  })

  kernelTest('a collection leaves what is mounted alone', async () => {
    const { store, target } = await storeWithImage()
    const mounted = await mount({ store, image: 'plain' }, target)
    const { digest } = await store.image('plain')
    await store.untag('plain')
    await store.collect()
    expect(await store.explain(digest)).toMatchObject([{ chains: [[{ holder: expect.stringContaining('mount of') }]] }])
    await expect(store.fsck()).resolves.toMatchObject({ findings: [] })
    await mounted.unmount()
    expect((await store.collect()).blobs).toContain(digest)
  })

  kernelTest('a layer’s tar that is deleted underneath stays as long as it is mounted', async () => {
    const { store, target, root } = await storeWithImage()
    const expected = await treeOf(store, 'plain')
    const mounted = await mount({ store, image: 'plain' }, target)
    for (const name of fs.readdirSync(join(root, 'blobs/sha256'))) fs.rmSync(join(root, 'blobs/sha256', name))
    for (const name of fs.readdirSync(join(root, 'cache/trees'))) fs.rmSync(join(root, 'cache/trees', name))
    expect(snapshotOfDirectory(target)).toEqual(expected)
    await mounted.unmount()
  })

  kernelTest('after a reboot, and after a foreign umount, nothing is mounted, and the container is free', async () => {
    const { store, target, root } = await storeWithImage()
    await (await store.containers.create('work', 'plain')).close()
    const mounted = await mount({ store, container: 'work' }, target)
    run('echo y > new', target)
    execFileSync('umount', [target])
    expect(store.mounts.list()).toEqual([])
    {
      await using work = await store.containers.open('work')
      expect(work.fs.readFileSync('/new', 'utf8')).toBe('y\n')
    }
    await mounted.unmount()
    // As if the machine had been started again.
    const last = await mount({ store, container: 'work' }, target)
    const file = join(root, 'mounts', `${last.id}.json`)
    const { crc32: _, ...record } = JSON.parse(fs.readFileSync(file, 'utf8'))
    fs.writeFileSync(file, JSON.stringify({ ...record, bootId: 'another' }))
    expect(store.mounts.list()).toEqual([])
    await (await store.containers.open('work')).close()
    execFileSync('umount', [target])
    await (await mount({ store, container: 'work' }, target)).unmount()
    expect(fs.readdirSync(join(root, 'mounts'))).toEqual([])
  })

  kernelTest('a record that is damaged keeps its image, and hides no other', async () => {
    const { store, target, root } = await storeWithImage()
    const mounted = await mount({ store, image: 'plain' }, target)
    const file = join(root, 'mounts', `${mounted.id}.json`)
    fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace('"readOnly":true', '"readOnly":trie'))
    expect(store.mounts.list()).toEqual([])
    const { digest } = await store.image('plain')
    await store.untag('plain')
    expect(await store.collect()).toMatchObject({ blobs: [], records: [`mounts/${mounted.id}.json`] })
    expect((await store.fsck()).findings).toMatchObject([{ code: 'bad-record', file: `mounts/${mounted.id}.json` }])
    execFileSync('umount', [target])
    expect(digest).toBeDefined()
  })

  kernelTest('a step that fails leaves nothing mounted, no record, no loop device and the container free', async () => {
    const { store, target, root } = await storeWithImage()
    await (await store.containers.create('work', 'plain')).close()
    const ground = store[mountGround]
    // The last step: the directory has gone by then.
    using held = await ground.hold({ container: 'work' })
    const { mountByKernel } = await import('../../src/mount/by-kernel.ts')
    const { attach } = await import('../../src/mount/attach.ts')
    const before = fs.readdirSync('/proc/self/fd').length
    const plan = { via, readOnly: false, convert: false, why: [] }
    await expect(attach(ground, held, plan, encodeText(join(target, 'gone')), {})).rejects.toMatchObject({
      code: 'ENOENT',
    })
    expect(mountByKernel).toBeDefined()
    // A step in the middle: the kernel finds no work directory.
    const { upperDir, workDir } = held.standing.upper!
    await held.prepare()
    fs.renameSync(workDir, `${workDir}.away`)
    await expect(kernelMount(held.standing, { ...forTest(target), files: await held.devices() })).rejects.toMatchObject(
      {
        code: 'ENOENT',
      },
    )
    fs.renameSync(`${workDir}.away`, workDir)
    held.settle()
    await expect(
      kernelMount({ ...held.standing, index: '/dev/null' }, { ...forTest(target), files: [], backing: 'loop' }),
    ).rejects.toThrow()
    expect(fs.existsSync(join(upperDir, '../writing'))).toBe(false)
    expect(fs.readdirSync('/proc/self/fd').length).toBe(before)
    expect(mountsIn(join(root, '..'))).toEqual([])
    expect(fs.readdirSync(join(root, 'mounts'))).toEqual([])
    held[Symbol.dispose]()
    await (await store.containers.open('work')).close()
  })

  kernelTest(
    'a store on an overlay mount: an image by loop devices, a container by another way, and why is said',
    async () => {
      const folder = temporary()
      for (const name of ['lower', 'upper', 'work', 'over']) fs.mkdirSync(join(folder, name))
      {
        await using store = await openStore(join(folder, 'lower/store'))
        await store.write(await imageOf(plain), 'plain')
        await using moved = await store.containers.create('moved', 'plain')
        moved.fs.writeFileSync('/new', 'x')
      }
      const layers = ['lower', 'upper', 'work'].map((name) => `${name}dir=${join(folder, name)}`).join(',')
      execFileSync('mount', ['-t', 'overlay', '-o', layers, 'x', join(folder, 'over')])
      try {
        const root = join(folder, 'over/store')
        const target = join(folder, 'target')
        fs.mkdirSync(target)
        await using store = await openStore(root)
        await store.write(await imageOf(plain), 'plain')
        const able = abilities({ store: root })
        expect(able.uppers).toMatchObject({ able: false })
        const mounted = await mount({ store, image: 'plain' }, target)
        expect(mounted.via).toBe('kernel')
        expect(snapshotOfDirectory(target)).toEqual(await treeOf(store, 'plain'))
        await mounted.unmount()
        await (await store.containers.create('work', 'plain')).close()
        await expect(mount({ store, container: 'work' }, target, { via })).rejects.toMatchObject({
          code: 'PLY_UNSUPPORTED',
          message: expect.stringContaining('overlayfs'),
        })
      } finally {
        execFileSync('umount', ['--lazy', join(folder, 'over')])
      }
    },
  )
})

async function tarOf(spec: Parameters<typeof imageOf>[0]): Promise<Uint8Array> {
  const { packTree } = await import('../../src/diff/index.ts')
  const { packLayer } = await import('../../src/layer/index.ts')
  const { bytesIn } = await import('../support/collect.ts')
  const { plainTree } = await import('../support/plain-tree.ts')
  return bytesIn(packLayer(packTree(plainTree(spec))))
}

const forTest = (target: string) => ({ id: 'x', target: encodeText(target) })

/** Loop devices over a file. */
function loopsOver(path: string): number {
  const found = execFileSync('losetup', ['--associated', path], { encoding: 'utf8' })
  return found.split('\n').filter((line) => line !== '').length
}

/** The kernel merges directories as it likes. */
function withoutLinksOfDirectories(shown: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(shown).map(([path, text]) => [path, text.replace(/^(directory .*) \S+ links.*$/, '$1')]),
  )
}

/** Gives everything in a container one time. */
function stamp({ fs: files }: Container): void {
  const visit = (path: string) => {
    for (const name of files.readdirSync(path, { encoding: 'buffer' })) {
      const at = Buffer.concat([Buffer.from(path === '/' ? '/' : `${path}/`), name])
      if (files.lstatSync(at).isDirectory()) visit(at.toString())
      files.lutimesSync(at, 1000, 1000)
    }
  }
  visit('/')
  files.utimesSync('/', 1000, 1000)
}
