import { describe, expect, test } from 'vitest'
import { corpus, themes } from './archives.ts'
import { chunkSizes, readBlob, readTar, refusalOf } from './read.ts'
import { tellLayer } from './tell-layer.ts'

for (const [theme, cases] of Object.entries(themes)) {
  describe(`the corpus: ${theme}`, () => {
    for (const one of cases) {
      test(one.name, async () => {
        const { expect: expected, blob, options } = one
        if ('refused' in expected) {
          const refusal = { code: expected.code, rule: expected.refused }
          expect(await refusalOf(readBlob(blob, undefined, options))).toEqual(refusal)
          for (const size of chunkSizes(one))
            expect(await refusalOf(readBlob(blob, size, options)), `in chunks of ${size}`).toEqual(refusal)
          return
        }
        const whole = await readBlob(blob, undefined, options)
        expect(tellLayer(whole.view)).toEqual(expected.says)
        expect(whole.warnings).toEqual(expected.warnings)
        expect(whole.tar.equals(one.tar)).toBe(true)
        for (const size of chunkSizes(one)) {
          const cut = await readBlob(blob, size, options)
          expect(cut.index.equals(whole.index), `in chunks of ${size}`).toBe(true)
          expect(cut.warnings, `in chunks of ${size}`).toEqual(expected.warnings)
        }
      })
    }
  })
}

describe('the corpus', () => {
  test('has no two cases of one name', () => {
    const names = corpus.map(({ name }) => name)
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([])
  })

  test('I-02, I-03: every index comes back from the tar alone, byte for byte', async () => {
    for (const { name, expect: expected, blob, tar, options } of corpus) {
      if ('refused' in expected) continue
      const { index } = await readBlob(blob, undefined, options)
      const rebuilt = await readTar(tar, options)
      expect(rebuilt.index.equals(index), name).toBe(true)
    }
  })

  test('with strict every warning is a refusal by its rule', async () => {
    for (const { name, expect: expected, blob, options } of corpus) {
      if ('refused' in expected || expected.warnings.length === 0) continue
      const refusal = await refusalOf(readBlob(blob, undefined, { ...options, strict: true }))
      expect(refusal, name).toEqual({ code: 'PLY_BAD_LAYER', rule: expected.warnings[0] })
    }
  })

  test('with lenient nothing that was accepted is refused, and only what may be accepted is', async () => {
    const forgiven: string[] = []
    for (const { name, expect: expected, blob, options } of corpus) {
      const found = await refusalOf(readBlob(blob, undefined, { ...options, lenient: true }))
      if (!('refused' in expected)) expect(found, name).toBe('accepted')
      else if (found === 'accepted') forgiven.push(expected.refused)
      else expect(found, name).toEqual({ code: expected.code, rule: expected.refused })
    }
    expect([...new Set(forgiven)].sort()).toEqual(['N-14', 'Z-02'])
  })
})
