import { randomBytes } from 'node:crypto'
import { join, resolve } from 'node:path'
import type { Digest } from '../../model/digest.ts'
import { codeOf } from '../../model/errors.ts'
import { splitReference } from '../../model/reference.ts'
import type { Disk } from '../../sys/disk.ts'
import type { Layout } from '../layout.ts'
import { readJson, recordText } from '../records.ts'
import type { Survey } from './survey.ts'

/** More places than this are not remembered for one image. */
const mostSources = 4

/** `sources/<manifest>.json`. */
interface SourcesRecord {
  /** References, the latest first. */
  readonly sources: readonly string[]
}

/**
 * A reference as it may be remembered: with an absolute path, and without a password. `undefined` for what cannot be asked a
 * second time, or has no blobs as they travel.
 */
export function rememberable(reference: string): string | undefined {
  const { transport, details } = splitReference(reference)
  if (transport === 'docker') return `docker://${details.replace(/^[^/@]*@(?=[^/]*\/)/, '')}`
  if (!['oci', 'oci-archive', 'docker-archive', 'dir'].includes(transport) || details === '-') return undefined
  return `${transport}:${resolve(details)}`
}

/**
 * Notes where an image came from, for a repair. It is a hint and not synced: a power cut may take it, and nothing is lost.
 */
export function rememberSource(
  { disk, layout }: { readonly disk: Disk; readonly layout: Layout },
  manifest: Digest,
  reference: string,
): void {
  const source = rememberable(reference)
  if (source === undefined) return
  const before = read({ disk, layout }, manifest)
  if (before[0] === source) return
  const sources = [source, ...before.filter((one) => one !== source)].slice(0, mostSources)
  const draft = join(layout.tmp, `source-${randomBytes(8).toString('hex')}`)
  disk.fs.mkdirSync(layout.sources, { recursive: true, mode: 0o700 })
  disk.fs.writeFileSync(draft, recordText({ sources }), { mode: 0o600 })
  disk.fs.renameSync(draft, layout.sourceOf(manifest))
}

/** Where the images came from that something bad belongs to, and all others: blobs are shared. Stores below remember theirs. */
export function rememberedSources({ store: { disk, layout, below }, marked }: Survey): string[] {
  const found = new Set<string>()
  for (const one of [layout, ...below]) {
    if (!disk.fs.existsSync(one.sources)) continue
    for (const digest of marked.blobs.keys())
      for (const source of read({ disk, layout: one }, digest)) found.add(source)
  }
  return [...found]
}

function read({ disk, layout }: { readonly disk: Disk; readonly layout: Layout }, manifest: Digest): readonly string[] {
  const path = layout.sourceOf(manifest)
  if (!disk.fs.existsSync(path)) return []
  try {
    const { sources } = readJson<Partial<SourcesRecord>>(disk, path) ?? {}
    return Array.isArray(sources) ? sources.filter((one) => typeof one === 'string') : []
  } catch (error) {
    if (codeOf(error) !== 'PLY_BAD_DOCUMENT') throw error
    return []
  }
}
