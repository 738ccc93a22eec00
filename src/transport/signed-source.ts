import type { ImageSource } from '../image/image.ts'
import type { Parcel } from '../image/parcel.ts'
import type { Digest } from '../model/digest.ts'
import { PlyError } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import {
  checkRequirement,
  type ImageSignature,
  indexesOver,
  judgedSignatures,
  type Refused,
  type SignatureRequirement,
  type SourceAttachments,
  unsigned,
} from '../signature/index.ts'

/** As many as anybody reads. */
const mostRefusals = 100

/**
 * The same source, whose images are handed out only if a signature vouches for them: for the very manifest that is handed out, or for an
 * index whose bytes lead to it. Nothing of an image is read before but its manifest, config and signatures.
 *
 * @throws PLY_USAGE without a key; `image` also PLY_UNSIGNED, and what the place of the signatures throws
 */
export function signedSource(source: ImageSource, requirement: SignatureRequirement): ImageSource {
  checkRequirement(requirement)
  return {
    list: () => source.list(),
    async image(name, options = {}) {
      const { signal, onProgress } = options
      const image = await source.image(name, options)
      await requireSignature(source, image.digest, name, requirement, { signal, onProgress })
      return image
    },
    ...(source.parcel && {
      async parcel(name?: string, operation: Operation = {}) {
        const parcel = await source.parcel!(name, operation)
        for (const digest of await rootsOf(source, parcel, name, operation))
          await requireSignature(source, digest, name, requirement, operation)
        return parcel
      },
    }),
    ...(source.attachments && { attachments: source.attachments }),
    [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
  }
}

/** What has to be signed of something whole: itself, or where it was put together here, all that it was put together of. */
async function rootsOf(
  { attachments }: ImageSource,
  parcel: Parcel,
  name: string | undefined,
  operation: Operation,
): Promise<readonly Digest[]> {
  const { digest } = parcel.descriptor
  const roots = (await attachments?.roots(name, operation)) ?? []
  if (parcel.is === 'manifest' || roots.some((root) => root.digest === digest)) return [digest]
  return parcel.members.map((member) => member.descriptor.digest)
}

/** The first signature that is enough. @throws PLY_UNSIGNED */
async function requireSignature(
  { attachments }: ImageSource,
  digest: Digest,
  name: string | undefined,
  requirement: SignatureRequirement,
  operation: Operation,
): Promise<ImageSignature> {
  const refused: Refused[] = []
  if (attachments === undefined) {
    const reason = 'where it comes from there is no place for one; it is checked in registries, oci: and oci-archive:'
    throw new PlyError('PLY_UNSIGNED', { what: digest, reason })
  }
  const subjects = await subjectsOf(attachments, digest, name, operation)
  const asked = asIn(attachments, name, requirement)
  for await (const one of judgedSignatures(subjects, attachments, asked, operation)) {
    if (!('why' in one)) return one
    if (refused.length < mostRefusals) refused.push(one)
  }
  const named = attachments.identity(name)
  throw unsigned(named === undefined ? digest : `${named} (${digest})`, refused)
}

/** The documents that a signature may be of, so that it vouches for an image: the indexes that lead to it, and itself. */
export async function subjectsOf(
  attachments: SourceAttachments,
  image: Digest,
  name: string | undefined,
  operation: Operation,
): Promise<readonly Digest[]> {
  const roots = await attachments.roots(name, operation)
  return [...(await indexesOver(image, roots, attachments, operation)), image]
}

/** What is asked of signatures in a place where images have names: that they are for the name that was asked for. */
export function asIn(
  attachments: SourceAttachments,
  name: string | undefined,
  requirement: SignatureRequirement,
): SignatureRequirement {
  return { ...requirement, signedAs: requirement.signedAs ?? attachments.identity(name) }
}
