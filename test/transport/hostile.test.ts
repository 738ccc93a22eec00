import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { copy } from '../../src/image/copy.ts'
import { validateImage } from '../../src/image/validate.ts'
import { hexOf } from '../../src/model/digest.ts'
import { codeOf } from '../../src/model/errors.ts'
import { openSink, openSource } from '../../src/transport/index.ts'
import { sampleImage } from '../support/images.ts'
import { makePlace } from '../support/places.ts'
import { hasTool, isRootFor, run } from '../support/tools.ts'

const isRoot = process.getuid?.() === 0
const canMount = isRootFor('a disk that is full', 'mount a small one') && hasTool('unshare', '--mount', 'true')

/** Opens, chooses and reads everything. */
async function readAll(reference: string, temporaryDirectory?: string) {
  await using source = await openSource(reference, { temporaryDirectory })
  const findings = await validateImage(await source.image())
  if (findings.length > 0) throw Object.assign(new Error(findings[0]!.reason), { code: findings[0]!.code })
}

describe('a place that is not what the reference says', () => {
  const fromFile = ['oci-archive', 'docker-archive', 'tar'] as const
  const fromDirectory = ['oci', 'dir'] as const

  test.each([...fromFile, ...fromDirectory, 'rootfs'])(
    '%s: nothing there is an ENOENT with the path',
    async (transport) => {
      using place = makePlace()
      const error = await failure(readAll(`${transport}:${place.at('none')}`))
      expect(error).toMatchObject({ code: 'ENOENT', path: place.at('none') })
    },
  )

  test.each(fromFile)(
    '%s: a text, an empty file, a directory and half an archive are told apart from images',
    async (transport) => {
      using place = makePlace()
      writeFileSync(place.at('text'), 'This is a text, long enough to be a header block. '.repeat(40))
      writeFileSync(place.at('short'), 'hi')
      writeFileSync(place.at('empty'), '')
      writeFileSync(place.at('zeros'), Buffer.alloc(10_240))
      for (const name of ['text', 'short', 'empty', '']) {
        const error = await failure(readAll(`${transport}:${place.at(name)}`))
        expect([name, error.code]).toEqual([name, 'PLY_BAD_ARCHIVE'])
        expect(error.message).toContain(place.at(name))
      }
    },
  )

  test.each(fromDirectory)('%s: a file, and a directory with other things', async (transport) => {
    using place = makePlace()
    writeFileSync(place.at('text'), 'text')
    await expect(readAll(`${transport}:${place.at('text')}`)).rejects.toMatchObject({ code: 'PLY_BAD_ARCHIVE' })
    await expect(readAll(`${transport}:${place.root}`)).rejects.toMatchObject({ code: 'PLY_BAD_ARCHIVE' })
  })

  test('an oci-archive given as docker-archive, and the other way round, says which it is', async () => {
    using place = makePlace()
    const image = await sampleImage()
    await copy(image, await openSink(`oci-archive:${place.at('o.tar')}`))
    await copy(image, await openSink(`docker-archive:${place.at('d.tar')}`))
    await expect(readAll(`docker-archive:${place.at('o.tar')}`)).rejects.toThrow(/try oci-archive:/)
    await expect(readAll(`oci-archive:${place.at('d.tar')}`)).rejects.toThrow(/try docker-archive:/)
  })

  test('unknown transports list the known', async () => {
    await expect(openSource('ftp://x')).rejects.toMatchObject({ code: 'PLY_UNKNOWN_TRANSPORT' })
    await expect(openSource('container:work')).rejects.toThrow(
      /known: oci, oci-archive, docker-archive, dir, tar, rootfs/,
    )
    await expect(openSink('debian:12')).rejects.toMatchObject({ code: 'PLY_BAD_REFERENCE' })
    await expect(openSink('tar:x')).rejects.toMatchObject({ code: 'PLY_USAGE' })
    await expect(openSource('oci:x@sha512:abc')).rejects.toMatchObject({ code: 'PLY_BAD_REFERENCE' })
  })

  test('no permission is an EACCES with the path', async () => {
    using place = makePlace()
    await copy(await sampleImage(), await openSink(`oci-archive:${place.at('o.tar')}`))
    await copy(await sampleImage(), await openSink(`oci:${place.at('layout')}`))
    chmodSync(place.at('o.tar'), 0)
    chmodSync(place.at('layout', 'index.json'), 0)
    mkdirSync(place.at('closed'), { mode: 0o555 })
    chmodSync(place.root, 0o755)
    await asOrdinaryUser(async () => {
      expect(await failure(readAll(`oci-archive:${place.at('o.tar')}`))).toMatchObject({
        code: 'EACCES',
        path: place.at('o.tar'),
      })
      expect(await failure(readAll(`oci:${place.at('layout')}`))).toMatchObject({
        code: 'EACCES',
        path: place.at('layout', 'index.json'),
      })
      for (const reference of [`oci-archive:${place.at('closed', 'x.tar')}`, `oci:${place.at('closed', 'x')}`]) {
        expect(await failure(copy(await sampleImage(), await openSink(reference)))).toMatchObject({
          code: 'EACCES',
          path: expect.stringContaining(place.at('closed', 'x')),
        })
      }
    })
  })

  test('sinks do not write over what is something else', async () => {
    using place = makePlace()
    mkdirSync(place.at('photos'))
    writeFileSync(place.at('photos', 'cat.jpg'), 'miau')
    const image = await sampleImage()
    await expect(copy(image, await openSink(`oci:${place.at('photos')}`))).rejects.toMatchObject({ code: 'PLY_EXISTS' })
    await expect(copy(image, await openSink(`dir:${place.at('photos')}`))).rejects.toMatchObject({ code: 'PLY_EXISTS' })
    await expect(copy(image, await openSink(`oci-archive:${place.at('photos')}`))).rejects.toMatchObject({
      code: 'EISDIR',
    })
    await expect(copy(image, await openSink(`oci:${place.at('photos', 'cat.jpg')}`))).rejects.toMatchObject({
      code: 'ENOTDIR',
    })
    await expect(copy(image, await openSink(`docker-archive:${place.at('no', 'dir.tar')}`))).rejects.toMatchObject({
      code: 'ENOENT',
    })
    expect(place.files()).toEqual(['photos', 'photos/cat.jpg'])
  })
})

