import type { Dice } from '../properties/seed.ts'
import { apply, type Change, type DiskState, isData } from './disk-state.ts'
import type { RecordedDisk } from './recorded-disk.ts'

/** How many subsets of what is pending are tried at random, beside those that are tried each time. */
const randomSubsets = 12

/** What may be on the disk when it loses power now, and which of the pending changes came onto it. */
export interface CrashState {
  readonly state: DiskState
  readonly what: string
  /** Names and attributes came onto it in the order in which they were changed. */
  readonly isOrdered?: true
}

/**
 * States that a disk may be in after it has lost power at this moment: each prefix of what was not synced, all but one change, one
 * alone, names without content, content without names, each write cut in half, or full of zeros, and some subsets at random.
 */
export function* crashStates(disk: RecordedDisk, dice: Dice): Iterable<CrashState> {
  const changes = disk.pending.map(({ change }) => change)
  const with_ = (chosen: readonly Change[], what: string): CrashState => {
    const state = new Map(disk.durable)
    for (const change of chosen) apply(state, change)
    return { state, what: `${what} of ${changes.length} changes` }
  }
  for (let count = 0; count <= changes.length; count++) yield with_(changes.slice(0, count), `the first ${count}`)
  if (changes.length < 2) {
    yield* torn(disk, changes, with_)
    return
  }
  for (const [i, change] of changes.entries()) {
    yield with_(changes.toSpliced(i, 1), `all but number ${i}`)
    yield with_([change], `only number ${i}`)
  }
  yield with_(
    changes.filter((change) => !isData(change)),
    'all that is no content',
  )
  yield with_(changes.filter(isData), 'all content')
  yield* torn(disk, changes, with_)
  for (let i = 0; i < randomSubsets; i++) {
    const chosen = changes.filter(() => dice.once(2))
    yield with_(chosen, `those of mask ${changes.map((change) => (chosen.includes(change) ? 1 : 0)).join('')}`)
  }
}

/**
 * The same for a disk with a journal: names and attributes come onto it in the order in which they were changed, and of what was written
 * into files before that any part.
 */
export function* orderedStates(disk: RecordedDisk, dice: Dice): Iterable<CrashState> {
  const changes = disk.pending.map(({ change }) => change)
  const with_ = (chosen: readonly Change[], what: string): CrashState => {
    const state = new Map(disk.durable)
    for (const change of chosen) apply(state, change)
    return { state, isOrdered: true, what: `in order, ${what} of ${changes.length} changes` }
  }
  for (let count = 0; count <= changes.length; count++) {
    // One call is one step there, a rename into another directory too.
    if (count > 0 && disk.pending[count - 1]?.end === disk.pending[count]?.end) continue
    const first = changes.slice(0, count)
    yield with_(first, `the first ${count}`)
    if (!first.some(isData)) continue
    yield with_(
      first.filter((change) => !isData(change)),
      `the first ${count} without content`,
    )
    yield with_(
      first.filter((change) => !isData(change) || dice.once(2)),
      `the first ${count} with some of the content`,
    )
    yield* torn(disk, first.slice(-1), (last, what) =>
      with_([...first.slice(0, -1), ...last], `the first ${count}, ${what}`),
    )
  }
}

/** The same after somebody has died: what counts is what he left, which others may have built upon, and what is theirs. */
export function* statesAfterDeath(disk: RecordedDisk, left: ReadonlySet<Change>, dice: Dice): Iterable<CrashState> {
  const changes = disk.pending.map(({ change }) => change)
  const with_ = (chosen: readonly Change[], what: string): CrashState => {
    const state = new Map(disk.durable)
    for (const change of chosen) apply(state, change)
    return { state, what }
  }
  const others = changes.filter((change) => !left.has(change))
  yield with_([], 'nothing')
  yield with_(changes, 'everything')
  yield with_(others, 'nothing of what the dead left')
  for (const [i, change] of changes.entries())
    if (left.has(change)) yield with_(changes.toSpliced(i, 1), `all but number ${i}, which the dead left`)
  for (let i = 0; i < 3; i++)
    yield with_(
      changes.filter(() => dice.once(2)),
      'some of it',
    )
}

/**
 * Each write as it is when the disk was at it: half of it, or a file that is as long and holds zeros. What is on the disk for good is
 * written over in its place: no sector of it becomes zeros that nobody wrote.
 */
function* torn(
  { durable }: RecordedDisk,
  changes: readonly Change[],
  with_: (chosen: readonly Change[], what: string) => CrashState,
): Iterable<CrashState> {
  for (const [i, change] of changes.entries()) {
    if (change.does !== 'write' || change.bytes.length < 2) continue
    const half = { ...change, bytes: change.bytes.subarray(0, change.bytes.length >> 1) }
    const zeros = { ...change, bytes: Buffer.alloc(change.bytes.length) }
    zeros.bytes.set(durable.get(change.inode)?.data.subarray(change.at, change.at + zeros.bytes.length) ?? [])
    yield with_(changes.with(i, half), `number ${i} in half, and all others,`)
    yield with_(changes.with(i, zeros), `number ${i} as zeros, and all others,`)
  }
}
