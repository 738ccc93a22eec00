import { type ByteString, displayText } from '../model/bytes.ts'
import type { Kind, Stat, Xattrs } from '../model/entry.ts'
import { noXattrs } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import { Pace } from '../model/pace.ts'
import type { ByteStream, Bytes } from '../stream/bytes.ts'
import { endMarker, type MemberFields, type MemberType } from '../tar/index.ts'
import { join, opaqueMarker, whiteoutPrefix } from './names.ts'
import { PackOrder } from './pack-order.ts'
import { PackOutput } from './pack-output.ts'
import type { LayerWarning } from './report.ts'
import { exportedXattrs } from './xattr-rules.ts'

/**
 * What a layer is to say about one path. Paths are byte strings without a leading slash; the root is empty.
 *
 * - `entry`: something is there. A hardlink names in `linkTo` the path of an entry that came before; it has no content
 *   of its own. Files with content bring `open`, which is called once; what it answers is closed.
 * - `whiteout`: the path is removed from below.
 * - `opaque`: everything below in the directory at the path is hidden.
 */
export type PackItem = PackEntry | { readonly says: 'whiteout' | 'opaque'; readonly path: ByteString }

interface PackEntry {
  readonly says: 'entry'
  readonly path: ByteString
  readonly stat: Stat
  readonly xattrs: Xattrs
  /** Symlinks. */
  readonly target?: ByteString | undefined
  readonly open?: (() => Bytes) | undefined
  readonly linkTo?: ByteString | undefined
}

export interface PackOptions extends Operation {
  /** Keep times to the nanosecond. Without it they are whole seconds, floored (layer-semantics M-07). */
  readonly nanoseconds?: boolean | undefined
  /** Seconds since the epoch; later times are lowered to it (layer-semantics M-08). */
  readonly sourceEpoch?: number | undefined
  /** Hears of what is left out (layer-semantics T-09, X-09), and of what becomes much larger than it was (S-07). */
  readonly onWarning?: ((warning: LayerWarning) => void) | undefined
}

/** A larger file that is more than so many times what is stored of it deserves a warning (layer-semantics S-07). */
const largeFile = 64 << 20
const largestRatio = 16

/** Larger content is copied in steps, with other work let in between. */
const smallFile = 1 << 16

const memberTypes: Readonly<Record<Exclude<Kind, 'socket'>, MemberType>> = {
  file: '0',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
}

/**
 * A layer's tar in its canonical form: the same items give the same bytes (layer-semantics, section 16). Items come in
 * the order of E-04, each ancestor before what is in it. A chunk is its reader's until it asks for the next one.
 *
 * The stream throws PLY_UNREPRESENTABLE for items out of order, for names that look like markers (E-10);
 * PLY_CHANGED for content that is not as long as its `stat` says (E-12); PLY_ABORTED; and what the items and their content throw.
 */
export async function* packLayer(
  items: Iterable<PackItem> | AsyncIterable<PackItem>,
  { signal, onProgress, ...options }: PackOptions = {},
): ByteStream {
  const pace = new Pace(signal)
  const order = new PackOrder()
  const output = new PackOutput()
  let done = 0
  let tired = false
  let large: PackEntry | undefined

  /** Whether there is more to do before the next item: then `rest` does it. */
  function add(item: PackItem): boolean {
    order.check(item.path, item.says)
    tired = pace.due()
    const member = memberOf(item, options)
    if (member === undefined) return tired
    output.header(member)
    if (item.says === 'entry' && member.size > 0) {
      if (member.size > smallFile) large = item
      else copySmall(item, output)
    }
    return tired || large !== undefined || output.ready
  }

  async function* rest(): ByteStream {
    if (large !== undefined) yield* copyLarge(large)
    large = undefined
    yield* ready()
    if (tired) await pace.rest()
  }

  async function* copyLarge(item: PackEntry): ByteStream {
    const { path, stat } = item
    const content = contentOf(item)
    try {
      if (stat.size > largeFile && (await isMostlyHoles(content, pace))) {
        const text = `${stat.size} bytes, most of them holes, which an archive stores as zeros`
        options.onWarning?.({ rule: 'S-07', entry: displayText(path), text })
      }
      for (let at: number | undefined = 0; at !== undefined; ) {
        at = output.copy(path, content, at, stat.size)
        yield* ready()
        if (pace.due(64)) await pace.rest()
      }
    } finally {
      content.close()
    }
    output.pad(stat.size)
  }

  function* ready(): Generator<Uint8Array, void, undefined> {
    for (const chunk of output.take()) {
      done += chunk.length
      onProgress?.({ what: 'layer', done })
      yield chunk
    }
  }

  // Waiting takes longer than writing an entry: what can be had at once is not waited for.
  if (Symbol.iterator in items) {
    for (const item of items) if (add(item)) yield* rest()
  } else {
    for await (const item of items) if (add(item)) yield* rest()
  }
  output.add(endMarker)
  output.end()
  yield* ready()
}

