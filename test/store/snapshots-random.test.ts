import fc from 'fast-check'
import { expect, test } from 'vitest'
import { append, scratch } from '../../src/image/append.ts'
import { layerFrom } from '../../src/image/layer-from.ts'
import type { Container } from '../../src/store/containers/containers.ts'
import { memoryUpper } from '../../src/union/memory-upper.ts'
import { union } from '../../src/union/union-tree.ts'
import { type Step, step, take } from '../overlay/random-steps.ts'
import { isNewHere, type Snapshot, snapshotOfTree, withoutNewNumbers } from '../overlay/snapshots.ts'
import { root } from '../support/ability.ts'
import { everywhere } from './places.ts'

const seed = Number(process.env.PLYFS_SEED ?? Date.now() % 2 ** 31)
const numRuns = Number(process.env.PLYFS_RUNS ?? 4)
const settings = { seed, numRuns, ...(process.env.PLYFS_PATH && { path: process.env.PLYFS_PATH }) }

const image = append(
  scratch,
  layerFrom({
    '/etc/passwd': 'root:x:0:0::/root:/bin/sh\n',
    '/etc/lib/one': 'one',
    '/bin/tool': Buffer.alloc(10_000, '\x7fELF'),
    '/usr/lib/one': '1',
    '/usr/share/one': 'shared',
    '/tool': { symlink: 'bin/tool' },
  }),
  { created: '2024-01-01T00:00:00Z' },
)

const which = fc.nat(5)
type Move = {
  readonly does: 'snapshot' | 'rollback' | 'clone' | 'branch' | 'reopen' | 'remove' | 'collect'
  readonly which: number
}
const moves = fc.array(
  fc.oneof(
    { weight: 12, arbitrary: fc.record({ steps: fc.array(step, { minLength: 1, maxLength: 6 }), which }) },
    {
      weight: 6,
      arbitrary: fc.record({
        does: fc.constantFrom<Move['does']>(
          ...([
            'snapshot',
            'snapshot',
            'rollback',
            'clone',
            'branch',
            'reopen',
            'reopen',
            'remove',
            'collect',
          ] as const),
        ),
        which,
      }),
    },
  ),
  { minLength: 1, maxLength: 25, size: 'max' },
)

/** What a container is in the model: all the steps that led to it, and those that led to its snapshots. */
interface Model {
  readonly name: string
  history: readonly Step[]
  readonly snapshots: Map<string, readonly Step[]>
}

/** Times are the clock's, and new numbers each form's own. */
function comparable(shown: Snapshot): Snapshot {
  const timeless = Object.entries(shown).map(([path, text]) => [path, text.replace(/^((?:\S+ ){3})\S+/, '$1')])
  return withoutNewNumbers(Object.fromEntries(timeless), isNewHere)
}

everywhere('containers that are kept, taken back and cloned at random', (make, kind) => {
  for (const upperForm of kind === 'disk' && root ? (['portable', 'overlay'] as const) : (['portable'] as const)) {
    test(`show what a plain history shows (${upperForm}, seed ${seed})`, async () => {
      await fc.assert(
        fc.asyncProperty(moves, async (all) => {
          const place = await make()
          await using store = await place.open({ upperForm })
          await store.write(image, 'base')
          const { containers } = store
          // A group over two directories, below everything.
          const linking = await containers.create('linking', 'base')
          for (const name of ['/bin/alias', '/usr/lib/alias']) linking.fs.linkSync('/bin/tool', name)
          await store.commit(linking, 'a')
          await linking.close()
          await containers.remove('linking')
          const expected = async (history: readonly Step[]) => {
            const plain = union(await store.tree('a'), memoryUpper())
            const answers = history.map((each) => take(plain, each))
            const shown = comparable(snapshotOfTree(plain))
            plain.close()
            return { answers, shown }
          }
          const open = new Map<string, Container>([['c0', await containers.create('c0', 'a')]])
          const models: Model[] = [{ name: 'c0', history: [], snapshots: new Map() }]
          let names = 0
          const newName = () => `c${++names}`
          const entered = async (name: string, history: readonly Step[], container?: Container) => {
            models.push({ name, history, snapshots: new Map() })
            open.set(name, container ?? (await containers.open(name)))
          }
          for (const move of all) {
            const model = models[move.which % models.length]!
            const container = open.get(model.name)!
            if ('steps' in move) {
              const { answers } = await expected([...model.history, ...move.steps])
              expect(move.steps.map((each) => take(container.tree, each))).toEqual(answers.slice(model.history.length))
              model.history = [...model.history, ...move.steps]
              continue
            }
            const snapshots = [...model.snapshots]
            const [snapshot, then] = snapshots[move.which % (snapshots.length || 1)] ?? []
            const before = snapshotOfTree(container.tree)
            switch (move.does) {
              case 'snapshot': {
                const { name } = await container.snapshot()
                model.snapshots.set(name, model.history)
                expect(snapshotOfTree(container.tree)).toEqual(before)
                break
              }
              case 'rollback':
                if (snapshot === undefined) break
                await container.rollback(snapshot)
                model.history = then!
                break
              case 'clone': {
                const name = newName()
                await entered(name, model.history, await container.clone(name))
                expect(snapshotOfTree(container.tree)).toEqual(before)
                expect(snapshotOfTree(open.get(name)!.tree)).toEqual(before)
                break
              }
              case 'branch': {
                if (snapshot === undefined) break
                const name = newName()
                await containers.clone(`${model.name}@${snapshot}`, name)
                await entered(name, then!)
                break
              }
              case 'reopen':
                await container.close()
                open.set(model.name, await containers.open(model.name))
                expect(snapshotOfTree(open.get(model.name)!.tree)).toEqual(before)
                break
              case 'remove':
                if (snapshot !== undefined) {
                  await containers.remove(`${model.name}@${snapshot}`)
                  model.snapshots.delete(snapshot)
                } else if (models.length > 1) {
                  await container.close()
                  await containers.remove(model.name)
                  models.splice(models.indexOf(model), 1)
                  open.delete(model.name)
                }
                break
              case 'collect':
                expect((await store.collect()).files.filter((file) => file.startsWith('uppers'))).toEqual([])
                break
              default:
                move.does satisfies never
            }
          }
          for (const { name, history, snapshots } of models) {
            const shown = comparable(snapshotOfTree(open.get(name)!.tree))
            expect(shown).toEqual((await expected(history)).shown)
            await open.get(name)!.close()
            for (const [text, steps] of [
              [name, history] as const,
              ...[...snapshots].map(([s, then]) => [`${name}@${s}`, then] as const),
            ]) {
              await using again = await containers.open(text, { readOnly: true })
              expect(comparable(snapshotOfTree(again.tree)), text).toEqual((await expected(steps)).shown)
            }
          }
          for (const { name } of models) await containers.remove(name)
          for (const directory of ['containers', 'uppers', 'tmp']) expect(place.names(directory)).toEqual([])
        }),
        settings,
      )
    }, 300_000)
  }
})
