import { join } from 'node:path'
import type { BlobStore } from '../../blob/blob-store.ts'
import type { ImageSource } from '../../image/image.ts'
import type { Digest } from '../../model/digest.ts'
import { codeOf, PlyError } from '../../model/errors.ts'
import type { Operation } from '../../model/operation.ts'
import { splitReference } from '../../model/reference.ts'
import { type ByteStream, memoryBytes, streamOf } from '../../stream/bytes.ts'
import { drain } from '../../stream/hash.ts'
import { verified } from '../../stream/verify.ts'
import { fileBytes } from '../../sys/file-bytes.ts'
import { nodeDisk } from '../../sys/node-disk.ts'
import { openSource } from '../../transport/index.ts'

/** Where blobs may be fetched from: a reference, or a source that is open. */
export type RepairSource = string | ImageSource

/**
 * Fetches blobs from sources, in their order, and stores them in place of what is there. Every byte is checked on the way.
 * Answers which were found; `obstacles` hears why a source was of no use.
 */
export async function fetchBlobs(
  blobs: BlobStore,
  wanted: ReadonlySet<Digest>,
  sources: readonly RepairSource[],
  obstacles: (reason: string) => void,
  operation: Operation = {},
): Promise<Set<Digest>> {
  const found = new Set<Digest>()
  const take = async (digest: Digest, content: () => ByteStream): Promise<void> => {
    if (!wanted.has(digest) || found.has(digest)) return
    await using draft = await blobs.draft()
    await drain(verified(content(), { digest, what: `blob ${digest}` }), draft)
    await draft.commit(digest, { anew: true, signal: operation.signal })
    found.add(digest)
  }
  for (const source of sources) {
    if (found.size === wanted.size) break
    try {
      if (typeof source === 'string') {
        for (const digest of wanted) {
          const path = blobPathIn(source, digest)
          if (path !== undefined) await attempt(() => take(digest, () => fileStream(path)), obstacles, source)
        }
        if (found.size === wanted.size) break
      }
      await using opened = typeof source === 'string' ? await openSource(source, operation) : undefined
      await fromImages(
        opened ?? (source as ImageSource),
        take,
        (reason) => obstacles(`${nameOf(source)}: ${reason}`),
        operation,
      )
    } catch (error) {
      if (isOurs(error)) throw error
      obstacles(`${nameOf(source)}: ${(error as Error).message}`)
    }
  }
  return found
}

async function fromImages(
  source: ImageSource,
  take: (digest: Digest, content: () => ByteStream) => Promise<void>,
  obstacles: (reason: string) => void,
  operation: Operation,
): Promise<void> {
  for await (const { name } of source.list()) {
    await attempt(async () => {
      const image = await source.image(name, operation)
      await take(image.digest, () => streamOf(memoryBytes(image.rawManifest)))
      await take(image.manifest.config.digest, () => streamOf(memoryBytes(image.rawConfig)))
      for (const layer of image.layers) {
        await attempt(() => take(layer.descriptor.digest, () => layer.compressed(operation)), obstacles)
        // What travels compressed there may be stored as it is here.
        if (layer.diffId !== layer.descriptor.digest)
          await attempt(() => take(layer.diffId, () => layer.uncompressed(operation)), obstacles)
      }
    }, obstacles)
  }
}

/** One that fails keeps nobody from trying the next. */
async function attempt(act: () => Promise<void>, obstacles: (reason: string) => void, where?: string): Promise<void> {
  try {
    await act()
  } catch (error) {
    if (isOurs(error)) throw error
    if (codeOf(error) === 'ENOENT') return
    obstacles(where === undefined ? (error as Error).message : `${where}: ${(error as Error).message}`)
  }
}

/** Whether no other source would do better: what there is has no room here, or is not wanted any more. */
function isOurs(error: unknown): boolean {
  return ['PLY_ABORTED', 'ENOSPC', 'EDQUOT', 'EROFS'].includes(codeOf(error) ?? '')
}

/** Where a blob lies in a directory of blobs, whichever image it belongs to. */
function blobPathIn(reference: string, digest: Digest): string | undefined {
  const { transport, details } = splitReference(reference)
  const hex = digest.slice(7)
  if (transport === 'dir') return join(details, hex)
  if (transport !== 'oci') return undefined
  const disk = nodeDisk()
  // A colon begins the name of an image there, unless it belongs to the directory.
  for (let end = details.length; end > 0; end = details.lastIndexOf(':', end - 1)) {
    const path = join(details.slice(0, end).replace(/@sha256$/, ''), 'blobs', 'sha256', hex)
    if (disk.fs.existsSync(path)) return path
  }
  return undefined
}

async function* fileStream(path: string): ByteStream {
  const bytes = fileBytes(nodeDisk(), path)
  try {
    yield* streamOf(bytes)
  } finally {
    bytes.close()
  }
}

function nameOf(source: RepairSource): string {
  return typeof source === 'string' ? source : 'a source'
}

/** @throws PLY_USAGE for what is no place that images come from */
export function checkSource(source: RepairSource): void {
  if (typeof source !== 'string') return
  const { transport } = splitReference(source)
  if (['store', 'container', 'tar', 'rootfs'].includes(transport))
    throw new PlyError('PLY_USAGE', {
      reason: `${source} holds no blobs as they travel: name oci:DIR, oci-archive:FILE, docker-archive:FILE, dir:DIR, or another store as oci:DIR`,
    })
}
