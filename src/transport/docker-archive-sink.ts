import { onlyImage } from '../image/copy.ts'
import type { Image, ImageSink } from '../image/image.ts'
import { type DiffId, digestOf, hexOf } from '../model/digest.ts'
import type { Descriptor } from '../model/documents.ts'
import { PlyError } from '../model/errors.ts'
import { badDocument } from '../model/json.ts'
import type { Operation } from '../model/operation.ts'
import { formatName, parseName } from '../model/reference.ts'
import { ArchiveWriter, copyWritten, stampOf, type Written } from './archive-writer.ts'
import { arriving } from './arriving.ts'
import { dockerDetails } from './details.ts'
import { plainLayers, synthesised } from './docker-archive-manifest.ts'
import { refuseSecond } from './oci-archive.ts'
import type { SinkOptions } from './options.ts'
import { outgoingTar } from './outgoing.ts'
import { isPoured, writeFile } from './output.ts'

/** One image in `manifest.json`, as `docker save` writes it. */
interface Entry {
  readonly Config: string
  readonly RepoTags: readonly string[]
  readonly Layers: readonly string[]
}

/**
 * Writes what `docker load` and `podman load` take: `docker-archive:FILE[:NAME[:TAG]]`. Layers lie in it uncompressed,
 * the config keeps its bytes; a manifest has no place in it. A file that is there is replaced by the first image that is
 * written; further images of the same sink are added to it and share layers. The answer is the descriptor of the image as
 * `docker-archive:` will read it.
 */
export async function dockerArchiveSink(details: string, options: SinkOptions): Promise<ImageSink> {
  const { path, name: tag, index } = dockerDetails('docker-archive', details)
  if (index !== undefined)
    throw new PlyError('PLY_USAGE', { reason: `a number follows from what is written; leave out @${index}` })
  if (tag !== undefined) repoTags(tag)
  let written: Written | undefined
  let entries: readonly Entry[] = []
  const sizes = new Map<DiffId, number>()
  const configs = new Set<string>()
  const sink: ImageSink = {
    async write(image, name = tag, operation = {}): Promise<Descriptor> {
      refuseSecond(path, written)
      const entry = entryOf(image, name)
      checkConfig(image)
      const next = withEntry(entries, entry)
      const added = new Map<DiffId, number>()
      const end = await writeFile(path, { ...options, ...operation }, async (file) => {
        const archive = new ArchiveWriter(file)
        if (written !== undefined) await copyWritten(written, file, operation)
        await writeLayers(archive, image, (diffId) => sizes.has(diffId) || added.has(diffId), added, operation)
        if (!configs.has(entry.Config)) await archive.bytes(entry.Config, image.rawConfig)
        const blobsEnd = archive.position
        await archive.bytes('manifest.json', Buffer.from(JSON.stringify(next)))
        await archive.end()
        return blobsEnd
      })
      written = { path, end, stamp: isPoured(path) ? '' : stampOf(path) }
      entries = next
      configs.add(entry.Config)
      for (const [diffId, size] of added) sizes.set(diffId, size)
      const layerSizes = image.layers.map((layer) => sizes.get(layer.diffId)!)
      return synthesised(image.rawConfig, plainLayers(image.config, layerSizes)).descriptor
    },
    async writeParcel(parcel, name, operation = {}) {
      return sink.write(await onlyImage(parcel, 'docker-archive', operation), name, operation)
    },
    async [Symbol.asyncDispose]() {},
  }
  return sink
}

async function writeLayers(
  archive: ArchiveWriter,
  image: Image,
  isThere: (diffId: DiffId) => boolean,
  added: Map<DiffId, number>,
  operation: Operation,
): Promise<void> {
  const missing = image.layers.filter(({ diffId }) => !isThere(diffId))
  for await (const layer of arriving(missing, operation)) {
    if (isThere(layer.diffId)) continue
    const tar = outgoingTar(layer, operation)
    added.set(layer.diffId, await archive.member(layerFile(layer.diffId), tar, { ...operation, what: layer.diffId }))
  }
}

function entryOf(image: Image, name: string | undefined): Entry {
  return {
    Config: `${hexOf(image.manifest.config.digest)}.json`,
    RepoTags: name === undefined ? [] : repoTags(name),
    Layers: image.layers.map((layer) => layerFile(layer.diffId)),
  }
}

function checkConfig({ digest, rawConfig, manifest }: Image): void {
  const actual = digestOf(rawConfig)
  if (actual !== manifest.config.digest)
    throw badDocument(`the config of image ${digest}`, `its bytes hash to ${actual}`)
}

/** A tag leads to one image; one image may have several. */
function withEntry(entries: readonly Entry[], entry: Entry): Entry[] {
  const others = entries.map((other) => ({
    ...other,
    RepoTags: other.RepoTags.filter((tag) => !entry.RepoTags.includes(tag)),
  }))
  const same = others.findIndex((other) => other.Config === entry.Config)
  if (same < 0) return [...others, entry]
  return others.map((other, i) => (i === same ? { ...other, RepoTags: [...other.RepoTags, ...entry.RepoTags] } : other))
}

/** Only tags have a place in the archive; of a name with a digest, the tag is kept. @throws PLY_BAD_REFERENCE */
function repoTags(name: string): string[] {
  const { digest: _, ...named } = parseName(name)
  return named.tag === undefined ? [] : [formatName({ ...named, digest: undefined })]
}

function layerFile(diffId: DiffId): string {
  return `${hexOf(diffId)}.tar`
}
