import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { archive, member } from '../tar/raw.ts'
import { ply, temporaryDirectory } from './run-ply.ts'

const directory = temporaryDirectory()
const store = join(directory, 'store')
const run = (...argv: string[]) => ply([...argv, '--root', store])

function flip(path: string, at: number): void {
  const bytes = readFileSync(path)
  bytes[at] = bytes[at]! ^ 1
  chmodSync(path, 0o644)
  writeFileSync(path, bytes)
}

test('fsck answers 0, 1 or 4, names what is damaged and what it affects, and heals; gc explains', async () => {
  writeFileSync(join(directory, 'rootfs.tar'), archive(member({ name: 'file' }, 'x'.repeat(100_000))))
  expect(await run('import', join(directory, 'rootfs.tar'), 'mine')).toMatchObject({ code: 0 })
  expect(await run('save', 'mine', '-o', join(directory, 'mine.tar'))).toMatchObject({ code: 0 })
  expect((await run('ls', 'mine')).code).toBe(0)
  const clean = await run('fsck', '--level', 'caches')
  expect(clean).toMatchObject({ code: 0, out: '' })
  expect(clean.err).toContain('1 image, 0 containers, 3 blobs')

  const caches = join(store, 'cache', 'layers')
  const index = join(caches, readdirSync(caches).find((name) => name.endsWith('.erofs'))!)
  const layer = index.slice(index.lastIndexOf('/') + 1, -'.erofs'.length)
  flip(index, 2000)
  const drift = await run('fsck', '--level', 'caches')
  expect(drift.code).toBe(1)
  expect(drift.out).toContain(`drift: cache/layers/${layer}.erofs: it is no index`)
  expect((await run('fsck', '--level', 'caches', '--repair')).out).toContain('(rebuilt)')

  flip(join(store, 'blobs', 'sha256', layer), 50_000)
  const damage = await run('fsck')
  expect(damage.code).toBe(4)
  expect(damage.out).toContain(`damage: blobs/sha256/${layer}: its bytes do not hash to its name`)
  expect(damage.out).toContain('affects name mine:latest')
  expect(damage.out).toContain('paths /file')
  expect((await run('fsck', '-q')).out).toBe(`blobs/sha256/${layer}\n`)
  const unhealed = await run('fsck', '--repair', '--from', `docker-archive:${join(directory, 'nothing.tar')}`)
  expect(unhealed.code).toBe(4)
  expect(unhealed.out).toContain('not healed: ')
  const healed = await run('fsck', '--json', '--repair', '--from', `docker-archive:${join(directory, 'mine.tar')}`)
  expect(healed.code).toBe(0)
  expect(JSON.parse(healed.out)).toMatchObject({ left: { damage: 0 }, findings: [{ remedy: 'fetched' }] })
  expect(await run('fsck', '--level', 'caches')).toMatchObject({ code: 0, out: '' })

  const explained = await run('gc', '--explain', `sha256:${layer}`)
  expect(explained.out).toMatch(/^ {2}layer 0 of sha256:[0-9a-f]{64}\n {4}image of name mine:latest$/m)
  expect((await run('gc', '--explain', 'mine')).out).toBe(
    'name mine:latest\n  you made this name: it stays until you remove it\n',
  )
  expect((await run('gc', '--explain', 'nothing')).code).toBe(2)
  expect((await run('gc', '--caches', 'much')).code).toBe(2)
  expect((await run('gc', '--caches', '0')).out).toContain(`cache/layers/${layer}.erofs`)
  expect((await run('fsck', '--from', 'oci:x')).code).toBe(2)
})
