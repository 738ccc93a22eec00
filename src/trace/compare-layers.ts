import { createHash } from 'node:crypto'
import { type Aspect, ContentComparison, differingAspects } from '../diff/index.ts'
import { aligned } from '../image/compare.ts'
import type { Layer } from '../image/image.ts'
import { nothing, type Verdict } from '../layer/view.ts'
import type { ByteString } from '../model/bytes.ts'
import type { Operation } from '../model/operation.ts'
import { Pace } from '../model/pace.ts'
import { mergedVerdicts } from '../stack/merged-verdicts.ts'
import type { Bytes } from '../stream/bytes.ts'
import { scanTar } from '../tar/index.ts'
import { contentsOf } from './contents.ts'
import type { LayerStack, OpenLayer } from './layer-stack.ts'

/**
 * Why two layers have other digests.
 *
 * - `content`: they say different things: other paths, contents, kinds, targets or devices.
 * - `metadata`: the same paths with the same contents have other attributes.
 * - `order`: they say the same in another order.
 * - `dialect`: they say the same in another way of writing archives: other headers, or another end.
 * - `compression`: their tars are the same, byte for byte.
 */
export type LayerCause = 'content' | 'metadata' | 'order' | 'dialect' | 'compression'

/** A layer of one image beside that of another one, or one that has no like there. */
export interface LayerPair {
  /** Numbers of the layers in their images: 0 is the base. */
  readonly before?: number
  readonly after?: number
  /** Whether both have the same blob. */
  readonly same: boolean
  /** Empty for one blob, and for a layer without a like. `order` and `dialect` can be true together; every other one is alone. */
  readonly causes: readonly LayerCause[]
  /** With `metadata` and `content`: what differs anywhere. */
  readonly changed: readonly Aspect[]
}

/**
 * The layers of two images side by side: those with one diffID, then those that one instruction made, both in their order; and why
 * they differ. Only layers that stand beside each other are looked into, by their indexes; of their tars only headers are read, and
 * only where they say the same.
 *
 * @throws PLY_ABORTED
 */
export async function compareLayers(
  before: LayerStack,
  after: LayerStack,
  operation: Operation = {},
): Promise<readonly LayerPair[]> {
  const pairs = aligned(before.layers, after.layers, likeness)
  const found: LayerPair[] = []
  for (const pair of pairs) {
    if (pair.before === undefined || pair.after === undefined) {
      found.push({ ...pair, same: false, causes: [], changed: [] })
      continue
    }
    const x = { stack: before, layer: before.layers[pair.before]!, archive: before.image.layers[pair.before]! }
    const y = { stack: after, layer: after.layers[pair.after]!, archive: after.image.layers[pair.after]! }
    found.push({ ...pair, ...(await compared(x, y, operation)) })
  }
  return found
}

interface Side {
  readonly stack: LayerStack
  readonly layer: OpenLayer
  /** The same layer, as the image has it; absent where nobody knows its tar. */
  readonly archive: Layer | undefined
}

function likeness(a: OpenLayer, b: OpenLayer): number {
  if (a.diffId === b.diffId) return 1000
  const [one, other] = [a.step.created_by ?? '', b.step.created_by ?? '']
  // Where nothing is said of either, the order alone speaks for them.
  return one !== other ? 0 : one === '' ? 0.5 : 1
}

async function compared(x: Side, y: Side, operation: Operation): Promise<Omit<LayerPair, 'before' | 'after'>> {
  if (x.layer.digest === y.layer.digest) return { same: true, causes: [], changed: [] }
  if (x.layer.diffId === y.layer.diffId) return { same: false, causes: ['compression'], changed: [] }
  const changed = await differences(x, y, operation)
  if (changed.size > 0) {
    const more = ['content', 'kind', 'target', 'device'].some((aspect) => changed.has(aspect as Aspect))
    return { same: false, causes: [more ? 'content' : 'metadata'], changed: [...changed].sort() }
  }
  return { same: false, causes: waysOfWriting(x, y), changed: [] }
}

