import { readDocuments } from '../../image/assemble.ts'
import { type Digest, digestOf } from '../../model/digest.ts'
import type { Descriptor } from '../../model/documents.ts'
import { PlyError } from '../../model/errors.ts'
import { configLimit, isIndexType, manifestLimit, parseIndex, parseManifest } from '../../model/parse-documents.ts'
import { formatPlatform } from '../../model/platform.ts'
import type { Disk } from '../../sys/disk.ts'
import type { StoredImage } from '../store.ts'
import { imageIn } from './images.ts'
import type { NameRecord } from './name-records.ts'

/** Where blobs lie. */
interface Blobs {
  readonly disk: Disk
  pathOf(digest: Digest): string
}

type Summary = Omit<StoredImage, 'name'>

/**
 * What `ply images` shows of each name. Documents are read and checked once an image, however many names it has, and at once: a
 * store may hold thousands. Where anything is wrong with them, `patient` says what.
 */
export async function summariesOf(
  files: Blobs,
  records: readonly NameRecord[],
  patient: (name: string, descriptor: Descriptor) => Promise<StoredImage>,
): Promise<StoredImage[]> {
  const known = new Map<Digest, Summary | undefined>()
  const sizes = new Map<Digest, number | undefined>()
  const found: StoredImage[] = []
  for (const { name, descriptor } of records) {
    const { digest } = descriptor
    if (!known.has(digest)) known.set(digest, quickSummary(files, descriptor, sizes))
    const summary = known.get(digest)
    // One after another: thousands of names at once would be thousands of open files.
    found.push(summary === undefined ? await patient(name, descriptor) : { name, ...summary })
  }
  return found
}

/** `undefined` unless all is well. */
function quickSummary(
  { disk, pathOf }: Blobs,
  named: Descriptor,
  sizes: Map<Digest, number | undefined>,
): Summary | undefined {
  const read = ({ digest, size }: Descriptor, limit: number): Buffer => {
    const raw = size > limit ? undefined : (disk.fs.readFileSync(pathOf(digest)) as Buffer)
    if (raw === undefined || raw.length !== size || digestOf(raw) !== digest) throw new PlyError('EIO', {})
    return raw
  }
  const isHere = ({ digest, size }: Descriptor): boolean => {
    if (!sizes.has(digest)) sizes.set(digest, disk.fs.statSync(pathOf(digest), { throwIfNoEntry: false })?.size)
    return sizes.get(digest) === size
  }
  try {
    let descriptor = named
    for (let depth = 0; isIndexType(descriptor.mediaType); depth++) {
      if (depth === 8) return undefined
      descriptor = imageIn(parseIndex(read(descriptor, manifestLimit)), '', undefined)
    }
    const rawManifest = read(descriptor, manifestLimit)
    const manifest = parseManifest(rawManifest)
    const { config } = readDocuments(
      { descriptor, rawManifest, rawConfig: read(manifest.config, configLimit) },
      manifest,
    )
    if (!manifest.layers.every(isHere)) return undefined
    return {
      digest: named.digest,
      config: manifest.config.digest,
      ...(config.created !== undefined && { created: config.created }),
      platform: formatPlatform(config),
      layers: manifest.layers.length,
      size: descriptor.size + manifest.config.size + manifest.layers.reduce((sum, { size }) => sum + size, 0),
    }
  } catch {
    // Whatever it is, it is told by who reads patiently.
    return undefined
  }
}
