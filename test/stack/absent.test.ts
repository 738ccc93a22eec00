import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { LayerView } from '../../src/layer/view.ts'
import { BelowAbsent, type StackedTree, stackedTree } from '../../src/stack/index.ts'
import { modelView } from './layers.ts'
import { layers, models } from './random-layers.ts'

/** A layer that nobody has. */
const nobody = new Proxy({} as LayerView, {
  get(_, name) {
    if (name === 'linksBelow') return undefined
    throw new TypeError(`a layer that is not here was asked for its ${String(name)}`)
  },
})

const unknown = Symbol('unknown')

/** An answer, or that it depends on what is not here. */
function known<T>(ask: () => T): T | typeof unknown {
  try {
    return ask()
  } catch (error) {
    if (error instanceof BelowAbsent) return unknown
    throw error
  }
}

/** Everything that can be said of an inode but its number. */
function facts(tree: StackedTree, ino: number) {
  const { ino: _, ...stat } = tree.stat(ino)
  return {
    ...stat,
    xattrs: [...tree.xattrs(ino)],
    ...(stat.kind === 'symlink' && { target: tree.readlink(ino) }),
    ...(stat.kind === 'file' && { place: tree.place(ino) }),
  }
}

test('A-02: what is said without the lower layers is what is said with them, whatever they hold', () => {
  let answers = 0
  let unknowns = 0
  fc.assert(
    fc.property(layers, fc.nat(5), (lines, some) => {
      const views = models(lines).models.map(modelView)
      const absent = Math.min(some, views.length - 1)
      const whole = stackedTree(views)
      const upper = stackedTree(
        [...views.slice(0, absent).map(() => nobody), ...views.slice(absent)],
        undefined,
        undefined,
        absent,
      )
      const agree = (what: string, ask: () => unknown, expected: () => unknown) => {
        const answer = known(ask)
        if (answer === unknown) {
          unknowns++
          expect(absent, what).toBeGreaterThan(0)
        } else {
          answers++
          expect(answer, what).toEqual(expected())
        }
      }
      const waiting: [StackedTree['root'], StackedTree['root'], string][] = [[upper.root, whole.root, '']]
      for (let pair = waiting.pop(); pair !== undefined; pair = waiting.pop()) {
        const [here, there, path] = pair
        agree(
          `facts of ${path}/`,
          () => facts(upper, here),
          () => facts(whole, there),
        )
        const names = [...whole.list(there)].map(({ name }) => name)
        agree(
          `list of ${path}/`,
          () => [...upper.list(here)].map(({ name, kind }) => [name, kind]),
          () => [...whole.list(there)].map(({ name, kind }) => [name, kind]),
        )
        for (const name of [...names, 'a', 'b', 'c', 'no such name']) {
          const found = known(() => upper.lookup(here, name))
          const expected = whole.lookup(there, name)
          if (found === unknown) {
            unknowns++
            continue
          }
          answers++
          expect(found === undefined, `${path}/${name}`).toBe(expected === undefined)
          if (found === undefined || expected === undefined) continue
          const kind = known(() => upper.kind(found))
          expect(kind, `${path}/${name}`).toBe(whole.kind(expected))
          if (kind === 'directory') waiting.push([found, expected, `${path}/${name}`])
          else
            agree(
              `facts of ${path}/${name}`,
              () => facts(upper, found),
              () => facts(whole, expected),
            )
        }
      }
    }),
    { numRuns: 400 },
  )
  // Both come often, or nothing was tried.
  expect(answers).toBeGreaterThan(2000)
  expect(unknowns).toBeGreaterThan(300)
})
