import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Diagnosis } from '../../src/mount/diagnosis.ts'
import { escapeName } from '../../src/store/records.ts'
import { becomeNobody, becomeRoot, root } from '../support/ability.ts'
import { archive, member } from '../tar/raw.ts'
import { ply, temporaryDirectory } from './run-ply.ts'

const directory = temporaryDirectory()
const store = join(directory, 'store')
const run = (...argv: string[]) => ply([...argv, '--root', store])

test('doctor says of each way and of all that it takes whether it works, and if not, why not and how to get it', async () => {
  const shown = await run('doctor')
  expect(shown.code).toBe(0)
  expect(shown.out).toMatch(/^system calls \(koffi\) +yes/m)
  for (const name of [
    'an image by the kernel',
    'a container by FUSE',
    'loop devices',
    'user namespaces',
    'commands by runc',
    'commands as other users',
  ])
    expect(shown.out).toMatch(new RegExp(`^${name} +(yes|no +\\S.*)$`, 'm'))
  expect(shown.out).toMatch(/^plyfs 0\.0\.0, Linux .*, Node\.js .*, store /m)
  expect(shown.out).toContain('index.json has all names')
  const value = JSON.parse((await run('doctor', '--json')).out) as Diagnosis
  expect(value.ways.image.extract).toEqual({ able: true })
  expect(Object.keys(value.abilities)).toEqual(expect.arrayContaining(['erofs', 'fuseDevice', 'fusermount']))
  expect(value).toMatchObject({ root: store, index: 'current', mounts: [] })
  expect(Object.keys(JSON.parse((await run('doctor', '--json')).out).run.runtimes)).toEqual(['runc', 'crun', 'bwrap'])
})

test('doctor says that index.json is behind the names, or damaged', async () => {
  writeFileSync(join(directory, 'rootfs.tar'), archive(member({ name: 'file' }, 'x')))
  expect(await run('import', join(directory, 'rootfs.tar'), 'mine')).toMatchObject({ code: 0 })
  const json = async () => JSON.parse((await run('doctor', '--json')).out) as Diagnosis
  const { index } = await json()
  expect(index).toBe('current')
  // A name that nobody has written there yet, as where there are very many.
  const { digest } = JSON.parse((await run('inspect', 'mine')).out)[0] as { readonly digest: string }
  const descriptor = { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, size: 1 }
  writeFileSync(join(store, 'names', escapeName('other:latest')), JSON.stringify({ name: 'other:latest', descriptor }))
  expect((await json()).index).toBe('behind')
  expect((await run('doctor')).out).toContain('ply gc writes it anew')
  writeFileSync(join(store, 'index.json'), 'x')
  expect((await json()).index).toBe('damaged')
})

test.skipIf(!root)('doctor tells an ordinary user what root could do', async () => {
  const place = join(directory, 'own')
  mkdirSync(place)
  chownSync(place, 65534, 65534)
  chmodSync(directory, 0o755)
  becomeNobody()
  try {
    const shown = await ply(['doctor', '--root', place])
    expect(shown.out).toMatch(/^an image by the kernel +no +only root may mount; run it as root/m)
  } finally {
    becomeRoot()
  }
})
