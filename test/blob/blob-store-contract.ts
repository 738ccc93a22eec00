import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { BlobStore } from '../../src/blob/blob-store.ts'
import { digestOf } from '../../src/model/digest.ts'
import type { Progress } from '../../src/model/operation.ts'
import { bytesIn, inChunks, valuesOf } from '../support/collect.ts'
import { prompt } from '../support/prompt.ts'

/** A store to try, and what the test must be able to see of it from outside. */
export interface StoreUnderTest {
  readonly store: BlobStore
  /** Names of files that are there for the time being only. */
  leftovers(): string[]
  /** Puts other bytes in the place of a blob's. */
  damage(digest: string, content: Uint8Array): void
}

/** What every `BlobStore` must do. */
export function blobStoreContract(name: string, create: () => Promise<StoreUnderTest>): void {
  const content = Buffer.alloc(3_000_000)
  for (let i = 0; i < content.length; i++) content[i] = (i * 7 + (i >> 10)) & 0xff
  const digest = digestOf(content)
  const small = Buffer.from('small')

  describe(`blob store: ${name}`, () => {
    test('gives back what was written, whatever its size', async () => {
      const { store, leftovers } = await create()
      for (const bytes of [
        Buffer.alloc(0),
        small,
        content,
        content.subarray(0, 1 << 20),
        content.subarray(0, 2 << 20),
      ]) {
        for (const chunk of [100_000, 1 << 20, 5_000_000]) {
          const stat = await store.write(inChunks(bytes, chunk))
          expect(stat).toEqual({ digest: digestOf(bytes), size: bytes.length })
          expect(await store.stat(stat.digest)).toEqual(stat)
          expect((await bytesIn(store.stream(stat.digest))).equals(bytes)).toBe(true)
          await store.delete(stat.digest)
        }
      }
      expect(leftovers()).toEqual([])
    })

    test('writing the same bytes twice stores them once', async () => {
      const { store } = await create()
      const first = await store.write(inChunks(small))
      expect(await store.write(inChunks(small), { digest: first.digest, size: small.length })).toEqual(first)
      expect(await valuesOf(store.list())).toEqual([first.digest])
    })

    test('writing the same bytes at the same time stores them once', async () => {
      const { store, leftovers } = await create()
      await Promise.all(Array.from({ length: 8 }, () => store.write(inChunks(content, 70_000))))
      expect(await valuesOf(store.list())).toEqual([digest])
      expect((await bytesIn(store.stream(digest))).equals(content)).toBe(true)
      expect(leftovers()).toEqual([])
    })

    test('opens a blob for reading at any place', async () => {
      const { store } = await create()
      await store.write(inChunks(content, 1 << 20))
      const bytes = await store.open(digest)
      expect(bytes.size).toBe(content.length)
      const into = Buffer.alloc(1000)
      for (const position of [0, 1, 2_000_000, content.length - 300]) {
        const expected = content.subarray(position, position + 1000)
        expect(bytes.read(into, position)).toBe(expected.length)
        expect(into.subarray(0, expected.length).equals(expected)).toBe(true)
      }
      expect(bytes.read(into, content.length)).toBe(0)
      bytes.close()
      bytes.close()
      expect(() => bytes.read(into, 0)).toThrow(expect.objectContaining({ code: 'EBADF' }))
    })

    test('knows nothing of a blob that is not there', async () => {
      const { store } = await create()
      expect(await store.stat(digest)).toBeUndefined()
      expect(await valuesOf(store.list())).toEqual([])
      await expect(store.open(digest)).rejects.toMatchObject({ code: 'PLY_BLOB_NOT_FOUND', details: { digest } })
      await expect(bytesIn(store.stream(digest))).rejects.toMatchObject({
        code: 'PLY_BLOB_NOT_FOUND',
        details: { digest },
      })
      await store.delete(digest)
    })

    test('deletes a blob, and readers that have it open keep it', async () => {
      const { store } = await create()
      await store.write(inChunks(content, 1 << 20))
      const bytes = await store.open(digest)
      await store.delete(digest)
      await store.delete(digest)
      expect(await store.stat(digest)).toBeUndefined()
      const into = Buffer.alloc(content.length)
      expect(bytes.read(into, 0)).toBe(content.length)
      expect(into.equals(content)).toBe(true)
      bytes.close()
    })

    test('Z-05: bytes that are not what was expected leave nothing behind', async () => {
      const { store, leftovers } = await create()
      const cases = [
        [{ digest: digestOf(small) }, 'PLY_DIGEST_MISMATCH'],
        [{ digest, size: content.length + 1 }, 'PLY_SIZE_MISMATCH'],
        [{ size: content.length - 1 }, 'PLY_SIZE_MISMATCH'],
      ] as const
      for (const [expected, code] of cases) {
        await expect(store.write(inChunks(content, 100_000), expected)).rejects.toMatchObject({ code })
      }
      expect(await valuesOf(store.list())).toEqual([])
      expect(leftovers()).toEqual([])
    })

    test('a source that fails leaves nothing behind and tells its own error', async () => {
      const { store, leftovers } = await create()
      async function* failing() {
        yield* inChunks(content, 500_000)
        throw new RangeError('the network is down')
      }
      await expect(store.write(failing())).rejects.toThrow(RangeError)
      expect(await valuesOf(store.list())).toEqual([])
      expect(leftovers()).toEqual([])
    })

    test('an abort at any moment ends a write within 100 ms and leaves nothing behind', async () => {
      const { store, leftovers } = await create()
      for (const delay of [0, 1, 3, 8, 20]) {
        async function* slow() {
          for (;;) {
            yield content
            await sleep(1)
          }
        }
        const controller = new AbortController()
        const writing = store.write(slow(), { digest }, { signal: controller.signal })
        writing.catch(() => {})
        await sleep(delay)
        const start = performance.now()
        controller.abort()
        await expect(writing).rejects.toMatchObject({ code: 'PLY_ABORTED' })
        expect(performance.now() - start).toBeLessThan(prompt)
        expect(leftovers()).toEqual([])
      }
      expect(await valuesOf(store.list())).toEqual([])
    })

    test('an abort ends a stream within 100 ms', async () => {
      const { store } = await create()
      await store.write(inChunks(content, 1 << 20))
      const controller = new AbortController()
      const iterator = store.stream(digest, { signal: controller.signal })[Symbol.asyncIterator]()
      await iterator.next()
      controller.abort()
      await expect(iterator.next()).rejects.toMatchObject({ code: 'PLY_ABORTED' })
    })

    test('a stream fails at its end if the bytes do not match their name', async () => {
      const { store, damage } = await create()
      await store.write(inChunks(content, 1 << 20))
      const other = Buffer.from(content)
      other[1_234_567]! ^= 1
      damage(digest, other)
      let seen = 0
      const reading = (async () => {
        for await (const chunk of store.stream(digest)) seen += chunk.length
      })()
      await expect(reading).rejects.toMatchObject({ code: 'PLY_DIGEST_MISMATCH' })
      expect(seen).toBe(content.length)
    })

    test('writing a blob again heals one that was cut off', async () => {
      const { store, damage, leftovers } = await create()
      await store.write(inChunks(content, 1 << 20))
      damage(digest, content.subarray(0, 1000))
      expect(await store.write(inChunks(content, 1 << 20))).toEqual({ digest, size: content.length })
      expect((await bytesIn(store.stream(digest))).equals(content)).toBe(true)
      expect(leftovers()).toEqual([])
    })

    test('a draft shows nothing before it is committed and leaves nothing when it is discarded', async () => {
      const { store, leftovers } = await create()
      const kept = await store.draft()
      const dropped = await store.draft()
      for (const draft of [kept, dropped])
        for await (const chunk of inChunks(content, 300_000)) await draft.write(chunk)
      expect(await store.stat(digest)).toBeUndefined()
      await dropped.discard()
      await dropped.discard()
      expect(await kept.commit(digest)).toEqual({ digest, size: content.length })
      await kept.discard()
      expect((await bytesIn(store.stream(digest))).equals(content)).toBe(true)
      expect(() => kept.write(small)).toThrow()
      expect(leftovers()).toEqual([])
    })

    test('a commit that is aborted names nothing and leaves nothing', async () => {
      const { store, leftovers } = await create()
      const draft = await store.draft()
      await draft.write(content)
      await expect(draft.commit(digest, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'PLY_ABORTED' })
      expect(await store.stat(digest)).toBeUndefined()
      expect(leftovers()).toEqual([])
    })

    test('progress is told in bytes and ends at the size', async () => {
      const { store } = await create()
      const written: Progress[] = []
      await store.write(
        inChunks(content, 1 << 20),
        { digest, size: content.length },
        { onProgress: (step) => written.push(step) },
      )
      expect(written.at(-1)).toEqual({ what: digest, done: content.length, total: content.length })
      const read: Progress[] = []
      await bytesIn(store.stream(digest, { onProgress: (step) => read.push(step) }))
      expect(read.at(-1)).toEqual({ what: digest, done: content.length, total: content.length })
      expect(read.length).toBeGreaterThan(1)
    })

    test('a reader that leaves early and many that read at once disturb nobody', async () => {
      const { store } = await create()
      await store.write(inChunks(content, 1 << 20))
      for await (const _ of store.stream(digest)) break
      const all = await Promise.all(Array.from({ length: 5 }, () => bytesIn(store.stream(digest))))
      expect(all.every((bytes) => bytes.equals(content))).toBe(true)
    })
  })
}
