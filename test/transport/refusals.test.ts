import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { detectReference, openSink, openSource, privateKeyFrom, signImage, validateImage } from '../../src/index.ts'
import { openKey } from '../signature/sealed-fixture.ts'
import { sampleImage } from '../support/images.ts'
import { makePlace } from '../support/places.ts'
import { archive, member } from '../tar/raw.ts'

const digest = `sha256:${'1'.repeat(64)}`
const usage = (text: string) => ({ code: 'PLY_USAGE', message: expect.stringContaining(text) })

async function written(reference: string): Promise<void> {
  await using sink = await openSink(reference)
  await sink.write(await sampleImage())
}

async function read(reference: string): Promise<void> {
  await using source = await openSource(reference)
  await source.image()
}

describe('what can only follow from what is written is no part of where it goes', () => {
  test.each<readonly [string, string]>([
    ['docker-archive:AT/x@0', 'a number follows from what is written; leave out @0'],
    [`oci-archive:AT/x@${digest}`, `a digest follows from what is written; leave out @${digest}`],
    [`oci:AT/x@${digest}`, `a digest follows from what is written; leave out @${digest}`],
  ])('%s', async (reference, said) => {
    using place = makePlace()
    await expect(written(reference.replace('AT', place.root))).rejects.toMatchObject(usage(said))
    expect(place.files()).toEqual([])
  })
})

describe('an archive of Docker', () => {
  test('says which images it has where there is none of a number', async () => {
    using place = makePlace()
    const reference = `docker-archive:${place.at('x.tar')}`
    await written(`${reference}:app:1`)
    await read(`${reference}@0`)
    await expect(read(`${reference}@1`)).rejects.toMatchObject({
      code: 'PLY_IMAGE_NOT_FOUND',
      details: { name: '@1', available: expect.stringContaining('app:1') },
    })
  })

  test('goes into a pipe and out of one as into a file', async () => {
    using place = makePlace()
    execFileSync('mkfifo', [place.at('pipe')])
    const reading = spawn('cat', [place.at('pipe')], { stdio: ['ignore', 'pipe', 'inherit'] })
    const chunks: Buffer[] = []
    reading.stdout.on('data', (chunk) => chunks.push(chunk))
    const ended = once(reading, 'close')
    await written(`docker-archive:${place.at('pipe')}:app:1`)
    await ended
    await written(`docker-archive:${place.at('file')}:app:1`)
    expect(Buffer.concat(chunks).equals(readFileSync(place.at('file')))).toBe(true)
    // And read out of one, as a file is.
    const writing = spawn('sh', ['-c', 'cat "$0" > "$1"', place.at('file'), place.at('pipe')])
    const poured = once(writing, 'close')
    await read(`docker-archive:${place.at('pipe')}:app:1`)
    await poured
  })
})

describe('what a path holds', () => {
  test('is found out, whoever has written it', async () => {
    using place = makePlace()
    for (const transport of ['docker-archive', 'oci-archive', 'oci', 'dir']) {
      await written(`${transport}:${place.at(transport)}`)
      expect(await detectReference(place.at(transport))).toBe(`${transport}:${place.at(transport)}`)
    }
  })

  test.each<readonly [string, string, string]>([
    ['nothing', 'ENOENT', ''],
    ['directory', 'PLY_BAD_ARCHIVE', 'for a directory tree write rootfs:'],
    ['a:colon', 'PLY_BAD_REFERENCE', 'a path with a colon would be cut there; rename it or link to it'],
    ['files.tar', 'PLY_BAD_ARCHIVE', 'for a tar of a file system write tar:'],
  ])('is not guessed: %s', async (name, code, said) => {
    using place = makePlace()
    mkdirSync(place.at('directory'))
    writeFileSync(place.at('a:colon'), '')
    writeFileSync(place.at('files.tar'), archive(member({ name: 'etc/motd' }, 'x')))
    await expect(detectReference(place.at(name))).rejects.toMatchObject({
      code,
      message: expect.stringContaining(said),
    })
  })
})

describe('signing', () => {
  const key = privateKeyFrom(openKey)

  test.each<readonly [string, object]>([
    ['the name of the creator is none of an annotation', { annotations: { creator: 'me' } }],
    ['nor is that of the time', { annotations: { timestamp: '1' } }],
  ])('%s', async (_, options) => {
    using place = makePlace()
    await written(`oci:${place.at('layout')}:app`)
    const signing = signImage(`oci:${place.at('layout')}:app`, { key: await key, signedAs: 'a/b:1', ...options })
    await expect(signing).rejects.toMatchObject(usage('has a meaning of its own'))
  })

  test('a layout says nobody’s name: it has to be told', async () => {
    using place = makePlace()
    await written(`oci:${place.at('layout')}`)
    const signing = signImage(`oci:${place.at('layout')}`, { key: await key })
    await expect(signing).rejects.toMatchObject(usage('has no name that others would know it by'))
  })
})

test('what is damaged in an archive of Docker is said with its layer', async () => {
  using place = makePlace()
  const path = place.at('x.tar')
  await written(`docker-archive:${path}`)
  const bytes = readFileSync(path)
  // One byte of a file of a layer.
  const at = bytes.indexOf('changed\n')
  expect(at).toBeGreaterThan(0)
  bytes[at] = 'C'.charCodeAt(0)
  writeFileSync(path, bytes)
  await using source = await openSource(`docker-archive:${path}`)
  const findings = await validateImage(await source.image())
  expect(findings).toMatchObject([{ code: 'PLY_DIGEST_MISMATCH' }])
})
