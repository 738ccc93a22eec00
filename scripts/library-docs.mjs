// Writes docs/library/ from the declarations that tsc makes.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { libraryReference } from './library-reference.mjs'

const place = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url))
const types = mkdtempSync(join(tmpdir(), 'plyfs-types-'))
try {
  const words = ['--emitDeclarationOnly', '--noCheck', '--declarationDir', types]
  execFileSync(place('node_modules/.bin/tsc'), ['-p', place('tsconfig.json'), ...words])
  const pages = libraryReference(types)
  rmSync(place('docs/library'), { recursive: true, force: true })
  mkdirSync(place('docs/library'))
  for (const [name, page] of pages) writeFileSync(place(`docs/library/${name}`), page)
} finally {
  rmSync(types, { recursive: true, force: true })
}
