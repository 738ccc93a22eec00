import { join } from 'node:path'
import { mountingPrograms } from '../support/mounting-programs.ts'

/** Makes `three-ways.js`, and what it starts, as they lie in a package; answers with its path. */
export async function threeWaysProgram(folder: string): Promise<string> {
  await mountingPrograms(folder, { 'three-ways': './test/mount/three-ways.ts' })
  return join(folder, 'three-ways.js')
}