describe.skipIf(!canMount)('a disk that is full', () => {
  test.each(['oci', 'dir', 'oci-archive', 'docker-archive'])(
    '%s: ENOSPC, and nothing stays behind',
    async (transport) => {
      using place = makePlace()
      const big = { '/big': randomBytes(3 << 20) }
      mkdirSync(place.at('small'))
      run('mount', '-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', place.at('small'))
      try {
        const before = statfsSync(place.at('small')).bfree
        const reference = `${transport}:${place.at('small', 'x')}`
        const error = await failure(copy(await sampleImage(big), await openSink(reference)))
        expect([error.code, error.path?.startsWith(place.at('small'))]).toEqual(['ENOSPC', true])
        expect(readdirSync(place.at('small'))).toEqual([])
        // The name goes at once, the room when the last descriptor is closed.
        await vi.waitFor(() => expect(statfsSync(place.at('small')).bfree).toBe(before))
        const sink = await openSink(`${transport}:-`.replace(/^(oci|dir):-$/, 'oci-archive:-'), {
          temporaryDirectory: place.at('small'),
          output: { write() {} },
        })
        expect(await failure(sink.write(await sampleImage(big)))).toMatchObject({ code: 'ENOSPC' })
        expect(readdirSync(place.at('small'))).toEqual([])
      } finally {
        await vi.waitFor(() => run('umount', place.at('small')))
      }
    },
  )
})

describe('damage', () => {
  test.each(['oci-archive', 'docker-archive', 'tar'])(
    '%s: an archive cut off anywhere never passes',
    async (transport) => {
      using place = makePlace()
      const image = await sampleImage()
      if (transport === 'tar') {
        const { collect } = await import('../../src/stream/collect.ts')
        writeFileSync(place.at('whole.tar'), await collect(image.layers[0]!.uncompressed(), 1 << 30))
      } else await copy(image, await openSink(`${transport}:${place.at('whole.tar')}`))
      const size = readFileSync(place.at('whole.tar')).length
      for (const part of [0.1, 0.33, 0.5, 0.8, 0.97]) {
        cpSync(place.at('whole.tar'), place.at('cut.tar'))
        truncateSync(place.at('cut.tar'), Math.floor((size - 1024) * part))
        await expect(readAll(`${transport}:${place.at('cut.tar')}`)).rejects.toMatchObject({ code: 'PLY_BAD_ARCHIVE' })
      }
    },
  )

  test.each(['oci', 'dir'])('%s: a missing blob is named', async (transport) => {
    using place = makePlace()
    const image = await sampleImage()
    await copy(image, await openSink(`${transport}:${place.at('x')}`))
    const directory = transport === 'oci' ? place.at('x', 'blobs', 'sha256') : place.at('x')
    for (const { digest } of [image.manifest.layers[1]!, image.manifest.config]) {
      rmSync(join(directory, hexOf(digest)))
      const error = await failure(readAll(`${transport}:${place.at('x')}`))
      expect([error.code, error.message.includes(digest)]).toEqual(['PLY_BLOB_NOT_FOUND', true])
    }
  })

  test.each(['oci', 'dir', 'oci-archive', 'docker-archive'])('%s: one flipped bit never passes', async (transport) => {
    using place = makePlace()
    const image = await sampleImage()
    const at = place.at('x')
    await copy(image, await openSink(`${transport}:${at}`))
    const file =
      transport === 'oci'
        ? join(at, 'blobs', 'sha256', hexOf(image.manifest.layers[0]!.digest))
        : transport === 'dir'
          ? join(at, hexOf(image.manifest.layers[0]!.digest))
          : at
    const whole = readFileSync(file)
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: whole.length * 8 - 1 }), async (bit) => {
        const damaged = Buffer.from(whole)
        damaged[bit >> 3]! ^= 1 << (bit & 7)
        writeFileSync(file, damaged)
        try {
          await readAll(`${transport}:${at}`, place.temporary)
        } catch (error) {
          expect(codeOf(error)).toMatch(/^PLY_/)
          return
        }
        // Archives have bytes that say nothing: padding, times and the like of our own members.
        expect(transport).toMatch(/archive/)
      }),
      { numRuns: 40, endOnFailure: true },
    )
    expect(readdirSync(place.temporary)).toEqual([])
  })

  test('the wrong blob under a name is a digest mismatch that names it', async () => {
    using place = makePlace()
    const image = await sampleImage()
    await copy(image, await openSink(`oci:${place.at('x')}`))
    const [, second] = image.manifest.layers
    const blob = place.at('x', 'blobs', 'sha256', hexOf(second!.digest))
    writeFileSync(blob, Buffer.alloc(second!.size))
    const error = await failure(readAll(`oci:${place.at('x')}`))
    expect([error.code, error.message.includes(second!.digest)]).toEqual(['PLY_DIGEST_MISMATCH', true])
  })
})

