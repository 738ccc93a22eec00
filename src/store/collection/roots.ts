import { join } from 'node:path'
import { type Digest, isDigest } from '../../model/digest.ts'
import { codeOf } from '../../model/errors.ts'
import type { Disk } from '../../sys/disk.ts'
import { BuildRecords } from '../builds/build-records.ts'
import type { ContainerRecord } from '../containers/containers.ts'
import type { UpperRecord } from '../containers/uppers.ts'
import type { NameSurvey, Names } from '../images/names.ts'
import type { Layout } from '../layout.ts'
import { subjectName } from '../mounts/mount-record.ts'
import { MountRecords } from '../mounts/mount-records.ts'
import { escapeName, namesIn, readJson } from '../records.ts'
import { digestsIn, uppersIn } from './salvage.ts'

/** What stands in a record of a container; snapshots are uppers that it froze. */
export type KeptContainer = ContainerRecord & {
  readonly snapshots?: readonly { readonly name: string; readonly upper: string }[]
}

/** A manifest (or index) that somebody named, and who: `name debian:12`, `upper 0123…`. */
export interface Root {
  readonly digest: Digest
  readonly holder: string
}

/** An upper that somebody stands on. */
export interface KeptUpper {
  readonly id: string
  readonly holder: string
}

/** A record that cannot be read. */
export interface UnreadableRecord {
  /** Its file, relative to the store. */
  readonly path: string
  readonly kind: 'name' | 'index' | 'container' | 'upper' | 'mount'
  /** Whether all that it kept alive is known nevertheless. */
  readonly known: boolean
}

/** All that users named or made, and what of it cannot be read. */
export interface Roots {
  readonly names: NameSurvey
  readonly containers: ReadonlyMap<string, KeptContainer>
  readonly uppers: ReadonlyMap<string, UpperRecord>
  readonly images: readonly Root[]
  /** Manifests of what is mounted. */
  readonly mounted: ReadonlySet<Digest>
  readonly kept: readonly KeptUpper[]
  /** Uppers without a record that somebody stands on, with who that is. */
  readonly missing: readonly KeptUpper[]
  readonly unreadable: readonly UnreadableRecord[]
}

/** Directories of quarantined records, and what they are. */
const quarantined = { names: 'name', containers: 'container' } as const

/**
 * Reads every record. One that is damaged says what it kept alive as far as that can be read from it, and from
 * `index.json`, which holds the same; it hinders no other. Takes no lock: who needs certainty holds off others.
 */