function copySmall(item: PackEntry, output: PackOutput): void {
  const { path, stat } = item
  const content = contentOf(item)
  try {
    for (let at: number | undefined = 0; at !== undefined; ) at = output.copy(path, content, at, stat.size)
  } finally {
    content.close()
  }
  output.pad(stat.size)
}

/** Whether content is more than 16 times as large as what is stored of it (layer-semantics S-07). */
async function isMostlyHoles({ size, nextData }: Bytes, pace: Pace): Promise<boolean> {
  if (nextData === undefined) return false
  let stored = 0
  for (let run = nextData(0); run !== undefined; run = run.end < size ? nextData(run.end) : undefined) {
    stored += run.end - run.start
    if (stored * largestRatio >= size) return false
    if (pace.due()) await pace.rest()
  }
  return true
}

/** `undefined` for what has no form in an archive. */
function memberOf(item: PackItem, options: Omit<PackOptions, keyof Operation>): MemberFields | undefined {
  const { path } = item
  if (/(?:^|\/)\.wh\./.test(path))
    throw unrepresentable(path, 'its name starts with .wh., which marks whiteouts (E-10)')
  if (item.says !== 'entry') return marker(item.says, path)
  const warn = (rule: string, text: string) => options.onWarning?.({ rule, entry: displayText(path), text })
  const { stat, target = '', linkTo } = item
  if (stat.kind === 'socket') {
    warn('T-09', 'a socket has no form in an archive; left out')
    return undefined
  }
  if (path === '' && stat.kind !== 'directory') throw unrepresentable(path, 'the root must be a directory')
  const linked = linkTo !== undefined
  return {
    type: linked ? '1' : memberTypes[stat.kind],
    name: path === '' ? './' : stat.kind === 'directory' ? `${path}/` : path,
    linkName: linkTo ?? (stat.kind === 'symlink' ? target : ''),
    mode: stat.kind === 'symlink' ? 0o777 : stat.mode,
    uid: stat.uid,
    gid: stat.gid,
    size: linked || stat.kind !== 'file' ? 0 : stat.size,
    mtime: exportedTime(stat.mtime, options),
    major: stat.major,
    minor: stat.minor,
    // The inode's attributes came with its first name.
    xattrs: linked ? noXattrs : exportedXattrs(item.xattrs, warn),
  }
}

/** A time as an archive gets it (layer-semantics M-07, M-08), in nanoseconds. */
export function exportedTime(
  mtime: bigint,
  { nanoseconds = false, sourceEpoch }: Pick<PackOptions, 'nanoseconds' | 'sourceEpoch'> = {},
): bigint {
  const latest = sourceEpoch === undefined ? undefined : BigInt(sourceEpoch) * 1_000_000_000n
  const time = latest !== undefined && mtime > latest ? latest : mtime
  if (nanoseconds) return time
  const rest = time % 1_000_000_000n
  return time - (rest < 0n ? rest + 1_000_000_000n : rest)
}

/** Markers are empty regular files without any attribute (layer-semantics E-08). */
function marker(says: 'whiteout' | 'opaque', path: ByteString): MemberFields {
  if (path === '' && says === 'whiteout') throw unrepresentable(path, 'the root cannot be removed')
  const slash = path.lastIndexOf('/')
  const name =
    says === 'opaque'
      ? join(path, opaqueMarker)
      : `${path.slice(0, slash + 1)}${whiteoutPrefix}${path.slice(slash + 1)}`
  return {
    type: '0',
    name,
    linkName: '',
    mode: 0,
    uid: 0,
    gid: 0,
    size: 0,
    mtime: 0n,
    major: 0,
    minor: 0,
    xattrs: noXattrs,
  }
}

function contentOf(item: PackEntry): Bytes {
  if (item.open === undefined) throw unrepresentable(item.path, 'a file of this size needs content')
  return item.open()
}

function unrepresentable(path: ByteString, reason: string): PlyError {
  return new PlyError('PLY_UNREPRESENTABLE', { path: displayText(path), where: 'a layer', reason })
}
