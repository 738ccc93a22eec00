import { type Descriptor, mediaTypes } from '../model/documents.ts'
import { PlyError } from '../model/errors.ts'
import { Field, type JsonObject } from '../model/field.ts'
import { parseJson } from '../model/json.ts'
import { manifestLimit, parseIndex } from '../model/parse-documents.ts'
import type { Attached } from '../signature/index.ts'
import { refName } from './layout-source.ts'

/** The content of `oci-layout` (image-spec, image-layout.md). */
export const layoutFile = '{"imageLayoutVersion":"1.0.0"}'

/** @throws PLY_BAD_DOCUMENT; PLY_UNSUPPORTED for a version that is not 1 */
export function checkLayoutVersion(raw: Uint8Array, what: string): void {
  const version = new Field(what, '', parseJson(raw, what, manifestLimit)).member('imageLayoutVersion').text()
  if (!version.startsWith('1.')) {
    throw new PlyError('PLY_UNSUPPORTED', {
      what: `OCI layout version ${version}`,
      reason: `${what} says so; plyfs reads version 1`,
    })
  }
}

/**
 * An `index.json` with one more image: in place of the one with the same name, everything else as it was, unknown fields
 * too. Without a name the image is added unless it is there already, with or without one.
 *
 * @throws PLY_BAD_DOCUMENT if the old one is not an index
 */
export function indexWith(old: Uint8Array | undefined, image: Attached, name: string | undefined): Buffer {
  const { mediaType, digest, size, platform, artifactType } = image
  const entry = {
    mediaType,
    digest,
    size,
    ...(name !== undefined && { annotations: { [refName]: name } }),
    ...(platform !== undefined && { platform }),
    ...(artifactType !== undefined && { artifactType }),
  }
  if (old === undefined) {
    return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [entry] }))
  }
  const { manifests } = parseIndex(old, 'index.json')
  // Spread over the parsed text, so that members keep their order and a file that says nothing new stays the same.
  const index = parseJson(old, 'index.json', manifestLimit) as JsonObject
  return Buffer.from(JSON.stringify({ ...index, manifests: entriesWith(manifests, entry, name) }))
}

function entriesWith(
  entries: readonly Descriptor[],
  entry: Descriptor,
  name: string | undefined,
): readonly Descriptor[] {
  if (name === undefined) return entries.some(({ digest }) => digest === entry.digest) ? entries : [...entries, entry]
  const isOld = ({ digest, annotations }: Descriptor) =>
    annotations?.[refName] === name || (digest === entry.digest && annotations?.[refName] === undefined)
  const at = entries.findIndex(isOld)
  if (at < 0) return [...entries, entry]
  return entries.flatMap((other, i) => (i === at ? [entry] : isOld(other) ? [] : [other]))
}
