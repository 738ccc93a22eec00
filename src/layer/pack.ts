import { type ByteString, displayText } from '../model/bytes.ts'
import type { Kind, Stat, Xattrs } from '../model/entry.ts'
import { noXattrs } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import { Pace } from '../model/pace.ts'
import type { ByteStream, Bytes } from '../stream/bytes.ts'
import { encodeHeader, endMarker, type MemberFields, type MemberType, paddingOf } from '../tar/index.ts'
import { join, opaqueMarker, whiteoutPrefix } from './names.ts'
import { PackOrder } from './pack-order.ts'
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
export type PackItem =
  | {
      readonly says: 'entry'
      readonly path: ByteString
      readonly stat: Stat
      readonly xattrs: Xattrs
      /** Symlinks. */
      readonly target?: ByteString | undefined
      readonly open?: (() => Bytes) | undefined
      readonly linkTo?: ByteString | undefined
    }
  | { readonly says: 'whiteout' | 'opaque'; readonly path: ByteString }

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

/** Bytes of a chunk of output. */
const chunkSize = 1 << 18

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
 * the order of E-04, each ancestor before what is in it. Each chunk is a buffer of its own.
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
  const output = new Output()
  let done = 0
  function* flushed(): Generator<Uint8Array, void, undefined> {
    const chunk = output.take()
    if (chunk.length === 0) return
    done += chunk.length
    onProgress?.({ what: 'layer', done })
    yield chunk
  }
  for await (const item of items) {
    order.check(item.path, item.says)
    const member = memberOf(item, options)
    if (pace.due()) await pace.rest()
    if (member === undefined) continue
    const header = encodeHeader(member)
    if (!output.fits(header.length)) yield* flushed()
    output.add(header)
    if (member.size === 0 || item.says !== 'entry') continue
    const content = contentOf(item)
    try {
      if (member.size > largeFile && (await isMostlyHoles(content, pace))) {
        const text = `${member.size} bytes, most of them holes, which an archive stores as zeros`
        options.onWarning?.({ rule: 'S-07', entry: displayText(item.path), text })
      }
      for (let position = 0; position < member.size; ) {
        if (output.room === 0) {
          yield* flushed()
          if (pace.due(64)) await pace.rest()
        }
        const got = output.read(content, position, member.size)
        if (got === 0) throw changed(item.path)
        position += got
      }
      if (content.read(new Uint8Array(1), member.size) > 0) throw changed(item.path)
    } finally {
      content.close()
    }
    const padding = paddingOf(member.size)
    if (!output.fits(padding)) yield* flushed()
    output.addZeros(padding)
  }
  if (!output.fits(endMarker.length)) yield* flushed()
  output.add(endMarker)
  yield* flushed()
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

function contentOf(item: PackItem & { readonly says: 'entry' }): Bytes {
  if (item.open === undefined) throw unrepresentable(item.path, 'a file of this size needs content')
  return item.open()
}

function changed(path: ByteString): PlyError {
  return new PlyError('PLY_CHANGED', { path: displayText(path) })
}

function unrepresentable(path: ByteString, reason: string): PlyError {
  return new PlyError('PLY_UNREPRESENTABLE', { path: displayText(path), where: 'a layer', reason })
}

/** Output that is gathered, so that small members do not become small chunks. */
class Output {
  #buffer = Buffer.allocUnsafeSlow(chunkSize)
  #used = 0

  get room(): number {
    return this.#buffer.length - this.#used
  }

  /** Whether so many bytes still fit. They always do after `take`, unless they are more than a chunk. */
  fits(size: number): boolean {
    return size <= this.room
  }

  add(bytes: Uint8Array): void {
    // Only an extended header can be larger than a whole chunk.
    if (bytes.length > this.room) this.#buffer = Buffer.concat([this.#buffer.subarray(0, this.#used), bytes])
    else this.#buffer.set(bytes, this.#used)
    this.#used += bytes.length
  }

  addZeros(size: number): void {
    this.#buffer.fill(0, this.#used, this.#used + size)
    this.#used += size
  }

  /** Reads as much content as there is room for; answers how much came. */
  read(content: Bytes, position: number, size: number): number {
    const wanted = Math.min(this.room, size - position)
    const got = content.read(this.#buffer.subarray(this.#used, this.#used + wanted), position)
    this.#used += got
    return got
  }

  take(): Uint8Array {
    const chunk = this.#buffer.subarray(0, this.#used)
    this.#buffer = Buffer.allocUnsafeSlow(chunkSize)
    this.#used = 0
    return chunk
  }
}
