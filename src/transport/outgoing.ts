import type { Layer } from '../image/image.ts'
import type { Operation } from '../model/operation.ts'
import { Pace } from '../model/pace.ts'
import type { ByteStream, Bytes } from '../stream/bytes.ts'
import { type Claim, checkOf, verified } from '../stream/verify.ts'

/**
 * Bytes that are to be written, with how to make sure of them while that is done (layer-semantics I-04): an image may come from code of
 * the caller's, and what is written under a digest has that digest. Whoever gets them reads them to their end, or closes them.
 */
export type Outgoing =
  /** Without a claim, every read has been checked already. */
  | { readonly is: 'at rest'; readonly bytes: Bytes; readonly claim: Claim | undefined }
  | { readonly is: 'flowing'; readonly stream: ByteStream; readonly claim: Claim }

/** What of a layer its blob needs; a blob that is no layer has no diffID. */
type OutgoingLayer = Pick<Layer, 'descriptor' | 'compressed' | 'atRest'> & Partial<Pick<Layer, 'diffId' | 'checkedTar'>>

/** The blob of a layer. Where it lies at rest it is hashed once, here; a layer's own stream would have done it before. */
export function outgoingBlob(layer: OutgoingLayer, operation: Operation): Outgoing {
  const { digest, size } = layer.descriptor
  const claim = { digest, size, what: `blob ${digest}` }
  return (
    (digest === layer.diffId ? checkedTarOf(layer) : undefined) ??
    atRest(layer) ?? { is: 'flowing', stream: layer.compressed(operation), claim }
  )
}

/** The tar of a layer. */
export function outgoingTar(layer: Layer, operation: Operation): Outgoing {
  const { descriptor, diffId } = layer
  const claim = { digest: diffId, what: `the tar of layer ${diffId}` }
  return (
    checkedTarOf(layer) ??
    (descriptor.digest === diffId ? atRest(layer) : undefined) ?? {
      is: 'flowing',
      stream: layer.uncompressed(operation),
      claim,
    }
  )
}

function checkedTarOf(layer: Partial<Pick<Layer, 'diffId' | 'checkedTar'>>): Outgoing | undefined {
  const bytes = layer.checkedTar?.()
  if (bytes !== undefined && bytes.diffId === layer.diffId) return { is: 'at rest', bytes, claim: undefined }
  bytes?.close()
  return undefined
}

function atRest({ descriptor, atRest }: Pick<Layer, 'descriptor' | 'atRest'>): Outgoing | undefined {
  const { digest, size } = descriptor
  const bytes = atRest?.()
  if (bytes?.size === size) return { is: 'at rest', bytes, claim: { digest, size, what: `blob ${digest}` } }
  // A blob that is cut short, or of another layer: the stream tells what is wrong with it.
  bytes?.close()
  return undefined
}

/** What is read at a time. */
export const pieceSize = 1 << 20

/** The same as a stream, checked at its end. A chunk's memory is used again for the next one. */
export async function* streamOfOutgoing(outgoing: Outgoing, { signal }: Operation): ByteStream {
  if (outgoing.is === 'flowing') {
    yield* verified(outgoing.stream, outgoing.claim)
    return
  }
  const { bytes, claim } = outgoing
  try {
    const pace = new Pace(signal)
    const check = claim && checkOf(claim)
    const buffer = Buffer.allocUnsafeSlow(Math.min(pieceSize, bytes.size))
    for (let at = 0; at < bytes.size; ) {
      if (pace.due(64)) await pace.rest()
      const got = bytes.read(buffer, at)
      if (got === 0) break
      const chunk = buffer.subarray(0, got)
      check?.write(chunk)
      yield chunk
      at += got
    }
    check?.end()
  } finally {
    bytes.close()
  }
}
