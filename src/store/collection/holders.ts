import { type Digest, hexOf } from '../../model/digest.ts'
import { escapeName } from '../records.ts'
import type { MarkedImage } from './mark.ts'
import type { KeptContainer, Roots } from './roots.ts'

/** One who holds images and uppers: all names of one image, or a container with its snapshots. */
export type Claimant =
  | { readonly kind: 'image'; readonly digest: Digest; readonly names: readonly string[] }
  | { readonly kind: 'container'; readonly record: KeptContainer; readonly uppers: readonly string[] }

/** What claimants need is known from. */
export interface Known {
  readonly roots: Roots
  readonly images: ReadonlyMap<Digest, MarkedImage>
  /** The manifests behind each index. */
  readonly children: ReadonlyMap<Digest, ReadonlySet<Digest>>
}

/** All names of each image, what other tools left without one, and the containers. */
export function claimantsOf({ names, containers, uppers }: Roots): Claimant[] {
  const images = new Map<Digest, string[]>()
  for (const { name, descriptor } of names.records) {
    const known = images.get(descriptor.digest)
    if (known === undefined) images.set(descriptor.digest, [name])
    else known.push(name)
  }
  for (const entry of names.unnamed) {
    const digest = entry?.digest
    if (typeof digest === 'string' && !images.has(digest)) images.set(digest, [])
  }
  const found: Claimant[] = []
  for (const [digest, all] of images) found.push({ kind: 'image', digest, names: all.sort() })
  for (const record of containers.values()) {
    const own = new Set<string>()
    for (const start of [record.upper, ...(record.snapshots ?? []).map(({ upper }) => upper)])
      for (let at: string | null = start; at !== null && !own.has(at); at = uppers.get(at)?.parent ?? null) own.add(at)
    found.push({ kind: 'container', record, uppers: [...own] })
  }
  return found
}

/** The images that a claimant needs, each once. */
export function imagesOf(claimant: Claimant, { roots, images, children }: Known): MarkedImage[] {
  return [...manifestsOf(claimant, { roots, images, children })].flatMap((digest) => images.get(digest) ?? [])
}

/** All that a claimant needs, each once: digests of blobs, and what `thingAt` calls the rest. */
export function thingsOf(claimant: Claimant, known: Known): Set<string> {
  const things = new Set<string>()
  for (const digest of manifestsOf(claimant, known)) {
    things.add(digest)
    things.add(`source ${hexOf(digest)}`)
    const image = known.images.get(digest)
    if (image === undefined) continue
    things.add(image.manifest.config.digest)
    for (const layer of image.manifest.layers) things.add(layer.digest)
    for (const { diffId } of image.layers) things.add(`layer ${hexOf(diffId)}`)
    for (const chainId of image.chain) things.add(`tree ${hexOf(chainId)}`)
  }
  if (claimant.kind === 'image') for (const name of claimant.names) things.add(`name ${escapeName(name)}`)
  else {
    things.add(`container ${escapeName(claimant.record.name)}`)
    for (const id of claimant.uppers) things.add(`upper ${id}`)
  }
  return things
}

/** Manifests and indexes. */
function manifestsOf(claimant: Claimant, { roots, children }: Known): Set<Digest> {
  const found = new Set<Digest>()
  const visit = (digest: Digest) => {
    if (found.has(digest)) return
    found.add(digest)
    for (const child of children.get(digest) ?? []) visit(child)
  }
  if (claimant.kind === 'image') visit(claimant.digest)
  else {
    visit(claimant.record.manifest)
    for (const id of claimant.uppers) {
      const manifest = roots.uppers.get(id)?.manifest
      if (manifest !== undefined) visit(manifest)
    }
  }
  return found
}

/** What of a store's files belongs to somebody, by where it lies. */
const places: readonly (readonly [RegExp, string])[] = [
  [/^blobs\/sha256\/([0-9a-f]{64})$/, 'sha256:'],
  [/^cache\/layers\/([0-9a-f]{64})\.\w+$/, 'layer '],
  [/^cache\/trees\/([0-9a-f]{64})\.erofs$/, 'tree '],
  [/^accepted\/([0-9a-f]{64})\.json$/, 'layer '],
  [/^sources\/([0-9a-f]{64})\.json$/, 'source '],
  [/^uppers\/([^/]+)$/, 'upper '],
  [/^containers\/([^/]+)$/, 'container '],
  [/^names\/([^/]+)$/, 'name '],
]

/** What somebody may need of the file (or directory) at a path in the store; `undefined` for what belongs to the store itself. */
export function thingAt(path: string): string | undefined {
  for (const [pattern, kind] of places) {
    const found = pattern.exec(path)
    if (found) return `${kind}${found[1]}`
  }
  return undefined
}
