import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { archive, member } from '../tar/raw.ts'
import { ply, temporaryDirectory } from './run-ply.ts'

const directory = temporaryDirectory()
const [lower, second, upper] = ['lower', 'second', 'upper'].map((name) => join(directory, name)) as [
  string,
  string,
  string,
]
const run = (...argv: string[]) => ply([...argv, '--root', upper])
const blobs = (store: string) => readdirSync(join(store, 'blobs/sha256'))

beforeAll(async () => {
  mkdirSync(directory, { recursive: true })
  for (const [store, name] of [
    [lower, 'mine'],
    [second, 'other'],
  ] as const) {
    const tar = join(directory, `${name}.tar`)
    writeFileSync(tar, archive(member({ name: 'file' }, name.repeat(20_000))))
    expect(await ply(['import', tar, name, '--root', store])).toMatchObject({ code: 0 })
    expect(await ply(['save', name, '-o', `${tar}.saved`, '--root', store])).toMatchObject({ code: 0 })
  }
})

describe('a store below', () => {
  test('is read with --below, which may be said again, and with $PLY_STORES_BELOW, where colons part them', async () => {
    const listed = await run('images', '-q', '--below', lower, '--below', second)
    expect(listed).toMatchObject({ code: 0, err: '' })
    expect(listed.out.trim().split('\n')).toHaveLength(2)
    const environment = { PLY_STORES_BELOW: `${lower}:${second}` }
    expect(await ply(['images', '-q', '--root', upper], { environment })).toMatchObject({ code: 0, out: listed.out })
    expect((await run('cat', 'other', '/file', '--below', lower, '--below', second)).out).toBe('other'.repeat(20_000))
    // What is said counts, and not what is in the environment.
    const one = await ply(['images', '-q', '--root', upper, '--below', second], { environment })
    expect(one.out.trim().split('\n')).toHaveLength(1)
    expect(await run('images', '-q')).toMatchObject({ code: 0, out: '' })
    expect(blobs(upper)).toEqual([])
  })

  test('that is none is told, and is not made into one', async () => {
    const none = join(directory, 'none')
    const told = await run('images', '--below', none)
    expect(told.code).not.toBe(0)
    expect(told.err).toContain(none)
    expect(readdirSync(directory)).not.toContain('none')
  })

  test('is named where damage lies in it, and where its lack may be what is wrong', async () => {
    expect(await run('tag', 'mine', 'kept', '--below', lower)).toMatchObject({ code: 0 })
    expect(await run('fsck', '--below', lower)).toMatchObject({ code: 0, out: '' })
    const alone = await run('fsck')
    expect(alone.code).toBe(4)
    expect(alone.out).toContain('affects name kept:latest')
    expect(alone.out).toContain('say --below DIR')

    const layer = blobs(lower).find((name) => readFileSync(join(lower, 'blobs/sha256', name)).length > 20_000)!
    const path = join(lower, 'blobs/sha256', layer)
    const bytes = readFileSync(path)
    bytes[5000]! ^= 1
    chmodSync(path, 0o644)
    writeFileSync(path, bytes)
    const damaged = await run('fsck', '--below', lower)
    expect(damaged.code).toBe(4)
    expect(damaged.out).toContain(`it lies in the store below, ${lower}`)
    expect(damaged.out).toContain(`ply fsck --repair --root ${lower} heals it where it lies`)
    const source = `docker-archive:${join(directory, 'mine.tar.saved')}`
    expect(await run('fsck', '--repair', '--from', source, '--below', lower)).toMatchObject({ code: 0 })
    expect(blobs(upper)).toEqual([layer])
    expect(readFileSync(path).equals(bytes)).toBe(true)
  })
})
