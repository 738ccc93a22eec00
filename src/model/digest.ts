import { hash } from 'node:crypto'

/** The name of some bytes: `sha256:` and 64 hexadecimal digits (OCI image-spec, descriptor.md#digests). */
export type Digest = `sha256:${string}` & { readonly __digest: true }

/** The digest of the uncompressed tar of a layer. */
export type DiffId = Digest

/** The digest of a stack of diffIDs (OCI image-spec, config.md#layer-chainid). */
export type ChainId = Digest

const pattern = /^sha256:[0-9a-f]{64}$/

export function isDigest(text: unknown): text is Digest {
  return typeof text === 'string' && pattern.test(text)
}

/** The digest of bytes in memory. */
export function digestOf(bytes: Uint8Array): Digest {
  return `sha256:${hash('sha256', bytes, 'hex')}` as Digest
}

/** The 64 hexadecimal digits. */
export function hexOf(digest: Digest): string {
  return digest.slice(7)
}

/** ChainIDs of every prefix of a stack, base first (config.md#layer-chainid). */
export function chainIds(diffIds: readonly DiffId[]): ChainId[] {
  const chain: ChainId[] = []
  for (const diffId of diffIds) {
    const parent = chain.at(-1)
    chain.push(parent === undefined ? diffId : (`sha256:${hash('sha256', `${parent} ${diffId}`, 'hex')}` as ChainId))
  }
  return chain
}
