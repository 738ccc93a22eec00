import { type Change, diff } from '../../diff/index.ts'
import { append, scratch } from '../../image/append.ts'
import type { Image, Layer } from '../../image/image.ts'
import type { DiffId } from '../../model/digest.ts'
import type { Operation } from '../../model/operation.ts'
import type { Store } from '../../store/store.ts'
import { compareLayers, type LayerCause, layerAlone } from '../../trace/index.ts'
import { resolvePath } from '../../union/resolve.ts'
import type { BuiltStep } from '../cache/target.ts'

/** A build that has ended, in its own store. */
export interface OneBuild {
  readonly image: Image
  readonly store: Store
  readonly steps: readonly BuiltStep[]
}

/** A step that came to something else the second time. */
export interface DifferentStep extends Pick<BuiltStep, 'stage' | 'step' | 'text'> {
  /** What each build has made; absent where it changed no file. */
  readonly layers: readonly [DiffId | undefined, DiffId | undefined]
  /** Why the layers differ. */
  readonly causes: readonly LayerCause[]
  /** The first of the entries that differ. A whiteout is an empty file with the name that archives have for it. */
  readonly changes: readonly DifferentEntry[]
  /** Whether there are more. */
  readonly more: boolean
}

/** An entry in which two builds differ. */
export type DifferentEntry = Change & { readonly content?: DifferentContent }

/** Where the content of a file first differs, and what stands there, as text of single bytes. */
export interface DifferentContent {
  readonly at: number
  readonly before: string
  readonly after: string
}

const mostChanges = 10
/** Bytes of a content that are shown around what differs. */
const shown = 24

/** The first step of two builds that made something else: stages in their order, since one copies from those in front of it. */
export async function differentStep(
  before: OneBuild,
  after: OneBuild,
  operation: Operation = {},
): Promise<DifferentStep | undefined> {
  const others = new Map(after.steps.map((step) => [placeOf(step), step]))
  // Each list is in the order in which its steps ended: what a step stands on is in front of it.
  const differing = before.steps.filter((step) => others.get(placeOf(step))?.layer?.diffId !== step.layer?.diffId)
  const [first] = differing
  if (first === undefined) return undefined
  const { stage, step, text } = first
  const [x, y] = [first.layer, others.get(placeOf(first))?.layer]
  return { stage, step, text, layers: [x?.diffId, y?.diffId], ...(await compared(before, x, after, y, operation)) }
}

function placeOf({ stage, step }: BuiltStep): string {
  return JSON.stringify([stage, step])
}

async function compared(
  before: OneBuild,
  x: Layer | undefined,
  after: OneBuild,
  y: Layer | undefined,
  operation: Operation,
): Promise<Pick<DifferentStep, 'causes' | 'changes' | 'more'>> {
  const [one, other] = [alone(x), alone(y)]
  const stack = await before.store.layers(one, operation)
  try {
    const otherStack = await after.store.layers(other, operation)
    try {
      if (x === undefined || y === undefined) return { causes: ['content'], changes: [], more: false }
      const [pair] = await compareLayers(stack, otherStack, operation)
      const [tree, otherTree] = [layerAlone(stack, 0), layerAlone(otherStack, 0)]
      const changes: DifferentEntry[] = []
      let more = false
      for await (const change of diff(tree, otherTree, { nanoseconds: true, directoryTimes: true, ...operation })) {
        more = changes.length === mostChanges
        if (more) break
        const content =
          change.kind === 'modify' && change.changed.includes('content')
            ? firstByte(contentIn(tree, change.bytes), contentIn(otherTree, change.bytes))
            : undefined
        changes.push(content === undefined ? change : { ...change, content })
      }
      return { causes: pair?.causes ?? [], changes, more }
    } finally {
      otherStack.close()
    }
  } finally {
    stack.close()
  }
}

function alone(layer: Layer | undefined): Image {
  return layer === undefined ? scratch : append(scratch, layer)
}

type Alone = ReturnType<typeof layerAlone>

function contentIn(tree: Alone, path: string) {
  return tree.open(resolvePath(tree, path, { follow: false }).ino!)
}

function firstByte(x: ReturnType<Alone['open']>, y: ReturnType<Alone['open']>): DifferentContent {
  const size = 1 << 16
  const [one, other] = [Buffer.alloc(size), Buffer.alloc(size)]
  try {
    for (let at = 0; ; at += size) {
      const a = one.subarray(0, x.read(one, at))
      const b = other.subarray(0, y.read(other, at))
      if (a.equals(b) && a.length === size) continue
      let first = 0
      while (first < a.length && first < b.length && a[first] === b[first]) first++
      const text = (bytes: Buffer) => bytes.subarray(first, first + shown).toString('latin1')
      return { at: at + first, before: text(a), after: text(b) }
    }
  } finally {
    x.close()
    y.close()
  }
}
