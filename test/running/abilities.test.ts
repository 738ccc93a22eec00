import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { abilitiesIn } from '../../src/run/abilities.ts'
import { temporaryDirectory } from '../cli/run-ply.ts'

const directory = temporaryDirectory()
const PATH = join(directory, 'bin')
const open = { enter: ['unshare', '--'], owners: 'all' } as const
const closed = { enter: [], owners: 'all', refused: 'unshare: unshare failed: Operation not permitted' } as const

beforeAll(() => {
  mkdirSync(PATH)
  writeFileSync(join(PATH, 'bwrap'), '', { mode: 0o755 })
})

test('a runtime that is here can be used', () => {
  expect(abilitiesIn({ PATH }, open)).toMatchObject({ runtimes: { bwrap: { able: true } }, users: { able: true } })
})

test('of a runtime that is not here it is said what to install', () => {
  const { runtimes } = abilitiesIn({ PATH: directory }, open)
  expect(runtimes.bwrap).toEqual({ able: false, why: 'there is no bwrap', more: 'install the package bubblewrap' })
})

test('without namespaces no runtime helps, and it is said how root opens them', () => {
  const { runtimes, users } = abilitiesIn({ PATH }, closed)
  const why = 'namespaces are closed here (unshare: unshare failed: Operation not permitted)'
  expect(runtimes.bwrap).toEqual({ able: false, why, more: expect.stringContaining('sysctl') })
  expect(users).toEqual(runtimes.bwrap)
})

test('who has root alone in a namespace runs commands, and is told how to get more users', () => {
  const { runtimes, users } = abilitiesIn({ PATH }, { enter: ['unshare', '--'], owners: 'root' })
  expect(runtimes.bwrap).toEqual({ able: true })
  expect(users).toMatchObject({ able: false, more: expect.stringContaining('usermod --add-subuids') })
})
