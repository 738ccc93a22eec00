import { readFile } from 'node:fs/promises'
import type { CheckRules, Library } from './library.ts'
import { UsageError } from './usage-error.ts'

/** The rules in a file, TOML or (where the name ends in .json, or it begins with a brace) JSON. @throws PLY_USAGE; what reading throws */
export async function rulesIn(path: string, { checkRules, PlyError }: Library): Promise<CheckRules> {
  const text = await readFile(path, 'utf8')
  try {
    return checkRules(
      /\.json$/i.test(path) || /^\s*\{/.test(text) ? JSON.parse(text) : (await import('smol-toml')).parse(text),
    )
  } catch (error) {
    if (error instanceof PlyError) throw new UsageError(`${path}: ${error.details.reason}`)
    throw new UsageError(`${path}: ${(error as Error).message.split('\n')[0]}`)
  }
}
