import type { Library, StoredImage } from './library.ts'

/** The ids by which an image may be named: the digest of its config, of its manifest, or both. */
export type IdsOf = (image: StoredImage) => readonly (string | undefined)[]

const pattern = /^(?:sha256:)?([0-9a-f]{4,64})$/

/** Whether a text looks like an id as `ply images` shows it, or the start of one. */
export function mayBeId(text: string): boolean {
  return pattern.test(text)
}

/**
 * The names of the image one of whose ids starts so; `undefined` for a text that is no id, or is a name: a name that looks like an
 * id is a name. @throws PLY_AMBIGUOUS if several images' ids start so
 */
export function namesOfId(
  images: readonly StoredImage[],
  text: string,
  idsOf: IdsOf,
  PlyError: Library['PlyError'],
): readonly StoredImage[] | undefined {
  const start = pattern.exec(text)?.[1]
  if (start === undefined || images.some(({ name }) => name === text || name === `${text}:latest`)) return undefined
  const found = images.filter((image) => idsOf(image).some((id) => id?.startsWith(`sha256:${start}`)))
  if (new Set(found.map(({ config, digest }) => config ?? digest)).size > 1)
    throw new PlyError('PLY_AMBIGUOUS', { where: text, available: found.map(({ name }) => name).join(', ') })
  return found
}
