import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { unpackCorpus } from '../corpus-file.ts'

/** The inputs for a target in these folders: packed in one file, or one by one in a folder of the target's name. */
export function savedCorpus(folders: readonly string[], target: string): Buffer[] {
  const inputs: Buffer[] = []
  for (const folder of folders) {
    for (const name of [`${target}.found.gz`, `${target}.corpus.gz`]) {
      const packed = join(folder, name)
      if (existsSync(packed)) inputs.push(...unpackCorpus(readFileSync(packed)))
    }
    const loose = join(folder, target, 'corpus')
    if (!existsSync(loose)) continue
    for (const name of readdirSync(loose).sort()) inputs.push(readFileSync(join(loose, name)))
  }
  return inputs
}
