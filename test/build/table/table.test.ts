import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openStore } from '../../../src/index.ts'
import { builtIn, failureSays, linesOf, saidOf } from './built.ts'
import { placed } from './case.ts'
import { servedPlaces } from './served.ts'
import { tables } from './tables.ts'

let places: Awaited<ReturnType<typeof servedPlaces>>
beforeAll(async () => {
  places = await servedPlaces()
})
afterAll(() => places[Symbol.asyncDispose]())

for (const [title, cases] of Object.entries(tables)) {
  describe(title, () => {
    for (const written of cases.filter(({ runs }) => runs !== true)) {
      test(written.says, async () => {
        const one = placed(written, places.names)
        await using store = await openStore(':memory:')
        if (one.fails !== undefined) {
          const error = await builtIn(store, one).then(
            () => undefined,
            (thrown: unknown) => thrown,
          )
          expect(error, 'it does not fail').toBeDefined()
          expect(failureSays(one, error)).toBeUndefined()
          return
        }
        const image = await builtIn(store, one)
        expect(await linesOf(store, image)).toEqual(one.tree ?? [])
        expect(saidOf(image.config.config ?? {})).toEqual(one.config ?? {})
        if (one.platform !== undefined) {
          const { os, architecture, variant } = image.config
          expect([os, architecture, variant].filter(Boolean).join('/')).toBe(one.platform)
        }
      })
    }
  })
}

test('the table has at least 250 Dockerfiles, each with a sentence of its own', () => {
  const all = Object.values(tables).flat()
  expect(all.length).toBeGreaterThanOrEqual(250)
  const names = all.map(({ says }) => says)
  expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([])
})
