import type { ByteString } from '../model/bytes.ts'
import type { WastedFile } from './waste.ts'

/** By what wasted files may be put together. */
export type WasteGrouping = 'dir' | 'layer' | 'extension' | 'package'

/** By what wasted files can be put together. */
export const wasteGroupings: readonly WasteGrouping[] = ['dir', 'layer', 'extension', 'package']

/** Wasted files put together, with what they take. */
export interface WasteGroup {
  /** A path with a leading slash, a number of a layer, an extension with its dot, or a package; empty for what has none. Byte string. */
  readonly name: ByteString
  readonly bytes: number
  readonly files: number
}

/** Wasted files put together, the most bytes first. Directories are cut behind two names. */
export function groupWaste(
  files: readonly WastedFile[],
  by: WasteGrouping,
  packageOf: (path: ByteString) => string | undefined = () => undefined,
): readonly WasteGroup[] {
  const groups = new Map<ByteString, { bytes: number; files: number }>()
  for (const file of files) {
    const name = nameOf(file, by, packageOf)
    const group = groups.get(name)
    if (group === undefined) groups.set(name, { bytes: file.bytes, files: 1 })
    else {
      group.bytes += file.bytes
      group.files++
    }
  }
  return [...groups]
    .map(([name, group]) => ({ name, ...group }))
    .sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1))
}

function nameOf(
  { path, layer }: WastedFile,
  by: WasteGrouping,
  packageOf: (path: ByteString) => string | undefined,
): ByteString {
  switch (by) {
    case 'layer':
      return String(layer)
    case 'package':
      return packageOf(path) ?? ''
    case 'dir':
      return `/${path.split('/').slice(0, -1).slice(0, 2).join('/')}`
    case 'extension':
      // A dot in front makes a name hidden, and no extension.
      return /[^/](\.[^./]{1,16})$/.exec(path)?.[1] ?? ''
    default:
      return by satisfies never
  }
}
