import * as fs from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { append, scratch } from '../../src/image/append.ts'
import { layerFrom } from '../../src/image/layer-from.ts'
import { abilities } from '../../src/mount/abilities.ts'
import { mount } from '../../src/mount/mount.ts'
import { openStore } from '../../src/store/open-store.ts'
import { temporary } from '../support/temporary.ts'

const can = abilities()
const noKernel = !can.mounting.able
  ? can.mounting.why
  : !can.erofs.able || !can.overlay.able || !can.files.able
    ? `Linux ${can.kernel} lacks EROFS over files, or overlayfs`
    : undefined
const noFuse = can.fuseDevice.able ? undefined : can.fuseDevice.why
if (noKernel) console.log(`large files in mounts by the kernel: skipped, ${noKernel}`)
if (noFuse) console.log(`large files in mounts by FUSE: skipped, ${noFuse}`)

const size = 300_000

async function started(upperForm: 'overlay' | 'portable') {
  const folder = temporary()
  const target = join(folder, 'target')
  fs.mkdirSync(target)
  const store = await openStore(join(folder, 'store'), { upperForm, blockCopyUp: 100_000 })
  const content = Buffer.from(Array.from({ length: size }, (_, at) => (at * 31) % 251))
  await store.write(append(scratch, layerFrom({ '/disk': content, '/other': content }), {}), 'a')
  const work = await store.containers.create('work', 'a')
  const fd = work.fs.openSync('/disk', 'r+')
  work.fs.writeSync(fd, Buffer.alloc(5000, 'x'), 0, 5000, 150_000)
  work.fs.closeSync(fd)
  const extents = () =>
    fs
      .readdirSync(join(folder, 'store/uppers'), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.data'))
  return { store, work, target, extents, expected: Buffer.from(content).fill('x', 150_000, 155_000), content }
}

test.skipIf(noKernel)(
  'a mount by the kernel shows whole files of what was written in blocks, also in a snapshot',
  async () => {
    const { store, work, target, expected, extents } = await started('overlay')
    await work.snapshot('before')
    await work.close()
    expect(extents()).toHaveLength(1)
    await expect(mount({ store, container: 'work@before' }, target, { via: 'kernel' })).rejects.toMatchObject({
      code: 'PLY_UNSUPPORTED',
    })
    const mounted = await mount({ store, container: 'work' }, target, { via: 'kernel' })
    expect(fs.readFileSync(join(target, 'disk')).equals(expected)).toBe(true)
    const fd = fs.openSync(join(target, 'disk'), 'r+')
    fs.writeSync(fd, Buffer.from('kernel'), 0, 6, 7)
    fs.closeSync(fd)
    await mounted.unmount()
    await using again = await store.containers.open('work')
    expect((again.fs.readFileSync('/disk') as Buffer).equals(Buffer.from(expected).fill('kernel', 7, 13))).toBe(true)
    await using kept = await store.containers.open('work@before', { readOnly: true })
    expect((kept.fs.readFileSync('/disk') as Buffer).equals(expected)).toBe(true)
  },
)

for (const upperForm of ['overlay', 'portable'] as const)
  test.skipIf(noFuse || (upperForm === 'overlay' && noKernel))(
    `a mount by FUSE shows, and writes, files in blocks (${upperForm})`,
    async () => {
      const { store, work, target, expected, content, extents } = await started(upperForm)
      await work.close()
      const mounted = await mount({ store, container: 'work' }, target, { via: 'fuse' })
      expect(fs.readFileSync(join(target, 'disk')).equals(expected)).toBe(true)
      const before = fs.statSync(join(target, 'other')).mtimeMs
      const fd = fs.openSync(join(target, 'other'), 'r+')
      fs.writeSync(fd, Buffer.from('fuse'), 0, 4, 200_001)
      fs.fsyncSync(fd)
      fs.closeSync(fd)
      const other = Buffer.from(content).fill('fuse', 200_001, 200_005)
      expect(fs.readFileSync(join(target, 'other')).equals(other)).toBe(true)
      expect(fs.statSync(join(target, 'other')).mtimeMs).toBeGreaterThan(before)
      await mounted.unmount()
      expect(extents()).toHaveLength(2)
      await using again = await store.containers.open('work', { readOnly: true })
      expect((again.fs.readFileSync('/other') as Buffer).equals(other)).toBe(true)
    },
  )
