import type { Operation } from '../../model/operation.ts'
import { checkCacheContents } from './caches.ts'
import { checkContents } from './contents.ts'
import type { RepairSource } from './fetch.ts'
import { type Finding, type FsckLevel, type FsckReport, fsckLevels, reportOf } from './findings.ts'
import { repair } from './repair.ts'
import { checkStructure } from './structure.ts'
import { type Checkable, Survey } from './survey.ts'

/** How much is checked, and whether it is healed. */
export interface FsckOptions extends Operation {
  /** How much is looked at; `digests` unless told. */
  readonly level?: FsckLevel | undefined
  /** Heal what can be healed, and put aside what cannot. */
  readonly repair?: boolean | undefined
  /**
   * Where blobs are fetched from that are missing or damaged, by reference (`oci:DIR`, `docker-archive:FILE`, another store as
   * `oci:DIR`) or open; after these, where the images came from.
   */
  readonly sources?: readonly RepairSource[] | undefined
}

/**
 * Checks a store. Nothing is locked for it, and nothing is told that is only so because somebody is at work: what a first
 * look finds is looked at a second time, while collections are held off, and told if it is still so.
 */
export async function fsck(
  store: Checkable,
  { level = 'digests', repair: repairs = false, sources = [], ...operation }: FsckOptions,
): Promise<FsckReport> {
  const first = await look(store, level, operation)
  const suspects = new Set(first.findings.map(keyOf))
  const certain = first.findings.every(({ kind }) => kind === 'cosmetics')
  const numbers = {
    images: first.marked.images.length,
    containers: first.roots.containers.size,
    ...first.counted,
  }
  if (certain && !(repairs && suspects.size > 0)) return reportOf(level, first.findings, numbers)
  using _ = store.writable ? await store.lease(operation) : undefined
  const only = new Set(first.findings.map(({ file }) => file))
  const second = await look(store, level, { only, ...operation })
  const findings = second.findings.filter((finding) => suspects.has(keyOf(finding)))
  if (!repairs) return reportOf(level, findings, numbers)
  const all = new Map<string, Finding>()
  let survey = second
  for (let todo = findings, round = 0; todo.length > 0 && round < rounds; round++) {
    const done = await repair(survey, todo, sources)
    for (const finding of done) all.set(keyOf(finding), finding)
    // A document that is here again may name what is not.
    if (!done.some(({ remedy }) => remedy === 'fetched' || remedy === 'healed')) break
    survey = await look(store, level, operation)
    todo = survey.findings.filter((finding) => !all.has(keyOf(finding)) && finding.kind !== 'cosmetics')
  }
  return reportOf(level, [...all.values()], numbers)
}

/** An index names manifests, they name configs, and these caches: so often something may come to light. */
const rounds = 4

async function look(
  store: Checkable,
  level: FsckLevel,
  options: { readonly only?: ReadonlySet<string> } & Operation,
): Promise<Survey> {
  const survey = await Survey.begin(store, level, options)
  const depth = fsckLevels.indexOf(level)
  await checkStructure(survey)
  if (depth >= fsckLevels.indexOf('digests')) await checkContents(survey)
  if (depth >= fsckLevels.indexOf('caches')) await checkCacheContents(survey)
  return survey
}

function keyOf({ code, file }: Finding): string {
  return `${code} ${file}`
}
