import { ContentHash, emptyDigest } from '../layer/content-hash.ts'
import type { ContentPlace, LayerView } from '../layer/view.ts'
import type { DiffId, Digest } from '../model/digest.ts'
import type { Operation } from '../model/operation.ts'
import { Pace } from '../model/pace.ts'
import type { Bytes } from '../stream/bytes.ts'
import { inOrder } from './in-order.ts'
import type { Tree } from './tree.ts'

/**
 * SHA-256 of what the files of a tree hold, remembered for as long as somebody can use it. The digest is that of the
 * logical content: a file with holes has the one of a file that is full of zeros there (layer-semantics S-04).
 */
export interface ContentDigests {
  /** What is known of a file's content without reading it. */
  known(ino: number): Digest | undefined
  /** The digest of a file's content, read where it is not known. @throws EISDIR, EINVAL for what is no file; PLY_ABORTED */
  of(ino: number, operation?: Operation): Promise<Digest>
  /**
   * Sees to it that all files are known whose content cannot change, reading each layer once from its start to its end.
   * `done` of the progress is bytes read. @throws PLY_ABORTED; what was read until then is known
   */
  complete(operation?: Operation): Promise<void>
  /**
   * Takes what somebody else found out who read the whole file. `since` is when that began, in milliseconds since the
   * epoch: what was written just before may still have been changing.
   */
  learn(ino: number, digest: Digest, since: number): void
  /**
   * Whether hashing pays while a file is read to be compared: its digest can be known beyond this tree, and is likely to be asked for, as
   * contents are that somebody has compared before; `undefined` for what is known to nobody afterwards, as it may change. Who asks is about
   * to compare.
   */
  pays(ino: number): boolean | undefined
}

/** Bytes between two reports of progress. */
const progressStep = 1 << 20

/** Digests by the place of the content, of all layers of a store. */
export interface DigestMemory {
  known(place: ContentPlace, size: number): Digest | undefined
  remember(place: ContentPlace, size: number, digest: Digest): void
  /** Whether contents of that layer have been compared before; from now on they have. */
  compared(layer: DiffId): boolean
  /** Nobody asks any more: what is not kept yet is kept now. Safe to call twice. */
  close(): void
}

/** Files whose contents lie in layers: a tree, or what a single layer says. */
export interface PlacedFiles {
  stat(ino: number): { readonly kind: string; readonly size: number }
  place(ino: number): ContentPlace | undefined
  open(ino: number): Bytes
}

/** The digest of a file's content, from what the tree remembers where it does. The file is read at most once. */
export async function contentDigest(tree: Tree, ino: number, operation: Operation = {}): Promise<Digest> {
  return tree.digests === undefined ? hashContent(tree, ino, operation) : tree.digests.of(ino, operation)
}

/** The digests of a tree whose contents lie in layers. */
export function placedDigests(tree: Tree & Pick<PlacedFiles, 'place'>, memory: DigestMemory): ContentDigests {
  /** Files that are nothing but a hole lie nowhere: their size says it all. */
  const holes = new Map<number, Digest>()

  function known(ino: number): Digest | undefined {
    const { kind, size } = tree.stat(ino)
    if (kind !== 'file') return undefined
    if (size === 0) return emptyDigest
    const place = tree.place(ino)
    return place === undefined ? holes.get(size) : memory.known(place, size)
  }
  function learn(ino: number, digest: Digest): void {
    const { kind, size } = tree.stat(ino)
    if (kind !== 'file' || size === 0) return
    const place = tree.place(ino)
    if (place === undefined) holes.set(size, digest)
    else memory.remember(place, size, digest)
  }
  async function of(ino: number, operation: Operation = {}): Promise<Digest> {
    const found = known(ino)
    if (found !== undefined) return found
    const digest = await hashContent(tree, ino, operation)
    learn(ino, digest)
    return digest
  }
  return {
    pays(ino) {
      const place = tree.place(ino)
      return place && memory.compared(place.layer)
    },
    known,
    learn,
    of,
    async complete(operation) {
      const nowhere = new Map<number, number>()
      await completeContents(tree, filesOf(tree), memory, operation, (ino, size) => nowhere.set(size, ino))
      for (const ino of nowhere.values()) await of(ino, operation)
    },
  }
}

/**
 * Sees to it that the digests of these files are known, reading them in the order in which they lie. `hole` hears of those
 * that lie nowhere. @throws PLY_ABORTED
 */
export async function completeContents(
  files: PlacedFiles,
  inos: Iterable<number>,
  memory: DigestMemory,
  { signal, onProgress }: Operation = {},
  hole?: (ino: number, size: number) => void,
): Promise<void> {
  const pace = new Pace(signal)
  const layers = new Map<string, { readonly inos: number[]; readonly offsets: number[] }>()
  let total = 0
  for (const ino of inos) {
    if (pace.due()) await pace.rest()
    const { size } = files.stat(ino)
    if (size === 0) continue
    const place = files.place(ino)
    if (place === undefined) hole?.(ino, size)
    if (place === undefined || memory.known(place, size) !== undefined) continue
    const file = place.spill === true ? `${place.layer} spill` : place.layer
    let layer = layers.get(file)
    if (layer === undefined) layers.set(file, (layer = { inos: [], offsets: [] }))
    layer.inos.push(ino)
    layer.offsets.push(place.offset)
    total += size
  }
  const hash = new ContentHash()
  let done = 0
  let told = 0
  for (const { inos, offsets } of layers.values()) {
    let last = -1
    for (const number of await inOrder(offsets, pace)) {
      // Names of one inode, or of files that share their content.
      if (offsets[number] === last) continue
      last = offsets[number]!
      const ino = inos[number]!
      const content = files.open(ino)
      try {
        memory.remember(files.place(ino)!, content.size, await hash.of(content, pace))
      } finally {
        content.close()
      }
      done += content.size
      if (done >= told + progressStep) onProgress?.({ what: 'contents', done: (told = done), total })
      if (pace.due()) await pace.rest()
    }
  }
}

/** Every file of a tree; one with several names comes several times. */
export function* filesOf(tree: Tree): Generator<number, void, undefined> {
  const waiting = [tree.root]
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    for (const { ino, kind } of tree.list(directory)) {
      if (kind === 'directory') waiting.push(ino)
      else if (kind === 'file') yield ino
    }
  }
}

/** Every file that a layer has, also those that a layer above hides; one with several names comes several times. */
export function* filesOfLayer(view: LayerView): Generator<number, void, undefined> {
  const waiting = [view.root.ino]
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    for (const { verdict } of view.list(directory)) {
      if (verdict.says !== 'entry') continue
      if (verdict.directory) waiting.push(verdict.ino)
      else if ((verdict.kind ?? view.stat(verdict.ino).kind) === 'file') yield verdict.ino
    }
  }
}

/** The digest of a file's content, read now. @throws EISDIR, EINVAL for what is no file; PLY_ABORTED */
export async function hashContent(
  tree: Pick<Tree, 'open'>,
  ino: number,
  { signal, onProgress }: Operation = {},
): Promise<Digest> {
  const pace = new Pace(signal)
  const content = tree.open(ino)
  try {
    onProgress?.({ what: 'content', done: 0, total: content.size })
    return await new ContentHash().of(content, pace)
  } finally {
    content.close()
  }
}
