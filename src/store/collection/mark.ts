import type { BlobStore } from '../../blob/blob-store.ts'
import { type ChainId, chainIds, type DiffId, type Digest, hexOf } from '../../model/digest.ts'
import type { Descriptor, ImageIndex, Manifest } from '../../model/documents.ts'
import { codeOf } from '../../model/errors.ts'
import { checkAborted, type Operation } from '../../model/operation.ts'
import { configLimit, manifestOrIndex, parseConfig, parseIndex, parseManifest } from '../../model/parse-documents.ts'
import { collect as bytesOfStream } from '../../stream/collect.ts'
import type { LayerId } from '../layers/layer-files.ts'
import type { Root } from './roots.ts'

/** An image that something needs, with its layers where its config says them. */
export interface MarkedImage {
  readonly digest: Digest
  readonly manifest: Manifest
  readonly layers: readonly LayerId[]
  readonly chain: readonly ChainId[]
}

/** What a blob is needed as, and what is said of it there. */
export interface MarkedBlob {
  readonly as: 'index' | 'manifest' | 'config' | 'layer'
  /** Bytes, where whoever needs it says so. */
  readonly size: number | undefined
}

/** All that is alive. */
export interface Marked {
  readonly blobs: ReadonlyMap<Digest, MarkedBlob>
  /** Names of cache files. */
  readonly caches: ReadonlySet<string>
  readonly images: readonly MarkedImage[]
  /** Documents that cannot be read, with why: what they need is unknown. */
  readonly unreadable: ReadonlyMap<Digest, unknown>
  /** Configs that are none of an image (artifacts have such), or cannot be read. */
  readonly configs: ReadonlyMap<Digest, unknown>
  /** The manifests and indexes behind each index, as far as they are here. */
  readonly children: ReadonlyMap<Digest, ReadonlySet<Digest>>
}

export type Because = (thing: string, holder: string, as: string) => void

/** Codes of documents that are missing, damaged, or none that we know. */
const unreadableCodes = [
  'EIO',
  'PLY_BAD_DOCUMENT',
  'PLY_BLOB_NOT_FOUND',
  'PLY_DIGEST_MISMATCH',
  'PLY_TOO_LARGE',
  'PLY_UNSUPPORTED',
]

/**
 * Marks all that the roots need. Manifests, indexes and configs are read, and nothing else. `because` hears of each thing
 * that is alive and of what holds it: digests, names of cache files, and the holders of the roots.
 */
export async function mark(
  roots: readonly Root[],
  blobs: BlobStore,
  { because, signal }: { readonly because?: Because } & Operation = {},
): Promise<Marked> {
  const marked = {
    blobs: new Map<Digest, MarkedBlob>(),
    caches: new Set<string>(),
    images: [] as MarkedImage[],
    unreadable: new Map<Digest, unknown>(),
    configs: new Map<Digest, unknown>(),
    children: new Map<Digest, Set<Digest>>(),
  }
  const read = (digest: Digest) => bytesOfStream(blobs.stream(digest, { signal }), configLimit, { what: digest })
  const note = (digest: Digest, as: MarkedBlob['as'], size?: number) => {
    const known = marked.blobs.get(digest)
    if (known === undefined || (known.size === undefined && size !== undefined)) marked.blobs.set(digest, { as, size })
  }

  const visit = async (digest: Digest, size?: number): Promise<void> => {
    if (marked.blobs.has(digest)) return note(digest, 'manifest', size)
    checkAborted(signal)
    note(digest, 'manifest', size)
    const found = await readable(async () => document(await read(digest), digest))
    if ('error' in found) {
      marked.unreadable.set(digest, found.error)
      return
    }
    if ('manifests' in found.value) {
      marked.blobs.set(digest, { as: 'index', size })
      for (const child of found.value.manifests) {
        // Platforms of an index that were never fetched are no damage.
        if ((await blobs.stat(child.digest)) === undefined) continue
        because?.(child.digest, digest, 'manifest of an index')
        const behind = marked.children.get(digest) ?? new Set()
        marked.children.set(digest, behind.add(child.digest))
        await visit(child.digest, child.size)
      }
      return
    }
    await image(digest, found.value)
  }

  const image = async (digest: Digest, manifest: Manifest): Promise<void> => {
    const { config, layers } = manifest
    note(config.digest, 'config', config.size)
    because?.(config.digest, digest, 'config')
    for (const [at, layer] of layers.entries()) {
      note(layer.digest, 'layer', layer.size)
      because?.(layer.digest, digest, `layer ${at}`)
    }
    // Artifacts have configs that are none of an image: they have no caches.
    const found = await readable(async () => parseConfig(await read(config.digest)))
    if ('error' in found) marked.configs.set(config.digest, found.error)
    const diffIds = 'error' in found ? [] : found.value.rootfs.diff_ids
    const chain = chainIds(diffIds)
    for (const [at, diffId] of diffIds.entries()) {
      // Where the blob is the tar, there is no other.
      const kinds = layers[at]?.digest === diffId ? [] : ['tar']
      for (const kind of [...kinds, 'erofs', 'spill', 'sums']) {
        const file = `${hexOf(diffId)}.${kind}`
        marked.caches.add(file)
        because?.(`cache/layers/${file}`, digest, `cache of layer ${at}`)
      }
      const tree = `${hexOf(chain[at]!)}.erofs`
      marked.caches.add(tree)
      because?.(`cache/trees/${tree}`, digest, `tree of layers 0 to ${at}`)
    }
    const paired = layersOf(layers, diffIds)
    marked.images.push({ digest, manifest, layers: paired, chain: paired.length === 0 ? [] : chain })
  }

  for (const { digest, holder } of roots) {
    because?.(digest, holder, 'image')
    await visit(digest)
  }
  return marked
}

function layersOf(layers: readonly Descriptor[], diffIds: readonly DiffId[]): LayerId[] {
  if (layers.length !== diffIds.length) return []
  return layers.map((descriptor, at) => ({ descriptor, diffId: diffIds[at]! }))
}

function document(raw: Uint8Array, digest: Digest): Manifest | ImageIndex {
  return manifestOrIndex(raw, digest) === 'index' ? parseIndex(raw, digest) : parseManifest(raw, digest)
}

async function readable<T>(attempt: () => Promise<T>): Promise<{ readonly value: T } | { readonly error: unknown }> {
  try {
    return { value: await attempt() }
  } catch (error) {
    if (unreadableCodes.includes(codeOf(error) ?? '')) return { error }
    throw error
  }
}
