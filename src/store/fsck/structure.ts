import { join } from 'node:path'
import { hexOf } from '../../model/digest.ts'
import { codeOf } from '../../model/errors.ts'
import type { StoredUpper } from '../../overlay/stored-upper.ts'
import type { UpperRecord } from '../containers/uppers.ts'
import { seenFile } from '../images/index-seen.ts'
import { findIndex } from '../layers/cached-index.ts'
import { hasSpill } from '../layers/spills.ts'
import { keepsBlocks, partsOfStore } from '../layout.ts'
import { readJson } from '../records.ts'
import { fetchAgain } from './findings.ts'
import type { Survey } from './survey.ts'

/** Work in progress is younger, in milliseconds. */
const dayOld = 86_400_000

/** Whether everything that is named is there and can be opened. Documents are read and hashed, layers are not. */
export async function checkStructure(survey: Survey): Promise<void> {
  checkFormat(survey)
  checkRecords(survey)
  checkUppers(survey)
  await checkBlobs(survey)
  checkCaches(survey)
  checkSurroundings(survey)
}

function checkFormat(survey: Survey): void {
  const { disk, layout } = survey.store
  const ours = ['compatible', 'readOnlyCompatible', 'incompatible']
  const expected = {
    'oci-layout': (found: { imageLayoutVersion?: unknown } | null) => found?.imageLayoutVersion === '1.0.0',
    'ply.json': (found: { format?: unknown; features?: object } | null) =>
      found?.format === 1 && Object.keys(found).length === 2 && ours.every((name) => name in (found.features ?? {})),
  }
  for (const [file, fits] of Object.entries(expected)) {
    try {
      const path = join(layout.root, file)
      const found = readJson<object | null>(disk, path)
      const text = disk.fs.readFileSync(path, 'utf8') as string
      // Ours holds what it holds in one way; other tools may write the layout's in theirs.
      const odd = file === 'ply.json' && text !== `${JSON.stringify(found, null, 2)}\n`
      if (found !== undefined && fits(found) && !odd) continue
    } catch (error) {
      if (codeOf(error) !== 'PLY_BAD_DOCUMENT' && codeOf(error) !== 'ENOENT') throw error
    }
    survey.add({
      kind: 'drift',
      code: 'bad-format',
      file,
      problem: 'it is not what this version writes',
      advice: 'ply fsck --repair writes it anew',
    })
  }
}

function checkRecords(survey: Survey): void {
  const { disk, layout, names } = survey.store
  const { unreadable } = survey.roots
  for (const { path, kind } of unreadable) {
    if (path.startsWith('quarantine/')) continue
    const advice = 'ply fsck --repair heals it, or puts it aside'
    const problem = 'the record cannot be read'
    if (kind === 'index') {
      const lost = 'it cannot be read; names are elsewhere, but not what other tools left in it without a name'
      survey.add({ kind: 'drift', code: 'bad-index-json', file: path, problem: lost, advice })
    } else survey.add({ kind: 'damage', code: 'bad-record', file: path, problem, advice }, path)
  }
  if (survey.roots.names.inIndex !== undefined && names.index() === 'damaged') {
    const problem = 'it has changed since it was written, and no tool has written it'
    const advice = 'ply fsck --repair writes it anew from the names'
    survey.add({ kind: 'drift', code: 'bad-index-json', file: 'index.json', problem, advice })
  }
  for (const [directory, file, kind] of [
    [layout.accepted, 'accepted', 'damage'],
    [layout.sources, 'sources', 'cosmetics'],
    [layout.names, 'names', 'cosmetics'],
  ] as const)
    for (const name of listed(survey, directory)) {
      if (file === 'names' && name !== seenFile) continue
      try {
        readJson(disk, join(directory, name))
      } catch (error) {
        if (codeOf(error) !== 'PLY_BAD_DOCUMENT') throw error
        const code = kind === 'damage' ? 'bad-record' : 'bad-source'
        const advice = kind === 'damage' ? fetchAgain : 'ply fsck --repair removes it'
        const held = `cache/layers/${name.replace(/json$/, 'erofs')}`
        survey.add({ kind, code, file: `${file}/${name}`, problem: 'the record cannot be read', advice }, held)
      }
    }
}

