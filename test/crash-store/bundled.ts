import { mkdirSync, symlinkSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundleProgram } from '../../scripts/bundled-program.mjs'
import { keepPrograms } from '../support/coverage.ts'

const project = fileURLToPath(new URL('../..', import.meta.url))

/**
 * A program of the tests, a path in the project, as one file that Node runs quickly; answers where in the folder it is. Unlike
 * that of the uppers it may use `using`, which Node 20 does not know.
 */
export async function bundled(program: string, folder: string): Promise<string> {
  const directory = join(folder, 'program')
  mkdirSync(directory, { recursive: true })
  // Beside it, so that what is not bundled is found from there.
  symlinkSync(join(project, 'node_modules'), join(directory, 'node_modules'))
  const file = join(directory, `${basename(program, '.ts')}.mjs`)
  await bundleProgram(join(project, program), file)
  keepPrograms([file])
  return file
}
