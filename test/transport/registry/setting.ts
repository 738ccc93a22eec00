import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { append, scratch } from '../../../src/image/append.ts'
import { configure } from '../../../src/image/configure.ts'
import type { Image, Layer } from '../../../src/image/image.ts'
import { layerFrom } from '../../../src/image/layer-from.ts'
import { digestOf } from '../../../src/model/digest.ts'
import type { ByteStream } from '../../../src/stream/bytes.ts'
import { collect } from '../../../src/stream/collect.ts'
import { openSink, openSource } from '../../../src/transport/open.ts'
import type { RegistryOptions } from '../../../src/transport/registry/options.ts'
import { temporary } from '../../support/temporary.ts'
import type { OwnRegistry } from './own-registry.ts'

/** Options that ask nothing of this machine's settings, and lose no time. */
export function settings(more: RegistryOptions = {}): RegistryOptions {
  const home = temporary()
  const environment = {
    HOME: home,
    XDG_RUNTIME_DIR: home,
    CONTAINERS_REGISTRIES_CONF: '/dev/null',
    ...more.environment,
  }
  return {
    partialDirectory: `${home}/partial`,
    ...more,
    patience: { firstPause: 1, longestPause: 50, silence: 5000, ...more.patience },
    environment,
  }
}

/** An image with two layers that do not compress, of so many bytes together. */
export function noisyImage(bytes = 1 << 20): Image {
  const base = append(scratch, layerFrom({ '/base': randomBytes(bytes >> 1) }), { created_by: 'base' })
  return configure(append(base, layerFrom({ '/top': randomBytes(bytes >> 1) }), { created_by: 'top' }), {
    cmd: ['/top'],
  })
}

export async function push(image: Image, reference: string, registry: RegistryOptions, as?: string) {
  await using sink = await openSink(reference, { registry })
  return await sink.write(image, as)
}

export interface Pulled {
  readonly image: Image
  readonly layers: readonly Buffer[]
}

/** Everything of an image. */
export async function pull(reference: string, registry: RegistryOptions, platform?: string): Promise<Pulled> {
  await using source = await openSource(reference, { registry, ...(platform && { platform }) })
  const image = await source.image()
  return { image, layers: await Promise.all(image.layers.map((layer) => bytesOf(layer.compressed()))) }
}

export const bytesOf = (stream: ByteStream): Promise<Buffer> => collect(stream, 1 << 30)

export const digestsOf = ({ layers }: Pulled) => layers.map((bytes) => digestOf(bytes))

export const namesOf = (layers: readonly Layer[]) => layers.map(({ descriptor }) => descriptor.digest)

/** Puts an image into a registry without going through the client. */
export async function seed(registry: OwnRegistry, image: Image, repository: string, tag: string): Promise<void> {
  const entry = { raw: Buffer.from(image.rawManifest), type: image.descriptor.mediaType }
  registry.manifests.set(`${repository} ${tag}`, entry).set(`${repository} ${image.digest}`, entry)
  registry.blobs.set(image.manifest.config.digest, Buffer.from(image.rawConfig))
  for (const layer of image.layers) registry.blobs.set(layer.descriptor.digest, await bytesOf(layer.compressed()))
}

/** What waits in a directory for the next attempt. */
export const halfBlobs = (directory: string) => readdirSync(directory).filter((name) => name.endsWith('.part'))

/** Everything that an error says, with its causes. */
export function allOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const details = JSON.stringify((error as { details?: unknown }).details ?? {})
  return [error.message, error.stack, details, error.cause === undefined ? '' : allOf(error.cause)].join('\n')
}
