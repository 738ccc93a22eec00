import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A file of `fixtures/fuzz`, from the sources and from what is compiled of them. */
export function fixtures(name = ''): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return join(folder, 'fixtures', 'fuzz', name)
    if (dirname(folder) === folder) throw new Error('the repository is not found')
  }
}
