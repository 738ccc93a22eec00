import { statSync } from 'node:fs'

/**
 * What to write where a word was taken for the name of an image that is not there, and is a file or a directory here. `undefined` for
 * every other error.
 */
export function fileHint(code: string, details: Readonly<Record<string, unknown>>): string | undefined {
  const path = wordOf(code, details)
  const found = path === undefined ? undefined : statSync(path, { throwIfNoEntry: false })
  if (found === undefined) return undefined
  return found.isDirectory()
    ? `there is a directory of that name: write oci:${path} for an OCI layout, rootfs:${path} for the files in it`
    : `there is a file of that name: write docker-archive:${path} or oci-archive:${path} for an image, tar:${path} for the files in it`
}

function wordOf(code: string, { name, text }: Readonly<Record<string, unknown>>): string | undefined {
  const word =
    code === 'PLY_IMAGE_NOT_FOUND' && typeof name === 'string'
      ? name.replace(/:latest$/, '')
      : code === 'PLY_BAD_REFERENCE' && typeof text === 'string' && /^".*"$/.test(text)
        ? (JSON.parse(text) as string)
        : undefined
  // It goes to the terminal, and to stat(2).
  return word === undefined || /[\x00-\x1f\x7f-\x9f]/.test(word) ? undefined : word
}
