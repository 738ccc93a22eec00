import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { packCorpus } from '../corpus-file.ts'
import { targetNamed } from '../targets/named.ts'
import { Coverage } from './coverage.ts'
import { savedCorpus } from './saved-corpus.ts'

/** The corpus of a target that is checked in has at most so many bytes, unpacked. */
const mostBytes = 1 << 20

/**
 * Keeps of all inputs in these folders those that reach code, or get an answer, that no smaller one does; writes them into
 * one file. What fails is left out.
 */
export async function minimise(name: string, folders: readonly string[], into: string): Promise<void> {
  const coverage = new Coverage(new URL('../../../src/', import.meta.url).href)
  coverage.start()
  const target = await targetNamed(name)
  const inputs = savedCorpus(folders, name).sort((a, b) => a.length - b.length || Buffer.compare(a, b))
  const answers = new Set<string>()
  const forCode: Buffer[] = []
  const forAnswers: Buffer[] = []
  // What runs once, at the beginning, is nobody's merit.
  for (const input of inputs.slice(0, 3)) await target.run(input).catch(() => undefined)
  coverage.isNew(coverage.take(), true)
  for (const input of inputs) {
    const answer = await target.run(input).catch((error) => {
      console.error(`${name}: an input fails, and is left out: ${error}`)
      return undefined
    })
    const code = coverage.isNew(coverage.take(), true)
    if (answer === undefined) continue
    if (code) forCode.push(input)
    else if (!answers.has(answer)) forAnswers.push(input)
    answers.add(answer)
  }
  // Code first; answers as far as there is room, the small ones.
  const kept = [...forCode]
  let bytes = kept.reduce((sum, input) => sum + input.length, 0)
  for (const input of forAnswers) {
    if ((bytes += input.length) > mostBytes || kept.length >= 400) break
    kept.push(input)
  }
  const file = packCorpus(kept)
  writeFileSync(join(into, `${name}.corpus.gz`), file)
  console.log(`${name}: ${kept.length} of ${inputs.length} inputs, ${file.length} bytes`)
}
