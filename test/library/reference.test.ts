import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { libraryReference, undocumented } from '../../scripts/library-reference.mjs'
import * as library from '../../src/index.ts'
import { temporary } from '../support/temporary.ts'

const project = fileURLToPath(new URL('../..', import.meta.url))

/** The declarations as tsc makes them now. */
function declarations(): string {
  const types = temporary()
  const words = ['-p', join(project, 'tsconfig.json'), '--emitDeclarationOnly', '--noCheck', '--declarationDir', types]
  const { status, stdout } = spawnSync(join(project, 'node_modules/.bin/tsc'), words)
  expect(status, stdout.toString()).toBe(0)
  return types
}

describe('the reference of the library', () => {
  test('is current (npm run docs:library writes it), has every public name, and every name is explained', () => {
    const types = declarations()
    const pages = libraryReference(types)
    const folder = join(project, 'docs/library')
    expect(readdirSync(folder).sort()).toEqual([...pages.keys()].sort())
    for (const [name, page] of pages) expect(readFileSync(join(folder, name), 'utf8') === page, name).toBe(true)
    expect(undocumented(types)).toEqual([])
    const all = [...pages.values()].join('\n')
    expect(Object.keys(library).filter((name) => !all.includes(`\n## ${name}\n`))).toEqual([])
  })
})
