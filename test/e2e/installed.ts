import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { keepPrograms, sourceMaps } from '../support/coverage.ts'

const repository = fileURLToPath(new URL('../..', import.meta.url))

/** The package as it is installed, in a directory: built here and now, so that no old build is tested. Answers with the command. */
export function installed(directory: string): string {
  mkdirSync(directory, { recursive: true })
  const tsc = join(repository, 'node_modules', '.bin', 'tsc')
  const places = ['--outDir', join(directory, '.modules'), '--declaration', 'false']
  spawnSync(tsc, ['-p', join(repository, 'tsconfig.json'), ...places])
  cpSync(join(repository, 'bin'), join(directory, 'bin'), { recursive: true })
  cpSync(join(repository, 'package.json'), join(directory, 'package.json'))
  symlinkSync(join(repository, 'node_modules'), join(directory, 'node_modules'))
  execFileSync(process.execPath, [join(repository, 'scripts/bundle.mjs'), directory])
  if (sourceMaps) {
    execFileSync(process.execPath, [join(repository, 'scripts/mapped-bundle.mjs'), directory])
    const names = readdirSync(join(directory, 'dist')).filter((name) => name.endsWith('.map'))
    keepPrograms(names.map((name) => join(directory, 'dist', name.slice(0, -4))))
  }
  return join(directory, 'bin', 'ply.js')
}
