import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { Disk } from '../../src/sys/disk.ts'
import { fileBytes } from '../../src/sys/file-bytes.ts'
import { memoryDisk } from '../../src/sys/memory-disk.ts'
import { nodeDisk } from '../../src/sys/node-disk.ts'
import { prompt } from '../support/prompt.ts'
import { temporary } from '../support/temporary.ts'

const disks: Readonly<Record<string, () => Promise<{ disk: Disk; at: string }>>> = {
  disk: async () => ({ disk: nodeDisk(), at: temporary() }),
  memory: async () => {
    const disk = await memoryDisk()
    disk.fs.mkdirSync('/here')
    return { disk, at: '/here' }
  },
}

for (const [name, create] of Object.entries(disks)) {
  describe(`disk: ${name}`, () => {
    test('says what it is', async () => {
      expect((await create()).disk.kind).toBe(name)
    })

    test('one holder excludes all others, until it releases', async () => {
      const { disk, at } = await create()
      const path = `${at}/lock`
      const first = await disk.lock(path)
      expect(first).toBeDefined()
      expect(disk.fs.existsSync(path)).toBe(true)
      expect(await disk.lock(path)).toBeUndefined()
      expect(await disk.lock(path, { shared: true })).toBeUndefined()
      expect(await disk.lock(`${at}/other`)).toBeDefined()
      first!.release()
      first!.release()
      const second = await disk.lock(path)
      expect(second).toBeDefined()
      // Releasing again must not take away what somebody else holds now.
      first!.release()
      expect(await disk.lock(path)).toBeUndefined()
      second![Symbol.dispose]()
      expect(await disk.lock(path)).toBeDefined()
    })

    test('many can share, and together they exclude one alone', async () => {
      const { disk, at } = await create()
      const path = `${at}/lock`
      const sharers = await Promise.all([1, 2, 3].map(() => disk.lock(path, { shared: true })))
      expect(sharers.every((lock) => lock !== undefined)).toBe(true)
      for (const lock of sharers) {
        expect(await disk.lock(path)).toBeUndefined()
        lock!.release()
      }
      const alone = await disk.lock(path)
      expect(alone).toBeDefined()
      expect(await disk.lock(path, { shared: true })).toBeUndefined()
    })

    test('who waits gets the lock when it is released', async () => {
      const { disk, at } = await create()
      const path = `${at}/lock`
      const first = await disk.lock(path)
      const order: string[] = []
      const waiting = disk.lock(path, { wait: true }).then((lock) => {
        order.push('taken')
        return lock!
      })
      await sleep(60)
      order.push('released')
      first!.release()
      const second = await waiting
      expect(order).toEqual(['released', 'taken'])
      expect(await disk.lock(path)).toBeUndefined()
      second.release()
    })

    test('twenty that wait at once get it one after the other', async () => {
      const { disk, at } = await create()
      let inside = 0
      await Promise.all(
        Array.from({ length: 20 }, async () => {
          const lock = await disk.lock(`${at}/lock`, { wait: true })
          expect(++inside).toBe(1)
          await sleep(1)
          inside--
          lock!.release()
        }),
      )
    })

    test('waiting ends within 100 ms of an abort, and holds nothing', async () => {
      const { disk, at } = await create()
      const path = `${at}/lock`
      const first = await disk.lock(path)
      const controller = new AbortController()
      const waiting = disk.lock(path, { wait: true, signal: controller.signal })
      waiting.catch(() => {})
      await sleep(70)
      const start = performance.now()
      controller.abort(new Error('enough'))
      await expect(waiting).rejects.toMatchObject({ code: 'PLY_ABORTED', cause: { message: 'enough' } })
      expect(performance.now() - start).toBeLessThan(prompt)
      await expect(disk.lock(path, { signal: controller.signal })).rejects.toMatchObject({ code: 'PLY_ABORTED' })
      first!.release()
      expect(await disk.lock(path)).toBeDefined()
    })

    test('a lock in a directory that is not there is an ENOENT, on a directory an EISDIR', async () => {
      const { disk, at } = await create()
      await expect(disk.lock(`${at}/none/lock`)).rejects.toMatchObject({ code: 'ENOENT' })
      await expect(disk.lock(at)).rejects.toMatchObject({ code: 'EISDIR' })
    })

    test('syncs a directory, and nothing else', async () => {
      const { disk, at } = await create()
      disk.syncDirectory(at)
      expect(() => disk.syncDirectory(`${at}/none`)).toThrow(expect.objectContaining({ code: 'ENOENT' }))
    })

    test('copies a part of a file into the middle of another', async () => {
      const { disk, at } = await create()
      const content = Buffer.alloc(1_000_000)
      for (let i = 0; i < content.length; i++) content[i] = (i * 13 + (i >> 9)) & 0xff
      disk.fs.writeFileSync(`${at}/from`, content)
      disk.fs.writeFileSync(`${at}/to`, Buffer.alloc(500_000, 1))
      const from = disk.fs.openSync(`${at}/from`, 'r')
      const to = disk.fs.openSync(`${at}/to`, 'r+')
      disk.copy({ fd: from, offset: 512 }, { fd: to, offset: 1000 }, 700_001)
      disk.copy({ fd: from, offset: 0 }, { fd: to, offset: 0 }, 0)
      disk.fs.closeSync(from)
      disk.fs.closeSync(to)
      const expected = Buffer.concat([Buffer.alloc(1000, 1), content.subarray(512, 512 + 700_001)])
      expect((disk.fs.readFileSync(`${at}/to`) as Buffer).equals(expected)).toBe(true)
    })

    test('a source that is too short is an EIO', async () => {
      const { disk, at } = await create()
      disk.fs.writeFileSync(`${at}/from`, 'short')
      const from = disk.fs.openSync(`${at}/from`, 'r')
      const to = disk.fs.openSync(`${at}/to`, 'w')
      expect(() => disk.copy({ fd: from, offset: 0 }, { fd: to, offset: 0 }, 100_000)).toThrow(
        expect.objectContaining({ code: 'EIO' }),
      )
      disk.fs.closeSync(from)
      disk.fs.closeSync(to)
    })

    test('file bytes are read at any place, end where the file ends, and stay closed', async () => {
      const { disk, at } = await create()
      disk.fs.writeFileSync(`${at}/file`, 'some content')
      const bytes = fileBytes(disk, `${at}/file`)
      const into = Buffer.alloc(7)
      expect(bytes.size).toBe(12)
      expect(bytes.read(into, 5)).toBe(7)
      expect(into.toString()).toBe('content')
      expect(bytes.read(into, 10)).toBe(2)
      expect(bytes.read(into, 12)).toBe(0)
      expect(bytes.read(into, 1000)).toBe(0)
      const copy = disk.fs.openSync(`${at}/copy`, 'w')
      disk.copy({ fd: bytes.extent.fd, offset: bytes.extent.offset + 5 }, { fd: copy, offset: 0 }, 7)
      disk.fs.closeSync(copy)
      expect(String(disk.fs.readFileSync(`${at}/copy`))).toBe('content')
      bytes.close()
      bytes.close()
      expect(() => bytes.read(into, 0)).toThrow(expect.objectContaining({ code: 'EBADF' }))
      expect(() => fileBytes(disk, `${at}/none`)).toThrow(
        expect.objectContaining({ code: 'ENOENT', path: `${at}/none` }),
      )
      expect(() => fileBytes(disk, at)).toThrow(expect.objectContaining({ code: 'EISDIR' }))
    })
  })
}
