import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { causes } from '../../src/cli/error-causes.ts'
import { errorReference } from '../../src/cli/error-reference.ts'
import { errorCodes, PlyError } from '../../src/index.ts'
import { testIf } from '../support/ability.ts'
import { answersOfDisks } from './disks.ts'
import { Ground, provoke } from './ground.ts'
import { imageErrors } from './images.ts'
import { registryErrors } from './registries.ts'
import { storeErrors } from './stores.ts'

const file = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const provocations = [...imageErrors, ...storeErrors, ...registryErrors]

/** What takes programs that run containers, or processes that are killed: the end-to-end tests provoke it. */
const elsewhere = {
  PLY_BUILD_FAILED: 'test/e2e/run.test.ts',
  PLY_MOUNT_BUSY: 'test/e2e/mount.test.ts',
  PLY_MOUNT_EXISTS: 'test/e2e/mount.test.ts',
  PLY_SERVER_ENDED: 'test/e2e/mount.test.ts',
} as const

describe('an error names what is wrong, says what to do, has its exit status, and leaves nothing behind', () => {
  for (const one of provocations) {
    const { unless = false } = one
    testIf(unless === false, unless || '')(`${one.code}: ${one.what}`, () => provoke(one))
  }
})

test('whatever a disk answers is passed on by its name, and the store is as it was', async () => {
  const ground = await Ground.make()
  for (const answer of answersOfDisks) await provoke(answer, ground)
})

test('every code is provoked', () => {
  const provoked = new Set<string>([
    ...[...provocations, ...answersOfDisks].map(({ code }) => code),
    ...Object.keys(elsewhere),
  ])
  expect(errorCodes.filter((code) => !provoked.has(code))).toEqual([])
  for (const [code, path] of Object.entries(elsewhere)) expect(file(path)).toContain(code)
})

test('every code of plyfs has its cause and its cure', () => {
  expect(Object.keys(causes).sort()).toEqual(errorCodes.filter((code) => code.startsWith('PLY_')).sort())
})

test('docs/errors.md is current (npm run docs:errors writes it)', () => {
  expect(file('docs/errors.md')).toBe(errorReference({ codes: errorCodes, PlyError }))
})
