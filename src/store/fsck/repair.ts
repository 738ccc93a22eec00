import { dirname, join } from 'node:path'
import type { Digest } from '../../model/digest.ts'
import { codeOf } from '../../model/errors.ts'
import { healedRecord, withOneByteHealed } from '../collection/salvage.ts'
import { formatText } from '../layout.ts'
import { escapeName, writeFileAtomically } from '../records.ts'
import { checkSource, fetchBlobs, type RepairSource } from './fetch.ts'
import type { Finding, Remedy } from './findings.ts'
import { rememberedSources } from './sources.ts'
import type { Survey } from './survey.ts'

/**
 * Heals what was found, in the order in which one thing stands on another: records, blobs, caches. What cannot be healed is put
 * aside into `quarantine/`, never deleted. The caller holds the lease, so nothing that is looked at goes away.
 */
export async function repair(
  survey: Survey,
  findings: readonly Finding[],
  sources: readonly RepairSource[],
): Promise<Finding[]> {
  for (const source of sources) checkSource(source)
  const remedies = new Map<Finding, { readonly remedy?: Remedy | undefined; readonly obstacles?: readonly string[] }>()
  for (const finding of findings)
    if (finding.code !== 'bad-index-json') remedies.set(finding, { remedy: await healRecord(survey, finding) })
  // The names are healed by now, from which it is written.
  for (const finding of findings)
    if (finding.code === 'bad-index-json') remedies.set(finding, { remedy: await healIndexJson(survey) })

  const blobs = findings.filter(({ code }) => code === 'bad-blob' || code === 'missing-blob')
  const fetched = await fetchWanted(survey, blobs, sources)
  for (const finding of blobs) {
    const digest = digestOf(finding)
    if (fetched.found.has(digest)) remedies.set(finding, { remedy: 'fetched' })
    else remedies.set(finding, { remedy: putAside(survey, finding), obstacles: fetched.obstacles })
  }
  for (const digest of fetched.found) survey.bad.delete(digest)
  for (const finding of findings)
    if (finding.code === 'bad-cache') remedies.set(finding, { remedy: await rebuild(survey, finding) })
  return findings.map((finding) => ({ ...finding, ...remedies.get(finding) }))
}

function digestOf({ file }: Finding): Digest {
  return `sha256:${file.slice(-64)}` as Digest
}

async function healRecord(survey: Survey, { code, file, kind }: Finding): Promise<Remedy | undefined> {
  const { disk, layout, names } = survey.store
  const path = join(layout.root, file)
  const place = { disk, tmp: layout.tmp }
  switch (code) {
    case 'bad-format': {
      const right = file === 'oci-layout' ? '{"imageLayoutVersion":"1.0.0"}' : formatText(disk, layout)
      writeFileAtomically(place, path, right)
      return 'healed'
    }
    case 'bad-source':
      disk.fs.rmSync(path, { force: true })
      return 'removed'
    case 'bad-record': {
      const healed = healedRecord(disk.fs.readFileSync(path) as Uint8Array)
      if (healed !== undefined && isJson(healed)) {
        writeFileAtomically(place, path, healed)
        return 'healed'
      }
      if (kind !== 'damage') return undefined
      if (file.startsWith('names/')) {
        const name = file.slice('names/'.length)
        for (const [known, descriptor] of survey.roots.names.inIndex ?? [])
          if (escapeName(known) === name) {
            await names.set(known, descriptor)
            return 'healed'
          }
        return quarantine(survey, file)
      }
      // What stands on an upper or was accepted is of no use without its record, and is left where it is.
      return file.startsWith('containers/') ? quarantineContainer(survey, file) : undefined
    }
    default:
      return undefined
  }
}

function isJson(bytes: Buffer): boolean {
  try {
    JSON.parse(bytes.toString('utf8'))
    return true
  } catch {
    return false
  }
}

async function healIndexJson(survey: Survey): Promise<Remedy> {
  const { disk, layout, names } = survey.store
  const sum = names.indexSum
  const bytes = disk.fs.readFileSync(layout.indexJson) as Buffer
  const healed = sum === undefined ? undefined : withOneByteHealed(bytes, sum)
  const place = { disk, tmp: layout.tmp }
  // What other tools left there without a name is nowhere else.
  if (healed !== undefined && isJson(healed)) writeFileAtomically(place, layout.indexJson, healed)
  else {
    disk.fs.mkdirSync(layout.quarantine, { recursive: true, mode: 0o700 })
    writeFileAtomically(place, join(layout.quarantine, 'index.json'), bytes)
    disk.fs.rmSync(layout.indexJson, { force: true })
  }
  await names.refresh()
  return 'healed'
}

