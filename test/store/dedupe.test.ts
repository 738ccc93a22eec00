import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readFileSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { append, scratch } from '../../src/image/append.ts'
import { layerFrom } from '../../src/image/layer-from.ts'
import { nodeDisk } from '../../src/sys/node-disk.ts'
import { liesTogether, shareBlocks } from '../../src/sys/share-blocks.ts'
import { openSource } from '../../src/transport/index.ts'
import { testIf } from '../support/ability.ts'
import { gzipLayer } from '../support/images.ts'
import { type LoopDiskName, loopDisk, whyNoLoopDisk } from '../support/loop-disk.ts'
import { temporary } from '../support/temporary.ts'
import { everywhere, noise, placeAt, type StorePlace } from './places.ts'

const mebibyte = 1 << 20

/** What a disk has left, when all is written. */
function free(path: string): number {
  execFileSync('sync', ['-f', path])
  const { bavail, bsize } = statfsSync(path)
  return bavail * bsize
}

/** Where contents begin in tars, and so in blocks, depends on what comes before them. */
async function fill(place: StorePlace) {
  const store = await place.open()
  const same = noise(2 * mebibyte)
  const small = noise(3000)
  // The content of the second entry begins 512 bytes later for each 512 bytes of the first.
  const at = (padding: number, extra: string) =>
    layerFrom({ '/a': Buffer.alloc(padding, 'p'), '/same': same, '/small': small, [`/z-${extra}`]: noise(50_000) })
  await store.write(append(scratch, at(512, 'one')), 'one')
  await store.write(append(scratch, at(512, 'two')), 'two')
  await store.write(append(scratch, at(1024, 'three')), 'three')
  await store.write(append(scratch, await gzipLayer({ '/a': Buffer.alloc(512, 'p'), '/same': same })), 'four')
  return store
}

const contents = async (store: Awaited<ReturnType<typeof fill>>) => {
  const hash = createHash('sha256')
  for (const name of ['one', 'two', 'three', 'four'])
    for (const layer of (await store.image(name)).layers)
      for await (const chunk of layer.uncompressed()) hash.update(chunk)
  return hash.digest('hex')
}

everywhere('a deduplication', (make) => {
  test('says how much is equal, and how much of it lies so that blocks can be shared', async () => {
    const place = await make()
    await using store = await fill(place)
    const before = await contents(store)
    const dry = await store.dedupe({ dryRun: true })
    // `same` four times, `small` three times, the padding of one length three times.
    expect(dry).toMatchObject({ files: 3 + 2 + 2, equal: 6 * mebibyte + 6000 + 1024, already: 0 })
    // Three of the four lie alike: two pairs, less than two blocks each that are not whole.
    expect(dry.alike).toBeGreaterThan(4 * mebibyte - 4 * 4096)
    expect(dry.alike).toBeLessThanOrEqual(4 * mebibyte)
    const real = await store.dedupe()
    expect(real).toEqual(dry)
    if (!real.able) expect(real.shared).toBe(0)
    expect(await contents(store)).toBe(before)
  })

  test('an empty store has nothing to share, and one that is read only says what it would', async () => {
    const place = await make()
    {
      await using store = await place.open()
      expect(await store.dedupe()).toMatchObject({ files: 0, equal: 0, alike: 0, shared: 0 })
    }
    await fill(place)
    await using reader = await place.open({ readOnly: true })
    expect(await reader.dedupe({ dryRun: true })).toMatchObject({ files: 7, equal: 6 * mebibyte + 7024 })
    await expect(reader.dedupe()).rejects.toMatchObject({ code: 'PLY_STORE_READ_ONLY' })
  })
})

