import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { diskBlobStore } from '../../src/blob/disk-blob-store.ts'
import { digestOf, hexOf } from '../../src/model/digest.ts'
import type { ByteStream } from '../../src/stream/bytes.ts'
import type { Disk } from '../../src/sys/disk.ts'
import { memoryDisk } from '../../src/sys/memory-disk.ts'
import { mount, umount } from '../../src/sys/mount.ts'
import { nodeDisk } from '../../src/sys/node-disk.ts'
import { root, testIf } from '../support/ability.ts'
import { bytesIn, inChunks, valuesOf } from '../support/collect.ts'
import { prompt } from '../support/prompt.ts'
import { temporary } from '../support/temporary.ts'
import { blobStoreContract } from './blob-store-contract.ts'

blobStoreContract('disk', async () => {
  const at = temporary()
  const disk = nodeDisk()
  return {
    store: diskBlobStore({ disk, root: join(at, 'store'), tmp: join(at, 'tmp') }),
    leftovers: () => readdirSync(join(at, 'tmp')),
    damage(digest, content) {
      const path = join(at, 'store', 'blobs', 'sha256', digest.slice(7))
      chmodSync(path, 0o644)
      writeFileSync(path, content)
    },
  }
})

blobStoreContract('memory', async () => {
  const disk = await memoryDisk()
  return {
    store: diskBlobStore({ disk, root: '/store', tmp: '/tmp' }),
    leftovers: () => disk.fs.readdirSync('/tmp') as string[],
    damage(digest, content) {
      const path = join('/store', 'blobs', 'sha256', digest.slice(7))
      disk.fs.rmSync(path)
      disk.fs.writeFileSync(path, content)
    },
  }
})

const content = Buffer.from('a blob on a disk')
const digest = digestOf(content)

test('a blob is a read-only file where an OCI image layout has it', async () => {
  const at = temporary()
  await diskBlobStore({ disk: nodeDisk(), root: at, tmp: join(at, 'tmp') }).write(inChunks(content))
  const path = join(at, 'blobs', 'sha256', hexOf(digest))
  expect(readFileSync(path).equals(content)).toBe(true)
  expect(statSync(path).mode & 0o777).toBe(0o444)
})

test('other files among the blobs are not taken for blobs', async () => {
  const at = temporary()
  const store = diskBlobStore({ disk: nodeDisk(), root: at, tmp: join(at, 'tmp') })
  await store.write(inChunks(content))
  const directory = join(at, 'blobs', 'sha256')
  writeFileSync(join(directory, 'README'), '')
  writeFileSync(join(directory, hexOf(digest).toUpperCase()), '')
  const other = digestOf(Buffer.from('directory'))
  mkdirSync(join(directory, hexOf(other)))
  expect(await valuesOf(store.list())).toEqual(expect.arrayContaining([digest]))
  expect(await store.stat(other)).toBeUndefined()
  await expect(store.open(other)).rejects.toMatchObject({ code: 'PLY_BLOB_NOT_FOUND' })
})

test('a blob of 300 MB takes little memory on its way in and out', async () => {
  const at = temporary()
  const store = diskBlobStore({ disk: nodeDisk(), root: at, tmp: join(at, 'tmp'), durable: false })
  const piece = Buffer.alloc(1 << 20, 7)
  async function* large(): ByteStream {
    for (let i = 0; i < 300; i++) yield piece
  }
  globalThis.gc?.()
  const before = process.memoryUsage().rss
  let peak = before
  const timer = setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss)), 5)
  const { digest: name } = await store.write(large())
  for await (const _ of store.stream(name)) peak = Math.max(peak, process.memoryUsage().rss)
  clearInterval(timer)
  expect((peak - before) >> 20).toBeLessThan(120)
})

