import { copy, copyWhole, parcelFrom } from '../image/copy.ts'
import type { ImageSink, ImageSource } from '../image/image.ts'
import type { Digest } from '../model/digest.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import { checkAborted, type Operation } from '../model/operation.ts'
import { normalName, parseName, splitReference, storeTransport } from '../model/reference.ts'
import { openSink, openSource } from './open.ts'
import type { SourceOptions } from './options.ts'
import type { RegistryOptions } from './registry/options.ts'
import { openRepository } from './registry/repository.ts'
import type { SyncEntry } from './sync-list.ts'

/** How many images are copied, and what happens when one cannot be. */
export interface SyncOptions extends Operation, Pick<SourceOptions, 'signatures'> {
  /** Where what the list gives no target goes: `docker://HOST[/PREFIX]`, `oci:DIR`; absent: the store, under the names that it has. */
  readonly target?: string | undefined
  /** Names at the target begin with the registry that an image came from. */
  readonly scoped?: boolean | undefined
  /** One image of each index, not all of it. */
  readonly platform?: string | undefined
  /** Nothing is transferred: only said what would be. */
  readonly dryRun?: boolean | undefined
  /** Goes on after a failure; what failed is told as a step. */
  readonly keepGoing?: boolean | undefined
  readonly registry?: RegistryOptions | undefined
  /** Where names without a transport are. */
  readonly store?: (ImageSource & ImageSink) | undefined
}

/** What became of one image. */
export interface SyncStep {
  readonly from: string
  readonly to: string
  /** `current`: it was there already; `copied`, or with `dryRun` it would be; `failed`. */
  readonly state: 'current' | 'copied' | 'failed'
  /** What the source has; absent where that could not be found out. */
  readonly digest?: Digest
  readonly error?: unknown
}

/**
 * Takes the images of a list to another place, one after the other, with all that their references lead to. What is there with the
 * same digest is left alone: of that nothing is transferred but the question.
 *
 * @throws what finding out the tags throws; what a copy throws, unless `keepGoing`; PLY_USAGE where two images would get one name
 */
export async function* sync(entries: readonly SyncEntry[], options: SyncOptions): AsyncGenerator<SyncStep> {
  const taken = new Map<string, string>()
  for (const entry of entries) {
    let froms: readonly string[]
    try {
      froms = entry.tags === undefined ? [entry.from] : await matching(entry, options)
    } catch (error) {
      if (!goesOn(error, options)) throw error
      yield { from: entry.from, to: entry.to ?? options.target ?? storeTransport, state: 'failed', error }
      continue
    }
    for (const from of froms) {
      checkAborted(options.signal)
      const to = entry.to ?? targetFor(from, options)
      const other = taken.get(to)
      if (other === from) continue
      if (other !== undefined)
        throw new PlyError('PLY_USAGE', {
          reason: `${other} and ${from} would both be ${to}: name other targets, or keep the registries apart (scoped)`,
        })
      taken.set(to, from)
      yield await step({ ...entry, from, to }, options)
    }
  }
}

async function step(item: SyncEntry & { readonly to: string }, options: SyncOptions): Promise<SyncStep> {
  const { from, to } = item
  let digest: Digest | undefined
  try {
    digest = await digestAt(from, registryOf(item, options), options)
    if (digest === undefined) throw new PlyError('PLY_IMAGE_NOT_FOUND', { name: from, where: 'the source' })
    // What is there already is only compared: it has no signatures to show.
    const there = { ...options, platform: undefined, signatures: undefined }
    if ((await digestAt(to, options.registry, there)) === digest) return { from, to, state: 'current', digest }
    if (!options.dryRun) await transfer(item, options)
    return { from, to, state: 'copied', digest }
  } catch (error) {
    if (!goesOn(error, options)) throw error
    return { from, to, state: 'failed', ...(digest && { digest }), error }
  }
}

async function transfer(item: SyncEntry & { readonly to: string }, options: SyncOptions): Promise<void> {
  const { platform, signal, onProgress } = options
  const operation = { signal, onProgress }
  await using source = await sourceAt(item.from, registryOf(item, options), options)
  const { transport, details } = splitReference(item.to)
  const stored = transport === storeTransport
  const sink = stored ? storeOf(options) : await openSink(item.to, { registry: options.registry, ...operation })
  const as = stored ? details : undefined
  const name = nameIn(item.from)
  try {
    const asked = { as, name, source: item.from, ...operation }
    if (platform === undefined) await copyWhole(source, sink, asked)
    else await copy(source, sink, { ...asked, platform })
  } finally {
    if (!stored) await sink[Symbol.asyncDispose]()
  }
}

