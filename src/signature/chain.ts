import type { Digest } from '../model/digest.ts'
import type { Descriptor } from '../model/documents.ts'
import { PlyError } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import { isIndexType, parseIndex } from '../model/parse-documents.ts'
import type { Attachments } from './attachments.ts'

/** More documents than any index leads to, and deeper than any nests. */
const mostDocuments = 10_000
const deepest = 8

/**
 * The indexes that lead from where a reference points to an image, the outermost first: who signs one of them vouches for all that it
 * lists. None if the reference points at the image itself. Each is read by its digest. @throws PLY_BAD_DOCUMENT
 */
export async function indexesOver(
  image: Digest,
  roots: readonly Descriptor[],
  place: Pick<Attachments, 'manifest'>,
  operation: Operation = {},
): Promise<readonly Digest[]> {
  for await (const { digest, above } of documentsUnder(roots, place, operation)) if (digest === image) return above
  return []
}

/** Every document that some lead to, each once, indexes before what they list; `above` are the indexes that lead there. */
export async function* documentsUnder(
  roots: readonly Descriptor[],
  place: Pick<Attachments, 'manifest'>,
  operation: Operation = {},
): AsyncGenerator<Descriptor & { readonly above: readonly Digest[] }> {
  const seen = new Set<Digest>()
  const left = roots.map((root) => ({ ...root, above: [] as readonly Digest[] })).reverse()
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    if (seen.has(next.digest)) continue
    seen.add(next.digest)
    if (seen.size > mostDocuments || next.above.length > deepest) {
      const reason =
        seen.size > mostDocuments ? `it leads to more than ${mostDocuments} documents` : 'it is nested too deeply'
      throw new PlyError('PLY_BAD_DOCUMENT', { what: 'the index', reason })
    }
    yield next
    if (!isIndexType(next.mediaType)) continue
    const found = await place.manifest(next.digest, operation)
    if (found === undefined || found.descriptor.digest !== next.digest) continue
    const above = [...next.above, next.digest]
    const { manifests } = parseIndex(found.raw, `index ${next.digest}`)
    left.push(...manifests.map((entry) => ({ ...entry, above })).reverse())
  }
}
