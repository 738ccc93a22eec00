import fs from 'node:fs'
import { join } from 'node:path'
import { digestOf, hexOf } from '../model/digest.ts'
import { manifestLimit, parseIndex } from '../model/parse-documents.ts'
import { type Attached, referring, type WritableAttachments } from '../signature/index.ts'
import type { BlobPlace } from './blob-place.ts'
import { onDisk } from './disk-errors.ts'
import { kindAt } from './file.ts'
import { indexWith } from './index-json.ts'
import { layoutAttachments } from './layout-attachments.ts'
import { describeDocument } from './layout-source.ts'
import { withLock } from './lock.ts'
import { writeWhole } from './staged-file.ts'

/** What lies beside the images of an OCI layout directory that is there, and can be laid there. */
export function ociAttachments(path: string, place: BlobPlace): WritableAttachments {
  const file = join(path, 'index.json')
  const readIndex = async () => {
    const raw = await onDisk(file, () => fs.promises.readFile(file))
    return parseIndex(raw, file)
  }
  const put = async (content: Uint8Array) => {
    const blob = join(path, 'blobs', 'sha256', hexOf(digestOf(content)))
    // What is there under its name with its size is it, as for every blob.
    if (kindAt(blob) !== 'none' && fs.statSync(blob).size === content.length) return
    await writeWhole(blob, content)
  }
  return {
    ...layoutAttachments(place, readIndex),
    putBlob: put,
    async putManifest(raw, { tag, signal } = {}) {
      const descriptor = described(raw)
      await put(raw)
      await withLock(join(path, 'oci-layout'), signal, async () => {
        const old = await onDisk(file, () => fs.promises.readFile(file))
        await writeWhole(file, indexWith(old, descriptor, tag))
      })
      return descriptor
    },
  }
}

/** As an entry of the index: what refers to something and has no name is called what it is, so that nobody takes it for an image. */
function described(raw: Uint8Array): Attached {
  const artifactType = raw.length <= manifestLimit ? referring(raw)?.artifactType : undefined
  return { ...describeDocument(raw, 'manifest'), ...(artifactType !== undefined && { artifactType }) }
}
