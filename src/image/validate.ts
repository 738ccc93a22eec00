import { digestOf } from '../model/digest.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import { checkAborted, type Operation } from '../model/operation.ts'
import { parseConfig, parseManifest } from '../model/parse-documents.ts'
import { counted, drain } from '../stream/hash.ts'
import type { Image, Layer } from './image.ts'

/** Something that is wrong with an image. */
export interface Finding {
  readonly where: 'manifest' | 'config' | 'history' | `layer ${number}`
  /** The code that reading it would have failed with. */
  readonly code: string
  /** One sentence. */
  readonly reason: string
}

/**
 * Checks an image from end to end: documents parse and agree with each other, every byte hashes to its name, compressed
 * and uncompressed. Answers what is wrong, nothing if all is well.
 *
 * @throws PLY_ABORTED
 */
export async function validateImage(image: Image, operation: Operation = {}): Promise<Finding[]> {
  const findings: Finding[] = []
  const attempt = async (where: Finding['where'], act: () => void | Promise<void>) => {
    checkAborted(operation.signal)
    try {
      await act()
    } catch (error) {
      if (codeOf(error) === 'PLY_ABORTED') throw error
      findings.push({ where, code: codeOf(error) ?? 'EIO', reason: (error as Error).message })
    }
  }
  await attempt('manifest', () => {
    const { digest, size } = image.descriptor
    named('manifest', image.rawManifest, digest, size)
    const manifest = parseManifest(image.rawManifest)
    same(
      'manifest',
      manifest.layers.map(nameOf),
      image.layers.map((layer) => nameOf(layer.descriptor)),
    )
  })
  await attempt('config', () => {
    const { digest, size } = image.manifest.config
    named('config', image.rawConfig, digest, size)
    const config = parseConfig(image.rawConfig)
    same(
      'config',
      config.rootfs.diff_ids,
      image.layers.map((layer) => layer.diffId),
    )
    if (config.os === '' || config.architecture === '') bad('config', 'it names no os or no architecture')
  })
  await attempt('history', () => {
    const steps = image.config.history?.filter((step) => step.empty_layer !== true).length
    if (steps !== undefined && steps !== image.layers.length) {
      bad('history', `it describes ${steps} layers, and there are ${image.layers.length}`)
    }
  })
  for (const [i, layer] of image.layers.entries()) {
    await attempt(`layer ${i}`, () => readTwice(layer, operation))
  }
  return findings
}

/** Both digests of a layer. The streams check themselves. */
async function readTwice(layer: Layer, operation: Operation): Promise<void> {
  const { digest, size } = layer.descriptor
  const nowhere = { write() {} }
  const reported = counted(layer.compressed(operation), (done) =>
    operation.onProgress?.({ what: digest, done, total: size }),
  )
  await drain(reported, nowhere)
  if (digest !== layer.diffId) await drain(layer.uncompressed(operation), nowhere)
}

function nameOf({ digest, size }: { readonly digest: string; readonly size: number }): string {
  return `${digest} (${size} bytes)`
}

function named(what: string, bytes: Uint8Array, expected: string, size: number): void {
  if (bytes.length !== size) throw new PlyError('PLY_SIZE_MISMATCH', { what, expected: size, actual: bytes.length })
  const actual = digestOf(bytes)
  if (actual !== expected) throw new PlyError('PLY_DIGEST_MISMATCH', { what, expected, actual })
}

function same(what: string, said: readonly string[], found: readonly string[]): void {
  if (said.length !== found.length) bad(what, `it lists ${said.length} layers, and there are ${found.length}`)
  const at = said.findIndex((one, i) => one !== found[i])
  if (at >= 0) bad(what, `layer ${at} is ${found[at]}, and it says ${said[at]}`)
}

function bad(what: string, reason: string): never {
  throw new PlyError('PLY_BAD_DOCUMENT', { what, reason })
}
