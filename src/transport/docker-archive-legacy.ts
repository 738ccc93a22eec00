import { type DiffId, digestOf } from '../model/digest.ts'
import type { History } from '../model/documents.ts'
import { Field } from '../model/field.ts'
import { canonicalJson, parseJson } from '../model/json.ts'
import { checkAborted, type Operation } from '../model/operation.ts'
import { type ArchivedImage, configLimit } from '../model/parse-documents.ts'
import { type DecompressionOptions, decompressed } from '../stream/compression.ts'
import { drain, Tally } from '../stream/hash.ts'
import { pacedStream } from './file.ts'
import { readMember } from './oci-archive.ts'
import { type Archive, badArchive } from './open-archive.ts'

/** Longer chains of parents were never built: Docker had 127. */
const mostParents = 10_000
/** The tar of a step that only changed the configuration. */
const emptyTar = digestOf(Buffer.alloc(1024))

/** The list of images in an archive as Docker wrote it before 1.10, from its `repositories`. @throws PLY_BAD_DOCUMENT */
export function parseRepositories(raw: Uint8Array, what: string): ArchivedImage[] {
  const root = new Field(what, '', parseJson(raw, what, configLimit))
  const tags = new Map<string, string[]>()
  for (const name of Object.keys(root.object())) {
    const repository = root.member(name)
    for (const tag of Object.keys(repository.object())) {
      const id = repository.member(tag).text()
      const known = tags.get(id)
      if (known === undefined) tags.set(id, [`${name}:${tag}`])
      else known.push(`${name}:${tag}`)
    }
  }
  if (tags.size === 0) throw root.bad('lists no image')
  return [...tags].map(([id, repoTags]) => ({ config: `${id}/json`, repoTags, layers: [] }))
}

/** An image of such an archive with the documents that it lacks. */
export interface LegacyImage {
  readonly rawConfig: Buffer
  /** Names of members with the layers' tars, base first, with their diffIDs. */
  readonly layers: readonly { readonly name: string; readonly diffId: DiffId }[]
}

/** What Docker kept of one step. */
interface Step {
  readonly id: string
  readonly fields: Field
}

/**
 * Reads the steps of an image from the top down to its base, hashes their layers, and makes the config that was not yet invented
 * then: the same archive gives the same image, whoever reads it. Steps with an empty tar have no layer.
 *
 * @throws PLY_BAD_ARCHIVE for a step or a layer that is missing, and for parents that go in a circle; PLY_BAD_DOCUMENT
 */
export async function legacyImage(
  archive: Archive,
  top: string,
  decompression: DecompressionOptions,
  operation: Operation,
): Promise<LegacyImage> {
  const steps = await stepsOf(archive, top)
  const layers: { name: string; diffId: DiffId }[] = []
  const history: History[] = []
  for (const { id, fields } of steps) {
    checkAborted(operation.signal)
    const name = `${id}/layer.tar`
    const diffId = await hashed(archive, name, decompression, operation)
    const isEmpty = diffId === emptyTar
    if (!isEmpty) layers.push({ name, diffId })
    history.push({ ...historyOf(fields), ...(isEmpty && { empty_layer: true }) })
  }
  const { fields } = steps.at(-1)!
  const config = fields.member('config')
  const rawConfig = canonicalJson({
    architecture: textOf(fields, 'architecture') ?? '',
    os: textOf(fields, 'os') ?? 'linux',
    ...optional('created', textOf(fields, 'created')),
    ...optional('author', textOf(fields, 'author')),
    ...(!config.absent && { config: config.object() }),
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history,
  })
  return { rawConfig: Buffer.from(rawConfig), layers }
}

async function stepsOf(archive: Archive, top: string): Promise<readonly Step[]> {
  const steps: Step[] = []
  const seen = new Set<string>()
  for (let id: string | undefined = top; id !== undefined; ) {
    if (seen.has(id) || seen.size === mostParents)
      throw badArchive(archive.where, `the parents of image ${top} ${seen.has(id) ? 'go in a circle' : 'have no end'}`)
    seen.add(id)
    const what = `${id}/json in ${archive.where}`
    const raw = id.includes('/') ? undefined : await readMember(archive, `${id}/json`, configLimit)
    if (raw === undefined) throw badArchive(archive.where, `it lacks ${id}/json, a step of image ${top}`)
    const fields: Field = new Field(what, '', parseJson(raw, what, configLimit))
    steps.unshift({ id, fields })
    id = textOf(fields, 'parent') || undefined
  }
  return steps
}

async function hashed(
  archive: Archive,
  name: string,
  decompression: DecompressionOptions,
  { signal, onProgress }: Operation,
): Promise<DiffId> {
  const bytes = archive.open(name)
  if (bytes === undefined) throw badArchive(archive.where, `it lacks ${name}`)
  const tally = new Tally()
  const stream = pacedStream(() => bytes, { signal })
  await drain(decompressed(stream, { signal, ...decompression }).stream, {
    write(chunk: Uint8Array) {
      tally.write(chunk)
      onProgress?.({ what: name, done: tally.size })
    },
  })
  return tally.digest()
}

function historyOf(fields: Field): History {
  const container = fields.member('container_config')
  const command = container.absent ? undefined : container.member('Cmd')
  const words = command === undefined || command.absent ? [] : command.texts(1000)
  return {
    ...optional('created', textOf(fields, 'created')),
    ...(words.length > 0 && { created_by: words.join(' ') }),
    ...optional('author', textOf(fields, 'author')),
    ...optional('comment', textOf(fields, 'comment')),
  }
}

function optional(name: string, value: string | undefined): object {
  return value === undefined || value === '' ? {} : { [name]: value }
}

function textOf(fields: Field, name: string): string | undefined {
  const member = fields.member(name)
  return member.absent ? undefined : member.text()
}
