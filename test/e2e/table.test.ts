import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, vi } from 'vitest'
import { openStore, type Store } from '../../src/index.ts'
import { builtIn, failureSays, linesOf, saidOf } from '../build/table/built.ts'
import { tables } from '../build/table/tables.ts'
import { root, testIf } from '../support/ability.ts'
import { shellImage } from './shell-image.ts'

vi.setConfig({ testTimeout: 60_000 })

const reason = !root ? 'mounting here takes root' : spawnSync('runc', ['--version']).error ? 'there is no runc' : ''
const able = testIf(reason === '', reason)

describe('Dockerfiles that run something', () => {
  let directory: string
  let store: Store
  beforeAll(async () => {
    if (reason !== '') return
    directory = mkdtempSync(join(tmpdir(), 'ply-test-table-'))
    store = await openStore(join(directory, 'store'))
    await store.write(await builtIn(store, shellImage()), 'shell')
  })
  afterAll(async () => {
    await store?.[Symbol.asyncDispose]()
    if (reason === '') rmSync(directory, { recursive: true, force: true })
  })

  for (const one of Object.values(tables)
    .flat()
    .filter(({ runs, often }) => runs === true && (often === true || process.env.PLYFS_TABLE === 'all'))) {
    able(one.says, async () => {
      if (one.fails !== undefined) {
        const error = await builtIn(store, one).then(
          () => undefined,
          (thrown: unknown) => thrown,
        )
        expect(error, 'it does not fail').toBeDefined()
        expect(failureSays(one, error)).toBeUndefined()
        return
      }
      const image = await builtIn(store, one)
      const lines = await linesOf(store, image)
      expect(lines.filter((line) => /^\/w\/[^ ]/.test(line))).toEqual(one.tree ?? [])
      expect(saidOf(image.config.config ?? {})).toEqual(one.config ?? {})
    })
  }
})