export function rootsOf({
  disk,
  layout,
  names,
  forgotten,
}: {
  readonly disk: Disk
  readonly layout: Layout
  readonly names: Pick<Names, 'survey'>
  /** Keys of builds that keep nothing any more. */
  readonly forgotten?: ReadonlySet<string> | undefined
}): Roots {
  const survey = names.survey()
  const images: Root[] = []
  const kept: KeptUpper[] = []
  const missing: KeptUpper[] = []
  const mounted = new Set<Digest>()
  const unreadable: UnreadableRecord[] = []
  const containers = new Map<string, KeptContainer>()
  const uppers = new Map<string, UpperRecord>()
  const isHere = (digest: Digest) => disk.fs.existsSync(layout.blobOf(digest))

  for (const { name, descriptor } of survey.records) images.push({ digest: descriptor.digest, holder: `name ${name}` })
  for (const entry of survey.unnamed)
    if (isDigest(entry?.digest)) images.push({ digest: entry.digest, holder: 'an entry of index.json without a name' })
  if (survey.inIndex === undefined) unreadable.push({ path: 'index.json', kind: 'index', known: false })

  /** What a damaged record of a name kept alive. */
  const damagedName = (path: string, file: string) => {
    const digests = digestsIn(textOf(disk, join(layout.root, path))).filter(isHere)
    for (const [name, { digest }] of survey.inIndex ?? [])
      if (escapeName(name) === file && isHere(digest)) digests.push(digest)
    for (const digest of digests) images.push({ digest, holder: path })
    unreadable.push({ path, kind: 'name', known: digests.length > 0 })
  }
  for (const file of survey.unreadable) damagedName(`names/${file}`, file)

  const keep = (id: string, holder: string) => {
    kept.push({ id, holder })
    if (uppers.has(id)) return
    const path = `uppers/${id}/record.json`
    try {
      const record = readJson<UpperRecord>(disk, join(layout.root, path))
      if (record === undefined) {
        missing.push({ id, holder })
        return
      }
      if (!isUpper(record, id)) throw notOurs
      uppers.set(id, record)
      images.push({ digest: record.manifest, holder: `upper ${id}` })
      if (record.parent !== null) keep(record.parent, `upper ${id}`)
    } catch (error) {
      if (error !== notOurs && codeOf(error) !== 'PLY_BAD_DOCUMENT') throw error
      if (unreadable.some((one) => one.path === path)) return
      const text = textOf(disk, join(layout.root, path))
      const digests = digestsIn(text).filter(isHere)
      for (const digest of digests) images.push({ digest, holder: path })
      unreadable.push({ path, kind: 'upper', known: false })
      for (const below of uppersIn(text)) if (below !== id) keep(below, path)
    }
  }
  const damagedContainer = (path: string) => {
    const text = textOf(disk, join(layout.root, path))
    const ids = uppersIn(text).filter((id) => disk.fs.existsSync(join(layout.uppers, id)))
    for (const id of ids) keep(id, path)
    for (const digest of digestsIn(text).filter(isHere)) images.push({ digest, holder: path })
    unreadable.push({ path, kind: 'container', known: false })
  }
  for (const file of namesIn(disk, layout.containers)) {
    const path = `containers/${file}/record.json`
    try {
      const record = readJson<KeptContainer>(disk, join(layout.root, path))
      if (record === undefined) continue
      if (!isContainer(record, file)) throw notOurs
      containers.set(record.name, record)
      images.push({ digest: record.manifest, holder: `container ${record.name}` })
      keep(record.upper, `container ${record.name}`)
      for (const snapshot of record.snapshots ?? []) keep(snapshot.upper, `snapshot ${record.name}@${snapshot.name}`)
    } catch (error) {
      if (error !== notOurs && codeOf(error) !== 'PLY_BAD_DOCUMENT') throw error
      damagedContainer(path)
    }
  }
  const damagedMount = (path: string) => {
    const digests = digestsIn(textOf(disk, join(layout.root, path))).filter(isHere)
    for (const digest of digests) images.push({ digest, holder: path })
    unreadable.push({ path, kind: 'mount', known: digests.length > 0 })
  }
  for (const mount of new MountRecords(disk, layout).list(damagedMount)) {
    // Its uppers are those of the container, whose record stays as long as it is mounted.
    mounted.add(mount.manifest)
    images.push({ digest: mount.manifest, holder: `mount of ${subjectName(mount)}` })
  }
  for (const { key, manifest, step } of new BuildRecords(disk, layout).list())
    if (!forgotten?.has(key)) images.push({ digest: manifest, holder: `build ${key.slice(0, 12)} of ${step}` })
  for (const [directory, kind] of Object.entries(quarantined))
    for (const file of namesIn(disk, join(layout.quarantine, directory))) {
      const path = `quarantine/${directory}/${file}`
      if (kind === 'name') damagedName(path, file)
      else damagedContainer(path)
    }
  return { names: survey, containers, uppers, images, mounted, kept, missing, unreadable }
}

const notOurs = new Error('it is JSON, but no such record')

function isContainer(record: Partial<KeptContainer> | null, file: string): boolean {
  return (
    typeof record?.name === 'string' &&
    escapeName(record.name) === file &&
    typeof record.upper === 'string' &&
    isDigest(record.manifest)
  )
}

function isUpper(record: Partial<UpperRecord> | null, id: string): boolean {
  return (
    record?.id === id &&
    (record.parent === null || typeof record.parent === 'string') &&
    (record.form === 'portable' || record.form === 'overlay') &&
    isDigest(record.manifest)
  )
}

/** As text of any kind: what is looked for in it is ASCII. */
function textOf(disk: Disk, path: string): string {
  try {
    return disk.fs.readFileSync(path, 'latin1') as string
  } catch (error) {
    if (['ENOENT', 'EISDIR', 'EIO'].includes(codeOf(error) ?? '')) return ''
    throw error
  }
}
