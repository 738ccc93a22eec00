import { type Digest, hexOf, isDigest } from '../../model/digest.ts'
import { PlyError } from '../../model/errors.ts'
import type { Operation } from '../../model/operation.ts'
import type { Collectable } from './collect.ts'
import { type Because, mark } from './mark.ts'
import { type Roots, rootsOf } from './roots.ts'
import { Unheld } from './unheld.ts'

/** One step of the reasons why something lives. */
export interface Reason {
  /**
   * What holds the thing before it: `name debian:12`, `container work`, the digest of a manifest, `upper 0123…`, `whoever has it open`, or
   * `you`.
   */
  readonly holder: string
  /** As what: `layer 2`, `config`, `image`, `upper`. */
  readonly as: string
}

/** Why something in a store lives, or that nothing needs it. */
export interface Explanation {
  /** The thing: a digest, a path in the store, `upper ID`, `name NAME`, `container NAME`, `snapshot NAME@SNAPSHOT`. */
  readonly thing: string
  /** Each from what holds the thing to what the user named or made. None: the next collection removes it. */
  readonly chains: readonly (readonly Reason[])[]
}

/** More chains than this are not told. */
const mostChains = 100

type Holders = ReadonlyMap<string, ReadonlyMap<string, string>>

/** Who holds what, of everything that is alive. */
export class Reasons {
  readonly #holders = new Map<string, Map<string, string>>()

  readonly note: Because = (thing, holder, as) => {
    let holders = this.#holders.get(thing)
    if (holders === undefined) this.#holders.set(thing, (holders = new Map()))
    if (!holders.has(holder)) holders.set(holder, as)
  }

  get holders(): Holders {
    return this.#holders
  }

  /** Every way from a thing to what the user named or made. */
  chains(thing: string): Reason[][] {
    const found: Reason[][] = []
    const climb = (at: string, chain: readonly Reason[]): void => {
      const holders = this.#holders.get(at)
      if (holders === undefined) {
        if (chain.length > 0) found.push([...chain])
        return
      }
      for (const [holder, as] of holders) {
        if (found.length >= mostChains) return
        if (!chain.some((reason) => reason.holder === holder)) climb(holder, [...chain, { holder, as }])
      }
    }
    climb(thing, [])
    return found
  }

  /** What the user named or made that needs one of these things. */
  roots(things: readonly string[]): string[] {
    const seen = new Set<string>()
    const found = new Set<string>()
    const waiting = [...things]
    for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
      if (seen.has(at)) continue
      seen.add(at)
      const holders = this.#holders.get(at)
      if (holders === undefined) {
        if (!things.includes(at)) found.add(at)
      } else waiting.push(...holders.keys())
    }
    return [...found].sort()
  }
}

/**
 * Why a blob (by digest), a layer or tree (by diffID or chainID), an upper (by id), an image, a container or a snapshot (by name) or any
 * file in the store (by its path there) lives. Digests and ids may be cut after six characters. One answer for each thing of that name:
 * a layer has a blob and caches.
 *
 * @throws PLY_USAGE if the store holds nothing of that name
 */
export async function explain(
  { disk, layout, blobs, names }: Collectable,
  id: string,
  operation: Operation = {},
): Promise<Explanation[]> {
  const roots = rootsOf({ disk, layout, names })
  const reasons = new Reasons()
  for (const { id: upper, holder } of roots.kept) reasons.note(`upper ${upper}`, holder, 'upper')
  await mark(roots.images, blobs, { because: reasons.note, ...operation })

  const known = new Set<string>(reasons.holders.keys())
  for await (const digest of blobs.list()) known.add(digest)
  for (const [directory, prefix] of [
    [layout.layerCache, 'cache/layers/'],
    [layout.treeCache, 'cache/trees/'],
    [layout.uppers, 'upper '],
    [layout.tmp, 'tmp/'],
  ] as const)
    if (disk.fs.existsSync(directory))
      for (const name of disk.fs.readdirSync(directory) as string[]) known.add(`${prefix}${name}`)
  const path = (id.startsWith(`${layout.root}/`) ? id.slice(layout.root.length + 1) : id).replace(/\/+$/, '')
  const isHere = (thing: string) =>
    isDigest(thing)
      ? disk.fs.existsSync(layout.blobOf(thing))
      : thing.startsWith('upper ')
        ? known.has(thing)
        : disk.fs.existsSync(`${layout.root}/${thing}`)
  const things = [...known].filter((thing) => isHere(thing) && isCalled(thing, path))
  const made = madeAs(roots, id)
  if (made !== undefined) return [{ thing: made.thing, chains: [[{ holder: 'you', as: made.as }]] }]
  if (things.length === 0)
    throw new PlyError('PLY_USAGE', {
      reason: `nothing in ${layout.root} is called ${id}: name a digest or an upper's id (or six characters of it at least), an image, a container, a snapshot as CONTAINER@SNAPSHOT, or a file by its path in the store`,
    })
  const held = opened({ disk, layout })
  return things.sort().map((thing) => {
    const chains = reasons.chains(thing)
    return { thing, chains: chains.length > 0 ? chains : held(thing) }
  })
}

/** Why something lives that only those need who have it open: no name leads to it any more. */
function opened(place: Pick<Collectable, 'disk' | 'layout'>): (thing: string) => Reason[][] {
  let unheld: Unheld | undefined
  return (thing) => {
    const [, kind, hex] = /^(sha256:|cache\/layers\/|cache\/trees\/)([0-9a-f]{64})/.exec(thing) ?? []
    if (hex === undefined) return []
    if (unheld === undefined) {
      unheld = new Unheld(place, () => {})
      unheld.sweepTrees(() => true)
    }
    const isOpen = kind === 'cache/trees/' ? unheld.isOpen(`${hex}.erofs`) : unheld.uses(hex)
    return isOpen ? [[{ holder: 'whoever has it open', as: kind === 'cache/trees/' ? 'tree' : 'layer' }]] : []
  }
}

/** What the user made under this name, and needs no other reason. */
function madeAs({ containers, kept, images }: Roots, id: string): { thing: string; as: string } | undefined {
  if (containers.has(id)) return { thing: `container ${id}`, as: 'container' }
  if (kept.some(({ holder }) => holder === `snapshot ${id}`)) return { thing: `snapshot ${id}`, as: 'snapshot' }
  for (const thing of [`name ${id}`, `name ${id}:latest`])
    if (images.some(({ holder }) => holder === thing)) return { thing, as: 'name' }
  return undefined
}

/** Whether a thing is called so. */
function isCalled(thing: string, id: string): boolean {
  if (thing === id || pathOf(thing) === id || id.startsWith(`${pathOf(thing)}/`)) return true
  const bare = id.replace(/^sha256:/, '')
  if (!/^[0-9a-f]{6,64}$/.test(bare)) return false
  const own = isDigest(thing) ? hexOf(thing as Digest) : thing.replace(/^(upper |cache\/\w+\/)/, '')
  return own.startsWith(bare)
}

/** Where a thing lies, relative to the store. */
function pathOf(thing: string): string {
  if (isDigest(thing)) return `blobs/sha256/${hexOf(thing)}`
  return thing.replace(/^upper /, 'uppers/')
}
