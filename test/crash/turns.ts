import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { type Lower, lowerAt } from '../overlay/lower.ts'
import { type Step, take } from '../overlay/random-steps.ts'
import { Dice } from '../properties/seed.ts'
import { byPath } from './by-path.ts'
import { type Form, makePlace, openUnion, type Place } from './forms.ts'
import { inKernel, type Limits } from './in-kernel.ts'
import type { MountedOver } from './overlay-mount.ts'
import { someSteps } from './some-steps.ts'
import { differences, type State, stateOf, stateOfDirectory, told } from './state.ts'
import { takeOnDisk } from './steps-on-disk.ts'

/** A way to mount an upper. */
export interface Way extends Limits {
  readonly form: Exclude<Form, 'portable'>
  /** With these options the kernel writes. */
  readonly writes: string
  /** With these it shows everything that can be in the upper. */
  readonly shows: string
}

export interface Turns {
  readonly way: Way
  readonly first: 'us' | 'kernel'
  readonly seed: number
  readonly runs: number
}

export interface Done {
  steps: number
  worked: number
  entries: number
  /** What was different in the first run that was not the same, with all its steps. */
  wrong: string[]
}

const turns = 4

/**
 * We and the kernel write one upper in turns, at random; after each turn both have to show the same tree. Stops at the first
 * run that is wrong.
 */
export function takeTurns(
  { way, first, seed, runs }: Turns,
  {
    lower,
    kernel,
    folder,
  }: { readonly lower: Omit<Lower, 'tree'>; readonly kernel: MountedOver; readonly folder: string },
): Done {
  const groups = way.isRootless ? linkGroups(lower) : undefined
  const done: Done = { steps: 0, worked: 0, entries: 0, wrong: [] }
  for (let run = 0; run < runs; run++) {
    const place: Place = { form: way.form, at: join(folder, `${first}-${run}`), lower }
    makePlace(place)
    const dice = new Dice(seed + run)
    if (first === 'us') describeRoot(place)
    const story: string[] = []
    for (let turn = 0; turn < turns; turn++) {
      const by = (turn % 2 === 0) === (first === 'us') ? 'us' : 'kernel'
      const steps = someSteps(dice, ours(place, true), 1 + dice.below(20))
      const answers =
        by === 'us'
          ? takeAll(place, steps)
          : kernel.with(at(place), way.writes, (root) => steps.map((each) => takeOnDisk(root, each)))
      story.push(...steps.map((each, i) => `${by}: ${JSON.stringify(each)} → ${answers[i] ?? 'worked'}`))
      done.steps += steps.length
      done.worked += answers.filter((answer) => answer === undefined).length
      try {
        const here = ours(place)
        const there = kernel.with(at(place), way.shows, stateOfDirectory)
        done.entries += Object.keys(here).length
        done.wrong = [
          ...inKernel(there, here, way, groups).map((each) => `the kernel shows: ${each}`),
          ...differences(ours(place), here).map((each) => `after the kernel had it: ${told(each)}`),
        ]
      } catch (error) {
        done.wrong = [String((error as Error).stack)]
      }
      if (done.wrong.length === 0) continue
      done.wrong.push(`in run ${run} after turn ${turn} (PLYFS_SEED=${seed}):`, ...story)
      return done
    }
    rmSync(place.at, { recursive: true })
  }
  return done
}

/** The numbers of lower inodes with several names. */
function linkGroups(lower: Omit<Lower, 'tree'>): Set<number> {
  const tree = lowerAt(lower).tree()
  const all = Object.values(stateOf(tree))
  tree.close()
  return new Set(all.filter(({ kind, links }) => kind !== 'directory' && links > 1).map(({ ino }) => ino))
}

const at = (place: Place) => ({ upperDir: join(place.at, 'upper'), workDir: join(place.at, 'work') })

/** What a union that was just opened shows. Opened for reading it leaves nothing of ours in what the kernel will make. */
function ours(place: Place, readOnly = false): State {
  const view = openUnion(place, readOnly)
  try {
    return stateOf(view)
  } finally {
    view.close()
  }
}

/** The errno of each step, or `undefined` if it worked. */
function takeAll(place: Place, steps: readonly Step[]): (string | undefined)[] {
  const view = openUnion(place)
  try {
    return steps.map((each) => take(view, each))
  } finally {
    view.close()
  }
}

/** A mount shows the attributes of the upper's root: before the first one it gets those of the lower root. */
function describeRoot(place: Place): void {
  const view = openUnion(place)
  try {
    const { mode, uid, gid, mtime } = view.stat(view.root)
    byPath(view).set('', { mode, uid, gid, mtime })
  } finally {
    view.close()
  }
}
