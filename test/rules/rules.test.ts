import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { rulesOfPage } from './page.ts'
import { switchesOf, thrown } from './switch.ts'
import { switches } from './switches/index.ts'

const rules = rulesOfPage()

describe('the rules of layer-semantics', () => {
  test('the page is read: every section from 1 to 17 but the model has its rules', () => {
    expect(rules.length).toBeGreaterThan(160)
    expect(new Set(rules.map(({ id }) => id)).size).toBe(rules.length)
  })

  test('every rule can be switched off in the code, so that it can be shown that a test notices', () => {
    const without = rules.filter((rule) => switchesOf(switches, rule.id).length === 0)
    expect(without.map(({ id }) => id)).toEqual([])
  })

  test('no switch is left over from a rule that is no more', () => {
    const known = new Set(rules.map(({ id }) => id))
    expect(Object.keys(switches).filter((id) => !known.has(id))).toEqual([])
  })

  test.each(Object.keys(switches))('the switch of %s finds its place in the code', (id) => {
    for (const one of switchesOf(switches, id)) {
      expect(thrown(readFileSync(one.file, 'utf8'), one)).not.toBe(readFileSync(one.file, 'utf8'))
    }
  })
})
