import { posix } from 'node:path'
import { codeOf, PlyError } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import { Pace } from '../model/pace.ts'
import { type ByteStream, type Bytes, slice } from '../stream/bytes.ts'
import { compressionOf, decompressed } from '../stream/compression.ts'
import { segmentsOf, sparseBytes } from '../stream/sparse-bytes.ts'
import { zstdDecoders } from '../sys/libzstd.ts'
import { type Member, type SparseMap, scanTar } from '../tar/index.ts'
import { kindAt, openFile, pacedStream } from './file.ts'
import { type SourceOptions, standardStream, temporaryDirectoryOf } from './options.ts'
import { spooled } from './spool.ts'

/** More members than any image archive has: one for a layer, a config, a manifest. */
const mostMembers = 200_000
/** More runs than the sparse files of any have: they are kept in memory. */
const mostRuns = 1_000_000

/** The files of an outer archive, by name, without unpacking it. Names are text, cleaned of `./`. */
export interface Archive extends Disposable {
  /** For messages. */
  readonly where: string
  readonly names: ReadonlySet<string>
  /** The content; links are followed inside the archive. `undefined` if there is none. Closing it is not needed. */
  open(name: string): Bytes | undefined
  close(): void
}

/**
 * Opens an archive file, or standard input for `-`. What is compressed as a whole, or cannot be read at random, is
 * laid down in a nameless temporary file first.
 *
 * @throws PLY_BAD_ARCHIVE for a text, a truncated archive, a directory; ENOENT, EACCES … with the path; PLY_ABORTED
 */
export async function openArchive(path: string, options: SourceOptions): Promise<Archive> {
  const bytes = await openBytes(path, options)
  try {
    const where = path === standardStream ? 'standard input' : path
    return archiveOf(where, bytes, await membersOf(bytes, where, options))
  } catch (error) {
    bytes.close()
    throw error
  }
}

/** The bytes of a file or of standard input at rest and uncompressed. The caller closes them. */
async function openBytes(path: string, options: SourceOptions): Promise<Bytes> {
  const { signal, onProgress } = options
  const spool = (stream: ByteStream) =>
    spooled(stream, { directory: temporaryDirectoryOf(options), what: path, signal, onProgress })
  if (path === standardStream || kindAt(path) === 'other') {
    const input = path === standardStream ? (options.input ?? process.stdin) : openPipe(path)
    return spool(uncompressed(input, options))
  }
  if (kindAt(path) === 'directory') {
    throw new PlyError('PLY_BAD_ARCHIVE', { reason: `${path} is a directory; for an OCI layout write oci:${path}` })
  }
  const bytes = openFile(path)
  const first = Buffer.alloc(4)
  const got = bytes.read(first, 0)
  if (compressionOf(first.subarray(0, got)) === 'none') return bytes
  return spool(
    uncompressed(
      pacedStream(() => bytes, { signal }),
      options,
    ),
  )
}

async function* openPipe(path: string): ByteStream {
  const { createReadStream } = await import('node:fs')
  yield* createReadStream(path)
}

async function* uncompressed(stream: ByteStream, { signal }: Operation): ByteStream {
  yield* decompressed(stream, { signal, zstd: zstdDecoders() }).stream
}

/** What is kept of a member. */
interface Place {
  readonly data: number
  readonly size: number
  readonly sparse?: SparseMap | undefined
  /** Where a link leads: a name in the archive. */
  readonly link?: string
}

async function membersOf(bytes: Bytes, where: string, { signal }: Operation): Promise<Map<string, Place>> {
  const places = new Map<string, Place>()
  const pace = new Pace(signal)
  let runs = 0
  try {
    for (const member of scanTar(bytes)) {
      if (places.size >= mostMembers) throw badArchive(where, `it has more than ${mostMembers} files`)
      runs += member.sparse?.count ?? 0
      if (runs > mostRuns) throw badArchive(where, `its sparse files have more than ${mostRuns} runs`)
      const name = cleaned(textOf(member.name))
      // What stands later in an archive replaces what stood earlier.
      if (name !== '') places.set(name, placeOf(member, name))
      if (pace.due()) await pace.rest()
    }
  } catch (error) {
    if (codeOf(error) === 'PLY_BAD_LAYER') throw badArchive(where, reasonOf(error, places.size), error)
    throw error
  }
  if (places.size === 0) throw badArchive(where, bytes.size === 0 ? 'it is empty' : 'it holds no files')
  return places
}

function placeOf(member: Member, name: string): Place {
  const { data, size, sparse } = member
  if (member.type === '1') return { data, size: 0, link: cleaned(textOf(member.linkName)) }
  if (member.type !== '2') return { data, size, sparse }
  const target = textOf(member.linkName)
  return { data, size: 0, link: cleaned(target.startsWith('/') ? target : posix.join(posix.dirname(name), target)) }
}

function archiveOf(where: string, bytes: Bytes, places: ReadonlyMap<string, Place>): Archive {
  const close = () => bytes.close()
  return {
    where,
    names: new Set(places.keys()),
    open(name) {
      let place = places.get(cleaned(name))
      // Links may lead in a circle.
      for (let steps = 0; place?.link !== undefined && steps < 32; steps++) place = places.get(place.link)
      return place === undefined || place.link !== undefined ? undefined : contentAt(bytes, place)
    },
    close,
    [Symbol.dispose]: close,
  }
}

function contentAt(bytes: Bytes, { data, size, sparse }: Place): Bytes {
  if (sparse === undefined) return slice(bytes, data, size)
  const { count, logical: start, length, stored } = sparse
  const content = sparseBytes(bytes, size, segmentsOf(count, { start, length, stored }))
  return slice(content, 0, size)
}

function cleaned(name: string): string {
  const path = posix.normalize(`/${name}`).slice(1)
  return path.endsWith('/') ? path.slice(0, -1) : path
}

function textOf(name: string): string {
  return Buffer.from(name, 'latin1').toString('utf8')
}

export function badArchive(where: string, reason: string, cause?: unknown): PlyError {
  return new PlyError('PLY_BAD_ARCHIVE', { reason: `${where}: ${reason}` }, cause === undefined ? undefined : { cause })
}

function reasonOf(error: unknown, found: number): string {
  const reason = String((error as PlyError).details.reason)
  return found === 0 ? `it is no tar archive (${reason})` : `${reason}; it is truncated or damaged`
}
