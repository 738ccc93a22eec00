import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { PlyError } from '../model/errors.ts'

/** Programs of their own that mounting starts, as threads or processes; each is an entry of the bundle. */
export type MountProgram = 'serving-thread' | 'background-server' | 'command-in-mount'

/**
 * Where such a program is: beside what is bundled, or, for who runs the sources, where the last build has put it.
 * @throws PLY_UNSUPPORTED if nothing is built
 */
export function programPath(name: MountProgram): string {
  if (!import.meta.url.endsWith('.ts')) return fileURLToPath(new URL(`./${name}.js`, import.meta.url))
  const built = fileURLToPath(new URL(`../../dist/${name}.js`, import.meta.url))
  if (existsSync(built)) return built
  throw new PlyError('PLY_UNSUPPORTED', { what: 'a FUSE mount', reason: 'nothing is built; run: npm run build' })
}