/** Under the path that it had, in `quarantine/`. One that is there already stays, and this goes in its place beside it. */
function quarantine(survey: Survey, file: string, as = file): Remedy {
  const { disk, layout } = survey.store
  const path = join(layout.quarantine, as)
  disk.fs.mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  disk.fs.renameSync(join(layout.root, file), path)
  disk.syncDirectory(dirname(path))
  disk.syncDirectory(dirname(join(layout.root, file)))
  return 'quarantined'
}

function quarantineContainer(survey: Survey, file: string): Remedy {
  const { disk, layout } = survey.store
  const remedy = quarantine(survey, file, file.replace(/\/record\.json$/, ''))
  // The name is free again.
  disk.fs.rmSync(join(layout.root, dirname(file)), { recursive: true, force: true })
  return remedy
}

async function fetchWanted(
  survey: Survey,
  findings: readonly Finding[],
  sources: readonly RepairSource[],
): Promise<{ readonly found: ReadonlySet<Digest>; readonly obstacles: readonly string[] }> {
  if (findings.length === 0) return { found: new Set(), obstacles: [] }
  const { blobs, below, homeOf } = survey.store
  const obstacles: string[] = []
  const wanted = new Set(findings.map(digestOf))
  // What is damaged here may be whole below.
  const others = below.filter((one) => [...wanted].some((digest) => homeOf(digest) !== one))
  const all = [...sources, ...others.map(({ root }) => `oci:${root}`), ...rememberedSources(survey)]
  if (all.length === 0) obstacles.push('no source was named, and none is remembered')
  const found = await fetchBlobs(blobs, wanted, all, (reason) => obstacles.push(reason), survey.operation)
  // A manifest that is here again may say that more is missing: that is for the next check.
  return { found, obstacles: [...new Set(obstacles)].slice(0, 20) }
}

/**
 * A damaged tar of which most files can be read stays: every page of it is checked when it is read, and without it none could
 * be. All else that is damaged goes where nothing finds it.
 */
function putAside(survey: Survey, finding: Finding): Remedy | undefined {
  const { disk, layout } = survey.store
  if (!disk.fs.existsSync(join(layout.root, finding.file)) || finding.paths !== undefined) return undefined
  return quarantine(survey, finding.file)
}

/** Removes a bad cache and builds it anew, where it can be built. */
async function rebuild(survey: Survey, { file }: Finding): Promise<Remedy | undefined> {
  const { disk, layout, layers, trees } = survey.store
  const path = join(layout.root, file)
  const id = `sha256:${file.slice(file.lastIndexOf('/') + 1).slice(0, 64)}`
  if (file.startsWith('cache/layers/')) {
    const layer = [...survey.layers()].find(({ diffId }) => diffId === id)
    if (layer === undefined) return undefined
    const onlyCopy = file.endsWith('.tar') && survey.bad.has(layer.descriptor.digest)
    // Most of its pages may be good, and nothing else has them.
    if (onlyCopy) return undefined
    disk.fs.rmSync(path, { force: true })
    if (file.endsWith('.spill') || file.endsWith('.sums')) return 'removed'
    return attempted(() => layers.ready(layer, survey.operation))
  }
  disk.fs.rmSync(path, { force: true })
  const image = survey.marked.images.find(({ chain }) => (chain as readonly string[]).includes(id))
  if (image === undefined) return 'removed'
  const length = (image.chain as readonly string[]).indexOf(id) + 1
  return attempted(async () => {
    const tree = await trees.open(image.layers.slice(0, length), { folded: true, ...survey.operation })
    tree.close()
  })
}

/** What cannot be built now, since its blob is damaged, is gone as a cache may be. */
async function attempted(build: () => Promise<void>): Promise<Remedy> {
  try {
    await build()
    return 'rebuilt'
  } catch (error) {
    if (!/^PLY_(BAD_|BLOB_|DAMAGED|DIGEST_|SIZE_|UNSUPPORTED|BUDGET)/.test(codeOf(error) ?? '')) throw error
    return 'removed'
  }
}
