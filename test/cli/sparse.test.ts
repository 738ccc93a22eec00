import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { archive, member } from '../tar/raw.ts'
import { expanded, forms, type SparseSpec } from '../tar/sparse-forms.ts'
import { ply, temporaryDirectory } from './run-ply.ts'

const directory = temporaryDirectory()
const run = (...argv: string[]) => ply([...argv, '--root', join(directory, 'store')])
const at = (name: string) => join(directory, name)

test('S-01, S-06, S-07: sparse layers go through import, cat, diff, export and cp', async () => {
  const spec: SparseSpec = {
    name: 'big',
    size: (65 << 20) + 3,
    runs: [
      [8192, Buffer.alloc(5000, 'x')],
      [64 << 20, Buffer.from('far')],
    ],
  }
  const full = expanded(spec)
  writeFileSync(at('sparse.tar'), archive(forms['1.0'](spec), member({ name: 'plain' }, 'text')))
  writeFileSync(at('full.tar'), archive(member({ name: 'big' }, full), member({ name: 'plain' }, 'text')))
  for (const name of ['sparse', 'full']) {
    expect(await run('import', at(`${name}.tar`), name)).toMatchObject({ code: 0 })
  }
  expect(await run('diff', 'sparse', 'full')).toMatchObject({ code: 0, out: '' })
  expect((await run('cat', 'sparse', 'plain')).out).toBe('text')
  const exported = await run('export', 'sparse', '-o', at('sparse.out'))
  expect(exported).toMatchObject({ code: 0 })
  expect(exported.err).toContain('warning: big:')
  expect(exported.err).toContain('(S-07)')
  expect((await run('export', 'full', '-o', at('full.out'))).err).not.toContain('S-07')
  expect(readFileSync(at('sparse.out')).equals(readFileSync(at('full.out')))).toBe(true)

  await run('create', 'sparse', '--name', 'work')
  expect(await run('cp', 'work:/big', at('copy'))).toMatchObject({ code: 0 })
  expect(readFileSync(at('copy')).equals(full)).toBe(true)
  expect(statSync(at('copy')).blocks * 512).toBeLessThanOrEqual(64 << 10)
})

test('section 17: the budget of sparse maps can be raised', async () => {
  const runs = [0, 2, 4, 6].map((offset) => [offset, Buffer.from('x')] as const)
  writeFileSync(at('map.tar'), archive(forms['1.0']({ name: 'f', size: 9, runs })))
  const lowered = await run('import', at('map.tar'), 'map', '--limit', 'sparseEntries=3')
  expect(lowered.code).not.toBe(0)
  expect(lowered.err).toContain('sparseEntries')
  expect(await run('import', at('map.tar'), 'map', '--limit', 'sparseEntries=4')).toMatchObject({ code: 0 })
})