function checkUppers(survey: Survey): void {
  const { disk, layout } = survey.store
  const missing = (id: string, what: string) =>
    survey.add(
      {
        kind: 'damage',
        code: 'missing-upper',
        file: `uppers/${id}`,
        problem: `${what} is gone, and what was written in it`,
        advice: 'restore it from a backup, or remove what stands on it: ply rm NAME',
      },
      `upper ${id}`,
    )
  for (const { id } of survey.roots.missing) missing(id, 'its record')
  for (const [id, record] of survey.roots.uppers) {
    if (!disk.fs.existsSync(join(layout.uppers, id, 'upper'))) missing(id, 'its directory')
    else if (keepsBlocks(disk, layout)) checkBlocks(survey, record)
  }
}

/** Files of which an upper has some blocks alone. */
function checkBlocks(survey: Survey, record: UpperRecord): void {
  const { id, form } = record
  const file = `uppers/${id}/${form === 'portable' ? 'upper/extents' : 'extents'}`
  const upper = readableUpper(survey, record)
  if (!upper) return
  try {
    for (const { ino, problem } of upper.blocks.check())
      survey.add(
        problem === 'damaged'
          ? {
              kind: 'damage',
              code: 'bad-blocks',
              file: `${file}/${ino}.map`,
              problem: `it, or ${ino}.data, is gone or damaged: which blocks of file ${ino} were written is not known any more`,
              advice: 'restore it from a backup; reading the file is an error until then',
            }
          : {
              kind: 'cosmetics',
              code: 'unused-blocks',
              file: `${file}/${ino}.map`,
              problem: 'no file of the container has these blocks',
              advice: 'the next opening for writing removes them',
            },
        `upper ${id}`,
      )
  } finally {
    upper.close()
  }
}

/** What is damaged altogether is told elsewhere. */
function readableUpper({ store: { uppers } }: Survey, record: UpperRecord): StoredUpper | undefined {
  try {
    return uppers.open(record, { readOnly: true, below: [] })
  } catch (error) {
    if (!['ENOENT', 'PLY_BAD_DOCUMENT', 'PLY_UNSUPPORTED', 'PLY_NO_NATIVE'].includes(codeOf(error) ?? '')) throw error
    return undefined
  }
}

async function checkBlobs(survey: Survey): Promise<void> {
  const { blobs, disk, layout } = survey.store
  const { marked, level } = survey
  const fileOf = (digest: string) => `blobs/sha256/${digest.slice(7)}`
  for (const [digest, error] of [...marked.unreadable, ...marked.configs]) {
    const missing = codeOf(error) === 'PLY_BLOB_NOT_FOUND'
    // A config that is none of an image is an artifact's; a document of another kind is what somebody stored.
    const whole = codeOf(error) === 'PLY_BAD_DOCUMENT' || codeOf(error) === 'PLY_UNSUPPORTED'
    if (marked.configs.has(digest) && whole) continue
    survey.add(
      {
        kind: whole ? 'drift' : 'damage',
        code: missing ? 'missing-blob' : whole ? 'bad-document' : 'bad-blob',
        file: fileOf(digest),
        problem: missing
          ? `the ${marked.blobs.get(digest)?.as} is not here`
          : `${(error as Error).message}${survey.where(digest)}`,
        advice: whole ? 'remove the name that points at it' : survey.heal(digest),
      },
      digest,
    )
    survey.bad.add(digest)
  }
  const sizes = level !== 'structure'
  for (const [digest, { as, size }] of marked.blobs) {
    if (survey.bad.has(digest)) continue
    const found = (await blobs.stat(digest))?.size
    if (found !== undefined && (!sizes || size === undefined || found === size)) continue
    const isFile = found !== undefined || !disk.fs.existsSync(layout.blobOf(digest))
    survey.add(
      {
        kind: 'damage',
        code: found === undefined && isFile ? 'missing-blob' : 'bad-blob',
        file: fileOf(digest),
        problem:
          found === undefined
            ? `the ${as} is not here`
            : `the ${as} has ${found} bytes instead of ${size}${survey.where(digest)}`,
        advice: survey.heal(digest),
      },
      digest,
    )
    survey.bad.add(digest)
  }
}

