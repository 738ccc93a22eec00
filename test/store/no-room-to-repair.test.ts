import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { BlobStore } from '../../src/blob/blob-store.ts'
import { openSink, openSource } from '../../src/index.ts'
import { type ErrnoName, PlyError } from '../../src/model/errors.ts'
import { fetchBlobs } from '../../src/store/fsck/fetch.ts'
import { sampleImage } from '../support/images.ts'
import { temporary } from '../support/temporary.ts'

/** A store into which nothing can be written. */
const refusing = (code: ErrnoName) =>
  ({ draft: () => Promise.reject(new PlyError(code, { syscall: 'open' })) }) as unknown as BlobStore

test.for(['ENOSPC', 'EDQUOT', 'EROFS'] as const)(
  'where the store itself has no room (%s) a repair says so, and blames no source',
  async (code) => {
    const reference = `oci:${join(temporary(), 'layout')}`
    const image = await sampleImage()
    await using sink = await openSink(reference)
    await sink.write(image, 'sample')
    await using opened = await openSource(reference)
    for (const source of [reference, opened]) {
      const obstacles: string[] = []
      const fetching = fetchBlobs(refusing(code), new Set([image.digest]), [source], (why) => obstacles.push(why))
      await expect(fetching).rejects.toMatchObject({ code })
      expect(obstacles).toEqual([])
    }
  },
)
