import { copyFileSync, existsSync, mkdirSync, realpathSync } from 'node:fs'
import { join } from 'node:path'

/** Where Node writes what a process has run, while `npm run coverage` measures. */
const directory = process.env.NODE_V8_COVERAGE

/** Whether programs of the tests are built with a map to their sources beside them, `PROGRAM.map`. */
export const sourceMaps = directory !== undefined

/** Keeps a program that is about to go with its test's folder: what it has run is looked up in it in the end. */
export function keepPrograms(files: readonly string[]): void {
  if (directory === undefined) return
  const kept = join(directory, 'programs')
  mkdirSync(kept, { recursive: true })
  for (const file of files) {
    // What the bundler itself adds has no source.
    if (!existsSync(`${file}.map`)) continue
    const place = join(kept, encodeURIComponent(realpathSync(file)))
    copyFileSync(file, place)
    copyFileSync(`${file}.map`, `${place}.map`)
  }
}