/** Caches that are there must open, and at `sizes` have the sizes that belong together. */
function checkCaches(survey: Survey): void {
  const { disk, layout } = survey.store
  const sizes = survey.level !== 'structure'
  const bad = (file: string, problem: string) =>
    survey.add(
      { kind: 'drift', code: 'bad-cache', file, problem, advice: 'ply fsck --repair builds it anew, and so does use' },
      file,
    )
  const opened = (path: string, of: Parameters<typeof findIndex>[1]['of'], file: string) => {
    const stat = disk.fs.statSync(path, { throwIfNoEntry: false })
    if (stat === undefined) return undefined
    survey.counted.caches++
    const index = findIndex(disk, { path, of, what: file, writable: false })
    if (index === undefined && disk.fs.existsSync(path)) bad(file, 'it is no index, or that of something else')
    return index
  }
  for (const { diffId, descriptor } of survey.layers()) {
    const hex = hexOf(diffId)
    const index = opened(layout.indexOf(diffId), diffId, `cache/layers/${hex}.erofs`)
    if (index === undefined) continue
    try {
      const tar =
        descriptor.digest === diffId ? undefined : disk.fs.statSync(layout.tarOf(diffId), { throwIfNoEntry: false })
      const expected = index.devices[0]?.size
      if (sizes && tar !== undefined && tar.size !== expected)
        bad(`cache/layers/${hex}.tar`, `it has ${tar.size} bytes instead of ${expected}`)
      const spill = index.devices[1]?.size ?? -1
      if (sizes && disk.fs.existsSync(layout.spillOf(diffId)) && !hasSpill(disk, layout.spillOf(diffId), spill))
        bad(`cache/layers/${hex}.spill`, 'it has another size than its layer says')
    } finally {
      index.close()
    }
  }
  for (const id of new Set(survey.marked.images.flatMap(({ chain }) => chain)))
    opened(layout.treeOf(id), id, `cache/trees/${hexOf(id)}.erofs`)?.close()
}

/** What nobody knows, what was put aside, and who may look in. */
function checkSurroundings(survey: Survey): void {
  const { disk, layout } = survey.store
  for (const name of listed(survey, layout.root)) {
    if (partsOfStore.has(name)) continue
    const problem = 'it is no part of a store; another tool may have left it'
    survey.add({ kind: 'cosmetics', code: 'unknown-file', file: name, problem, advice: 'remove it if nobody needs it' })
  }
  for (const name of listed(survey, layout.tmp)) {
    const stat = disk.fs.lstatSync(join(layout.tmp, name), { throwIfNoEntry: false })
    if (stat === undefined || Date.now() - stat.mtimeMs < dayOld) continue
    const problem = 'it was left by work that was interrupted'
    survey.add({ kind: 'cosmetics', code: 'litter', file: `tmp/${name}`, problem, advice: 'ply gc removes it' })
  }
  for (const directory of listed(survey, layout.quarantine)) {
    const deeper = directory === 'blobs' ? `${directory}/sha256` : directory
    for (const name of listed(survey, join(layout.quarantine, deeper))) {
      const file = `quarantine/${deeper}/${name}`
      const unknown = survey.roots.unreadable.some(({ path, known }) => path === file && !known)
      const problem = 'it was damaged, and put aside by a repair'
      const advice = unknown
        ? 'delete it when you need nothing of it: until then ply gc keeps what it may have kept alive'
        : 'delete it when you need nothing of it'
      survey.add({ kind: 'cosmetics', code: 'quarantined', file, problem, advice })
    }
  }
  if (!survey.store.durable) {
    const problem = 'the store was made to sync nothing: a loss of power may spoil anything in it'
    survey.add({
      kind: 'cosmetics',
      code: 'not-durable',
      file: 'ply.json',
      problem,
      advice: 'after one: ply fsck --level caches --repair',
    })
  }
  const { mode } = disk.fs.statSync(layout.root)
  if (disk.kind === 'disk' && (mode & 0o077) !== 0) {
    const problem = `others may look into the store (mode ${(mode & 0o777).toString(8)})`
    survey.add({
      kind: 'cosmetics',
      code: 'permissions',
      file: '.',
      problem,
      advice: `if nobody else should: chmod 700 ${layout.root}`,
    })
  }
}

function listed({ store: { disk } }: Survey, directory: string): string[] {
  try {
    return (disk.fs.readdirSync(directory) as string[]).sort()
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(codeOf(error) ?? '')) return []
    throw error
  }
}