for (const name of ['btrfs', 'xfs'] as const satisfies readonly LoopDiskName[]) {
  const why = whyNoLoopDisk(name)
  const onDisk = testIf(why === undefined, why ?? '')
  describe(`a deduplication on ${name}`, () => {
    onDisk('shares the blocks of equal files, so that the disk has more room, and once', async () => {
      const disk = loopDisk(name)
      const place = placeAt(nodeDisk(), join(disk, 'store'))
      await using store = await fill(place)
      const before = await contents(store)
      const room = free(disk)
      const dry = await store.dedupe({ dryRun: true })
      expect(dry.able).toBe(true)
      expect(dry.shared).toBe(dry.alike)
      expect(Math.abs(free(disk) - room)).toBeLessThan(mebibyte / 2)
      const real = await store.dedupe()
      expect(real).toEqual(dry)
      expect(free(disk) - room).toBeGreaterThan(real.shared * 0.9)
      expect(await contents(store)).toBe(before)
      const again = await store.dedupe()
      expect(again).toMatchObject({ alike: real.alike, already: real.alike, shared: 0 })
    })

    onDisk('refuses to share what differs: the kernel compares', async () => {
      const disk = loopDisk(name)
      const { fs } = nodeDisk()
      const content = randomBytes(mebibyte)
      const other = Buffer.from(content)
      other[mebibyte - 1]! ^= 1
      const fds = [content, content, other].map((bytes, at) => {
        const path = join(disk, `f${at}`)
        fs.writeFileSync(path, bytes)
        const fd = fs.openSync(path, 'r')
        fs.fsyncSync(fd)
        return fd
      })
      const [one, two, three] = fds.map((fd) => ({ fd, offset: 0 }))
      expect(liesTogether(one!, two!, mebibyte)).toBe(false)
      expect(shareBlocks(one!, two!, mebibyte)).toBe(mebibyte)
      expect(liesTogether(one!, two!, mebibyte)).toBe(true)
      expect(shareBlocks(one!, three!, mebibyte)).toBeLessThan(mebibyte)
      expect(liesTogether(one!, three!, mebibyte)).toBe(false)
      expect(readFileSync(join(disk, 'f2')).equals(other)).toBe(true)
      for (const fd of fds) fs.closeSync(fd)
    })
  })
}

const distribution = ['/usr/lib/python3', '/usr/share/perl', '/usr/lib/git-core', '/usr/bin'].filter((path) =>
  existsSync(path),
)
const whyNoDistribution =
  whyNoLoopDisk('btrfs') ?? (distribution.length < 2 ? 'too few of the usual directories are here' : undefined)

describe('two images of a distribution on btrfs', () => {
  testIf(whyNoDistribution === undefined, whyNoDistribution ?? '')(
    'share what is the same in both, as far as it lies alike',
    async () => {
      const disk = loopDisk('btrfs', 2 ** 31)
      const place = placeAt(nodeDisk(), join(disk, 'store'))
      await using store = await place.open()
      // The same files as two builds of one base make them: one has a package more and another configuration.
      for (const [version, parts] of [
        ['12.1', distribution],
        ['12.2', distribution.slice(1)],
      ] as const) {
        const tree = temporary()
        mkdirSync(join(tree, 'etc'))
        writeFileSync(join(tree, 'etc', 'os-release'), `VERSION=${version}\n`)
        for (const part of parts) {
          const target = join(tree, part)
          mkdirSync(join(target, '..'), { recursive: true })
          cpSync(part, target, { recursive: true, verbatimSymlinks: true, filter: few() })
        }
        await using source = await openSource(`rootfs:${tree}`)
        await store.write(await source.image(), `distribution:${version}`)
      }
      const room = free(disk)
      const found = await store.dedupe()
      const gained = free(disk) - room
      console.log(
        `of ${found.files} files with ${found.equal} bytes that are equal, ${found.alike} bytes lie alike; ${found.shared} bytes were shared, and the disk has ${gained} more`,
      )
      expect(found.able).toBe(true)
      expect(found.equal).toBeGreaterThan(mebibyte)
      expect(found.shared).toBeGreaterThan(found.equal / 50)
      expect(gained).toBeGreaterThan(found.shared * 0.8)
    },
    300_000,
  )
})

/** The first files of a directory, so that the test stays quick: 8 MiB of each. */
function few(): (path: string) => boolean {
  let left = 8 * mebibyte
  return (path) => {
    const stat = nodeDisk().fs.lstatSync(path)
    if (!stat.isFile() && !stat.isDirectory() && !stat.isSymbolicLink()) return false
    if (stat.isFile()) left -= stat.size
    return left > 0
  }
}