describe('index.json', () => {
  test('keeps other images and what nobody knows; the same tag is replaced', async () => {
    using place = makePlace()
    const image = await sampleImage()
    await copy(image, await openSink(`oci:${place.at('x')}:one`))
    const file = place.at('x', 'index.json')
    const index = JSON.parse(readFileSync(file, 'utf8'))
    index['org.example'] = { kept: true }
    index.manifests[0].annotations['org.example'] = 'kept'
    index.manifests.push({
      mediaType: 'application/vnd.example',
      digest: `sha256:${'0'.repeat(64)}`,
      size: 1,
      'x-field': [1],
    })
    writeFileSync(file, JSON.stringify(index))
    const { append } = await import('../../src/image/append.ts')
    const { layerFrom } = await import('../../src/image/layer-from.ts')
    const next = append(image, layerFrom({ '/x': 'x' }))
    await copy(next, await openSink(`oci:${place.at('x')}:two`))
    let after = JSON.parse(readFileSync(file, 'utf8'))
    expect(after.manifests.slice(0, 2)).toEqual(index.manifests)
    expect(after['org.example']).toEqual({ kept: true })
    await copy(next, await openSink(`oci:${place.at('x')}:one`))
    after = JSON.parse(readFileSync(file, 'utf8'))
    expect(after.manifests.map((m: { digest: string }) => m.digest)).toEqual([
      next.digest,
      index.manifests[1].digest,
      next.digest,
    ])
  })

  test('many writers at once lose no image', async () => {
    using place = makePlace()
    const image = await sampleImage()
    await Promise.all(
      Array.from({ length: 12 }, async (_, i) => copy(image, await openSink(`oci:${place.at('x')}:tag${i}`))),
    )
    await using source = await openSource(`oci:${place.at('x')}`)
    const names = []
    for await (const { name } of source.list()) names.push(name)
    expect(names.sort()).toEqual(Array.from({ length: 12 }, (_, i) => `tag${i}`).sort())
    expect(readdirSync(place.at('x')).sort()).toEqual(['blobs', 'index.json', 'oci-layout'])
  })

  test('a damaged one is not written over', async () => {
    using place = makePlace()
    await copy(await sampleImage(), await openSink(`oci:${place.at('x')}:one`))
    writeFileSync(place.at('x', 'index.json'), '{"schemaVersion":2,"manifests":{}}')
    await expect(copy(await sampleImage(), await openSink(`oci:${place.at('x')}:one`))).rejects.toMatchObject({
      code: 'PLY_BAD_DOCUMENT',
    })
    await expect(openSource(`oci:${place.at('x')}`)).rejects.toMatchObject({ code: 'PLY_BAD_DOCUMENT' })
  })

  test('a layout of another version is refused', async () => {
    using place = makePlace()
    await copy(await sampleImage(), await openSink(`oci:${place.at('x')}`))
    writeFileSync(place.at('x', 'oci-layout'), '{"imageLayoutVersion":"2.0.0"}')
    await expect(openSource(`oci:${place.at('x')}`)).rejects.toMatchObject({ code: 'PLY_UNSUPPORTED' })
  })
})

test('the target of a symlink is replaced, not the symlink', async () => {
  using place = makePlace()
  writeFileSync(place.at('real.tar'), 'old')
  symlinkSync('real.tar', place.at('link.tar'))
  await copy(await sampleImage(), await openSink(`oci-archive:${place.at('link.tar')}`))
  await readAll(`oci-archive:${place.at('real.tar')}`)
  expect(place.files()).toEqual(['link.tar', 'real.tar'])
})

async function failure(work: Promise<unknown>): Promise<Error & { code: string; path?: string }> {
  try {
    await work
  } catch (error) {
    return error as Error & { code: string }
  }
  throw new Error('nothing failed')
}

/** Root may read everything, so root steps down for the duration. */
async function asOrdinaryUser(work: () => Promise<void>): Promise<void> {
  if (!isRoot) return work()
  process.setegid!(65534)
  process.seteuid!(65534)
  try {
    await work()
  } finally {
    process.seteuid!(0)
    process.setegid!(0)
  }
}