/** What a place has under a name, found out without transferring more than documents; `undefined` if nothing. */
async function digestAt(
  reference: string,
  registry: RegistryOptions | undefined,
  options: SyncOptions,
): Promise<Digest | undefined> {
  const { transport, details } = splitReference(reference)
  const { platform, signatures, signal } = options
  if (transport === 'docker' && platform === undefined && signatures === undefined) {
    const { tag, digest } = parseName(details)
    await using repository = openRepository(reference, registry)
    return repository.resolve(digest ?? tag!, { signal })
  }
  try {
    await using source = await sourceAt(reference, registry, options)
    const name = nameIn(reference)
    if (platform !== undefined) return (await source.image(name, { platform, signal })).digest
    return (await parcelFrom(source, name, { signal })).descriptor.digest
  } catch (error) {
    if (['PLY_IMAGE_NOT_FOUND', 'ENOENT'].includes(codeOf(error) ?? '')) return undefined
    throw error
  }
}

/** Every tag that is meant, as references, in the order of their names. */
async function matching(entry: SyncEntry, options: SyncOptions): Promise<string[]> {
  await using repository = openRepository(entry.from, registryOf(entry, options))
  const tags: string[] = []
  const { signal } = options
  for await (const tag of repository.tags({ signal })) if (entry.tags!.test(tag)) tags.push(tag)
  if (tags.length === 0) {
    throw new PlyError('PLY_IMAGE_NOT_FOUND', {
      name: `${entry.from} with a tag like ${entry.tags!.source}`,
      where: repository.registry,
      available: 'no such tag',
    })
  }
  return tags.sort().map((tag) => `${entry.from}:${tag}`)
}

/** Where an image goes that the list gives no target. @throws PLY_USAGE */
function targetFor(from: string, { target, scoped = false }: SyncOptions): string {
  const name = nameOf(from)
  if (target === undefined || target === storeTransport) return normalName(name)
  const { domain = 'docker.io', path, tag, digest } = parseName(name)
  const [prefix, details] = [target.replace(/\/+$/, ''), splitReference(target).details]
  const kept = scoped ? `${domain.replaceAll(':', '-')}/${path}` : path
  switch (splitReference(target).transport) {
    case 'docker':
      return `${prefix}/${kept}${digest === undefined ? `:${tag}` : `@${digest}`}`
    case 'oci':
      if (digest === undefined) return `oci:${details}:${kept}:${tag}`
      break
    default:
  }
  const reason =
    digest === undefined
      ? `${target}: write docker://HOST[/PREFIX], oci:DIR, or leave it out for the store`
      : `${from} has no tag: give it a target of its own in the list`
  throw new PlyError('PLY_USAGE', { reason })
}

/** The name of an image where it is. @throws PLY_USAGE */
function nameOf(from: string): string {
  const { transport, details } = splitReference(from)
  if (transport === 'docker' || transport === storeTransport) return details
  throw new PlyError('PLY_USAGE', {
    reason: `${from} has no name that could be kept: give it a target of its own in the list`,
  })
}

/** The name in a store; what `openSource` takes has it in the reference. */
function nameIn(reference: string): string | undefined {
  const { transport, details } = splitReference(reference)
  return transport === storeTransport ? details : undefined
}

async function sourceAt(
  reference: string,
  registry: RegistryOptions | undefined,
  { signatures, signal, onProgress, ...options }: SyncOptions,
): Promise<ImageSource> {
  if (nameIn(reference) === undefined) return openSource(reference, { registry, signatures, signal, onProgress })
  if (signatures !== undefined) {
    const reason = 'it is in the store, which keeps no signatures: name it where it is signed'
    throw new PlyError('PLY_UNSIGNED', { what: reference, reason })
  }
  const store = storeOf(options)
  // It is the caller's, and stays open.
  const { parcel } = store
  return {
    list: () => store.list(),
    image: store.image.bind(store),
    ...(parcel && { parcel: parcel.bind(store) }),
    async [Symbol.asyncDispose]() {},
  }
}

function storeOf({ store }: Pick<SyncOptions, 'store'>): ImageSource & ImageSink {
  if (store === undefined)
    throw new PlyError('PLY_USAGE', { reason: 'names without a transport are those of a store: say which' })
  return store
}

function registryOf({ registry }: SyncEntry, options: SyncOptions): RegistryOptions {
  return { ...options.registry, ...registry }
}

function goesOn(error: unknown, { keepGoing, signal }: SyncOptions): boolean {
  return keepGoing === true && error instanceof Error && codeOf(error) !== 'PLY_ABORTED' && !signal?.aborted
}
