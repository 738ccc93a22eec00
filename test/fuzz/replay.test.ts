import { existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { fixtures } from './fixtures.ts'
import { keyOf } from './run/findings.ts'
import { savedCorpus } from './run/saved-corpus.ts'
import { targetNamed, targetNames } from './targets/named.ts'

/** What holds of every input that the fuzzer kept. */
const promises: Readonly<Record<(typeof targetNames)[number], string>> = {
  tar: 'an archive is read the same in one piece, cut up and scanned, or refused with its rule',
  pax: 'an extended header says the same however it is cut, or is refused with its rule',
  sparse: 'a map of any form is read the same however it is cut, or is refused with its rule',
  gzip: 'Z-02, Z-04: members are read as RFC 1952 says, or refused',
  zstd: 'Z-03, Z-04: every decoder reads the same, or refuses',
  erofs: 'an index that was damaged or made to deceive is read to its end, or refused',
  layer: 'I-01, I-03: a layer is kept as it came, and its index is the same when it is built again',
  documents: 'a document or a reference reads the same when it is written again, or is refused',
}

describe('what the fuzzer kept', () => {
  test.each(targetNames.map((name) => [name, promises[name]] as const))('%s: %s', async (name) => {
    expect(existsSync(fixtures(`${name}.corpus.gz`)), 'npm run fuzz -- --minimise makes the corpora').toBe(true)
    const target = await targetNamed(name)
    const failed: string[] = []
    for (const [i, input] of savedCorpus([fixtures()], name).entries()) {
      await target.run(input).catch((error) => failed.push(`input ${i}: ${keyOf(error)}`))
    }
    expect(failed).toEqual([])
  })
})
