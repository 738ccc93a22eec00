import { writeSync } from 'node:fs'
import { join } from 'node:path'
import { codeOf, copy, openSource, openStore, type Store } from '../../src/index.ts'
import { stateOf } from '../crash/state.ts'
import { Dice } from '../properties/seed.ts'

/** What one of the crowd is told. */
export interface Order {
  readonly root: string
  readonly images: string
  readonly seed: number
}

const { root, images, seed }: Order = JSON.parse(process.argv[2]!)
const dice = new Dice(seed)
const image = (): string => `image-${dice.below(6)}`
const container = (): string => `container-${dice.below(6)}`
const snapshot = (): string => `kept-${dice.below(3)}`
const sources = [
  ...['base', 'shared', 'zstd'].map((name) => `oci:${join(images, name)}`),
  `docker-archive:${join(images, 'sparse.tar')}`,
]

/** What people do with a store, each as often as it stands here. */
const acts: Readonly<Record<string, (store: Store) => Promise<unknown>>> = {
  async load(store) {
    await using source = await openSource(dice.pick(sources))
    await copy(source, store, { as: image() })
  },
  async read(store) {
    const name = image()
    for (let tries = 1; ; tries++) {
      const before = await digestOf(store, name)
      try {
        const tree = await store.tree(name)
        try {
          stateOf(tree)
          return
        } finally {
          tree.close()
        }
      } catch (error) {
        // Who reads holds no lock: an image that lost its name meanwhile may be collected, and be there again by now.
        if (!['ENOENT', 'PLY_BLOB_NOT_FOUND'].includes(codeOf(error) ?? '')) throw error
        if ((await digestOf(store, name)) !== before) return
        if (tries === 3) throw error
      }
    }
  },
  async create(store) {
    await using made = await store.containers.create(container(), image())
    made.fs.writeFileSync('/made', Buffer.alloc(10_000, dice.below(256)))
  },
  async write(store) {
    await using found = await store.containers.open(container())
    found.fs.writeFileSync(`/file-${dice.below(5)}`, Buffer.alloc(dice.below(20_000), 'w'))
  },
  async show(store) {
    await using found = await store.containers.open(container(), { readOnly: true })
    try {
      stateOf(found.tree)
    } catch (error) {
      // Who reads holds no lock: what is read may be removed, or replaced, meanwhile. Opening has to cope with it.
      const now = (await store.containers.list()).find(({ name }) => name === found.name)
      if (codeOf(error) !== 'ENOENT' || now?.upper === found.upper) throw error
    }
  },
  async commit(store) {
    await using found = await store.containers.open(container())
    await store.commit(found, image(), { epoch: 1_700_000_000 })
  },
  snapshot: (store) => store.containers.snapshot(container(), snapshot()),
  rollback: (store) => store.containers.rollback(container(), snapshot()),
  clone: (store) => store.containers.clone(dice.once(2) ? container() : `${container()}@${snapshot()}`, container()),
  convert: (store) => store.containers.convert(container(), dice.once(2) ? 'portable' : 'overlay'),
  rm: (store) => store.containers.remove(dice.once(3) ? `${container()}@${snapshot()}` : container()),
  rmi: (store) => store.untag(image()),
  tag: (store) => store.tag(image(), image()),
  squash: (store) => store.squash(image(), { as: image() }),
  collect: (store) => store.collect(),
  async fsck(store) {
    const { findings } = await store.fsck({ level: dice.pick(['structure', 'sizes', 'digests', 'caches']) })
    const damage = findings.filter(({ kind }) => kind === 'damage')
    if (damage.length > 0) throw new Error(`damage: ${JSON.stringify(damage)}`)
  },
  df: (store) => store.usage(),
  list: (store) => store.images(),
}

async function digestOf(store: Store, name: string): Promise<string | undefined> {
  return (await store.images()).find((one) => one.name === `${name}:latest` || one.name === name)?.digest
}

/** What is no error where others do the same. */
const expected = [
  ...['PLY_STORE_BUSY', 'PLY_CONTAINER_BUSY', 'PLY_IMAGE_NOT_FOUND', 'PLY_CONTAINER_NOT_FOUND', 'PLY_CONTAINER_EXISTS'],
  ...['PLY_SNAPSHOT_NOT_FOUND', 'PLY_SNAPSHOT_EXISTS'],
]

/** One thing done with a store that is opened for it; answers how it ended. */
async function attempt(name: string): Promise<string> {
  try {
    await using store = await openStore(root)
    await acts[name]!(store)
    return 'worked'
  } catch (error) {
    const code = codeOf(error) ?? 'none'
    if (expected.includes(code)) return code
    return `failed ${(error as Error).stack}`
  }
}

for (;;) {
  const name = dice.pick(Object.keys(acts))
  const ending = await attempt(name)
  // A pipe takes a short line whole, or the process is gone.
  writeSync(1, `${name} ${ending.replaceAll('\n', ' ').slice(0, 3000)}\n`)
}