testIf(root, 'mounting a small file system needs root')(
  'a full disk is an ENOSPC with the path, and nothing stays behind',
  async () => {
    const at = temporary()
    const full = join(at, 'full')
    mkdirSync(full)
    mount('ply-test', full, 'tmpfs', 0, 'size=4m')
    try {
      const store = diskBlobStore({ disk: nodeDisk(), root: full, tmp: join(full, 'tmp') })
      const kept = await store.write(inChunks(content))
      async function* tooMuch(): ByteStream {
        for (let i = 0; i < 10; i++) yield Buffer.alloc(1 << 20, i)
      }
      await expect(store.write(tooMuch())).rejects.toMatchObject({
        code: 'ENOSPC',
        path: expect.stringContaining(join(full, 'tmp')),
      })
      expect(readdirSync(join(full, 'tmp'))).toEqual([])
      expect(await valuesOf(store.list())).toEqual([kept.digest])
      expect((await bytesIn(store.stream(kept.digest))).equals(content)).toBe(true)
    } finally {
      umount(full, 2)
    }
  },
)

test('an abort while the disk is syncing does not wait for it, and leaves nothing', async () => {
  const at = temporary()
  const disk = nodeDisk()
  let synced = 0
  /** A disk that takes a second to sync. */
  const slow: Disk = {
    ...disk,
    fs: {
      ...disk.fs,
      promises: {
        ...disk.fs.promises,
        async open(...args: Parameters<typeof disk.fs.promises.open>) {
          const handle = await disk.fs.promises.open(...args)
          const sync = handle.sync.bind(handle)
          handle.sync = async () => {
            await sleep(1000)
            await sync()
            synced++
          }
          return handle
        },
      },
    },
  }
  const store = diskBlobStore({ disk: slow, root: at, tmp: join(at, 'tmp') })
  const controller = new AbortController()
  const writing = store.write(inChunks(content), {}, { signal: controller.signal })
  writing.catch(() => {})
  await sleep(100)
  const start = performance.now()
  controller.abort()
  await expect(writing).rejects.toMatchObject({ code: 'PLY_ABORTED' })
  expect(performance.now() - start).toBeLessThan(prompt)
  expect(synced).toBe(0)
  expect(readdirSync(join(at, 'tmp'))).toEqual([])
  expect(await valuesOf(store.list())).toEqual([])
})

test('what is not permitted is an EACCES with the path', async () => {
  const at = temporary()
  if (!root) return refusals(at)
  // Root may do anything, so it becomes somebody else for a while.
  chownSync(at, 65534, 65534)
  process.setegid!(65534)
  process.seteuid!(65534)
  try {
    await refusals(at)
  } finally {
    process.seteuid!(0)
    process.setegid!(0)
  }
})

async function refusals(at: string): Promise<void> {
  const store = diskBlobStore({ disk: nodeDisk(), root: join(at, 'store'), tmp: join(at, 'tmp') })
  await store.write(inChunks(content))
  const directory = join(at, 'store', 'blobs', 'sha256')
  const path = join(directory, hexOf(digest))
  try {
    chmodSync(path, 0)
    await expect(bytesIn(store.stream(digest))).rejects.toMatchObject({ code: 'EACCES', path })
    await expect(store.open(digest)).rejects.toMatchObject({ code: 'EACCES', path })
    chmodSync(directory, 0o555)
    await expect(store.delete(digest)).rejects.toMatchObject({ code: 'EACCES', path })
    await expect(store.write(inChunks(Buffer.from('new')))).rejects.toMatchObject({ code: 'EACCES' })
    expect(readdirSync(join(at, 'tmp'))).toEqual([])
    chmodSync(join(at, 'tmp'), 0o555)
    await expect(store.write(inChunks(Buffer.from('new')))).rejects.toMatchObject({
      code: 'EACCES',
      path: expect.stringContaining(join(at, 'tmp')),
    })
  } finally {
    chmodSync(directory, 0o755)
    chmodSync(join(at, 'tmp'), 0o755)
  }
}
