import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compareImages, type ImageDifference } from '../../image/compare.ts'
import type { Digest } from '../../model/digest.ts'
import type { Tree } from '../../stack/tree.ts'
import { buildGround } from '../../store/builds/ground.ts'
import { openStore } from '../../store/open-store.ts'
import type { Store } from '../../store/store.ts'
import { build } from '../build.ts'
import { BuiltSteps } from '../cache/target.ts'
import { restatedTree } from '../copy/restated-tree.ts'
import type { BuildOptions, NamedContext } from '../options.ts'
import type { ProgramOptions } from '../program/program.ts'
import { type DifferentStep, differentStep, type OneBuild } from './reproduction.ts'

/** What two builds of one thing came to. */
export type Reproduction =
  | { readonly same: true; readonly digest: Digest }
  | {
      readonly same: false
      readonly digests: readonly [Digest, Digest]
      /** The first step that made something else; absent where only what the images say of themselves differs. */
      readonly step?: DifferentStep
      readonly configuration: readonly ImageDifference[]
    }

/**
 * Builds twice from nothing and says whether the same came out; if not, where the two first went apart. Each build has a store of its
 * own, gone afterwards, which only takes images from `store`. In the second one the files of the contexts have other times and owners,
 * this process has another umask, time zone and place for temporary files, the clock shows another second, and stages go side by
 * side; so nothing else should be built in this process meanwhile.
 *
 * @throws what `build` throws
 */
export async function reproduce(store: Store, options: BuildOptions | ProgramOptions): Promise<Reproduction> {
  const { signal, onProgress } = options
  const operation = { signal, onProgress }
  const ground = store[buildGround]
  using _ = await ground.hold(operation)
  using scratch = await ground.scratch(operation)
  const one = await fresh(store, join(scratch.path, 'one'), { ...options, jobs: 1 })
  await using first = one.store
  await nextSecond()
  const other = await changedSurroundings(() =>
    fresh(store, join(scratch.path, 'other', 'elsewhere'), { ...elsewhere(options), jobs: 4 }),
  )
  await using second = other.store
  const before = { ...one, store: first }
  const after = { ...other, store: second }
  if (before.image.digest === after.image.digest) return { same: true, digest: before.image.digest }
  const step = await differentStep(before, after, operation)
  return {
    same: false,
    digests: [before.image.digest, after.image.digest],
    ...(step !== undefined && { step }),
    configuration: compareImages(before.image, after.image),
  }
}

async function fresh(base: Store, place: string, options: BuildOptions | ProgramOptions): Promise<OneBuild> {
  const inMemory = base.root === ':memory:'
  const below = inMemory ? [] : [base.root, ...(options.opening?.below ?? [])]
  const opening = { ...options.opening, below, durable: false }
  const store = await openStore(inMemory ? ':memory:' : place, opening)
  const steps = new BuiltSteps()
  const resolve: BuildOptions['resolve'] =
    options.resolve ?? ((name, platform, operation) => base.image(name, { platform, ...operation }))
  try {
    const image = await build(store, { ...options, opening, resolve, made: steps, caches: [], noCache: false })
    return { image, store, steps: steps.of('max') }
  } catch (error) {
    await store[Symbol.asyncDispose]()
    throw error
  }
}

/** The same contexts, as another checkout of another user would have them. */
function elsewhere<T extends BuildOptions | ProgramOptions>(options: T): T {
  const { context, contexts = {} } = options
  const moved = Object.entries(contexts).map(([name, one]): [string, NamedContext] => [
    name,
    typeof one === 'function' || 'manifest' in one ? one : checkout(one),
  ])
  return { ...options, ...(context && { context: checkout(context) }), contexts: Object.fromEntries(moved) }
}

function checkout(tree: Tree): Tree {
  return restatedTree(tree, (stat) => ({ ...stat, uid: 54_321, gid: 54_322, mtime: stat.mtime + 86_461_123_456_789n }))
}

async function changedSurroundings<T>(work: () => Promise<T>): Promise<T> {
  // Nothing is mounted in a store, so this is outside.
  const place = mkdtempSync(join(tmpdir(), 'ply-elsewhere-'))
  const before = { TMPDIR: process.env.TMPDIR, TZ: process.env.TZ }
  const mask = process.umask(0o077)
  Object.assign(process.env, { TMPDIR: place, TZ: 'Pacific/Kiritimati' })
  try {
    return await work()
  } finally {
    process.umask(mask)
    rmSync(place, { recursive: true, force: true })
    for (const [name, value] of Object.entries(before))
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
  }
}

/** Who writes down the time gets another one. */
async function nextSecond(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 1005 - (Date.now() % 1000)))
}