/** What differs in what two layers say; a path that only one of them mentions is a difference of `kind`. */
async function differences(x: Side, y: Side, { signal }: Operation): Promise<Set<Aspect>> {
  const pace = new Pace(signal)
  const [before, after] = [x.layer.view, y.layer.view]
  const contents = new ContentComparison(contentsOf(before, x.stack.memory), contentsOf(after, y.stack.memory))
  const found = new Set<Aspect>()
  /** Which inode of the other layer an inode is: names of one are names of one there too. */
  const links = new Map<number, number>()

  async function compare(path: ByteString, a: Verdict, b: Verdict): Promise<void> {
    if (a.says !== b.says) return void found.add('kind')
    if (a.says === 'link' && b.says === 'link') {
      if (a.path !== b.path) found.add('links')
      return
    }
    if (a.says !== 'entry' || b.says !== 'entry') return
    if (a.directory !== b.directory || a.opaque !== b.opaque || a.implied !== b.implied) return void found.add('kind')
    const stat = before.stat(a.ino)
    const other = after.stat(b.ino)
    if (!a.directory && (stat.links > 1 || other.links > 1)) {
      if (links.has(a.ino) ? links.get(a.ino) !== b.ino : stat.links !== other.links) found.add('links')
      const seen = links.has(a.ino)
      links.set(a.ino, b.ino)
      if (seen) return
    }
    const aspects = await differingAspects(
      { inodes: before, ino: a.ino, stat },
      { inodes: after, ino: b.ino, stat: other },
      { nanoseconds: true, directoryTimes: true },
      () => contents.same(a.ino, b.ino, stat.size, path, pace),
    )
    for (const aspect of aspects) found.add(aspect)
  }

  await compare('', before.root, after.root)
  const waiting = [{ path: '', a: before.root.ino, b: after.root.ino }]
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    for (const { name, verdicts } of mergedVerdicts([before.list(at.a), after.list(at.b)])) {
      const [a = nothing, b = nothing] = verdicts
      const path = at.path === '' ? name : `${at.path}/${name}`
      await compare(path, a, b)
      const [inA, inB] = [directoryOf(a), directoryOf(b)]
      if (inA !== undefined && inB !== undefined) waiting.push({ path, a: inA, b: inB })
      if (pace.due()) await pace.rest()
    }
  }
  return found
}

function directoryOf(verdict: Verdict): number | undefined {
  if (verdict.says === 'ghost') return verdict.ino
  return verdict.says === 'entry' && verdict.directory ? verdict.ino : undefined
}

/** How two tars that say the same differ: in the order of their members, in their bytes, or in both. */
function waysOfWriting(x: Side, y: Side): LayerCause[] {
  const before = membersOf(x)
  const after = membersOf(y)
  // Where no tar lies, nobody can tell.
  if (before === undefined || after === undefined) return ['dialect']
  const causes: LayerCause[] = []
  if (before.names.length !== after.names.length || before.names.some((name, at) => name !== after.names[at]))
    causes.push('order')
  const headers = (members: Members) => members.headers.toSorted().join('\n')
  const rewritten = before.size !== after.size || headers(before) !== headers(after)
  return rewritten || causes.length === 0 ? [...causes, 'dialect'] : causes
}

interface Members {
  readonly names: readonly ByteString[]
  /** Of each member its name and a hash of all its header blocks. */
  readonly headers: readonly string[]
  readonly size: number
}

function membersOf({ layer, archive }: Side): Members | undefined {
  const tar: Bytes | undefined =
    archive?.checkedTar?.() ?? (layer.digest === layer.diffId ? archive?.atRest?.() : undefined)
  if (tar === undefined) return undefined
  try {
    const names: ByteString[] = []
    const headers: string[] = []
    for (const { name, header, data } of scanTar(tar)) {
      const blocks = Buffer.alloc(data - header)
      tar.read(blocks, header)
      // One archive may say ./a where the other says a; then their headers differ, and their order does not.
      const clean = name
        .split('/')
        .filter((part) => part !== '' && part !== '.')
        .join('/')
      names.push(clean)
      headers.push(`${clean} ${createHash('sha256').update(blocks).digest('base64')}`)
    }
    return { names, headers, size: tar.size }
  } finally {
    tar.close()
  }
}
