import { cpSync, rmSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import type { Result } from './aftermath.ts'
import { byPath } from './by-path.ts'
import { openUnion, type Place } from './forms.ts'
import { type Ground, seen } from './ground.ts'
import { litterIn } from './litter.ts'
import type { Scenario } from './scenarios.ts'
import { verdictOn } from './verdict.ts'

/**
 * Cuts the log of the portable form off where a process that died in the middle of a write may have left it: at each length from
 * that before a change to that after it, of which `choose` takes some. Answers what came of each.
 */
export function cuts(
  ground: Ground,
  scenario: Scenario,
  choose: (lengths: readonly number[]) => readonly number[] = (lengths) => lengths,
): Result[] {
  const place = ground.furnished('portable', scenario)
  if (typeof place === 'string' || scenario.isFirst) return []
  const log = join(place.at, 'log')
  const start = statSync(log).size
  const old = seen(place, true)
  const view = openUnion(place)
  scenario.act(byPath(view))
  view.close()
  const next = seen(place, true)
  const lengths = Array.from({ length: Math.max(0, statSync(log).size - start) }, (_, i) => start + i)
  const torn: Place = { ...place, at: `${place.at}-torn` }
  const results = choose(lengths).map((length): Result => {
    cpSync(place.at, torn.at, { recursive: true })
    truncateSync(join(torn.at, 'log'), length)
    const { is, between, differences } = verdictOn(seen(torn), old, next, {
      from: 0n,
      to: 0n,
      isSeveral: scenario.isSeveral === true,
    })
    const wrong = [...differences, ...litterIn(torn, new Set()).map((each) => `litter: ${each}`)]
    rmSync(torn.at, { recursive: true })
    return { shows: is, wrong: wrong.map((each) => `${scenario.name}: cut at byte ${length}: ${each}`), between }
  })
  rmSync(place.at, { recursive: true })
  return results
}
