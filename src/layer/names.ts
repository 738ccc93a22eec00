import type { ByteString } from '../model/bytes.ts'

const oddComponent = /(?:^|\/)\.{0,2}(?:\/|$)/

/**
 * A name of an archive as a path from the root: no leading slash, no `.`, no empty component, no trailing slash; the
 * root is empty (layer-semantics N-01). `undefined` if it leads out of the root (N-02). `cleaned` is called when an
 * inner `..` was resolved (N-03).
 */
export function cleanName(name: ByteString, cleaned?: () => void): ByteString | undefined {
  let start = 0
  if (name.charCodeAt(0) === 0x2e && name.charCodeAt(1) === 0x2f) start = 2
  let end = name.length
  if (end > start && name.charCodeAt(end - 1) === 0x2f) end--
  const plain = start === 0 && end === name.length ? name : name.slice(start, end)
  if (plain === '' || !oddComponent.test(plain)) return plain
  const components: ByteString[] = []
  let dotDot = false
  for (const component of plain.split('/')) {
    if (component === '' || component === '.') continue
    if (component !== '..') components.push(component)
    else if (components.pop() === undefined) return undefined
    else dotDot = true
  }
  if (dotDot) cleaned?.()
  return components.join('/')
}

/** The path of a name in a directory; the root is empty. */
export function join(directory: ByteString, name: ByteString): ByteString {
  return directory === '' ? name : `${directory}/${name}`
}

/** How whiteouts are spelled in a layer archive. */
export const whiteoutPrefix = '.wh.'
export const opaqueMarker = '.wh..wh..opq'
/** The folder in which aufs kept the common inode of hardlinks (layer-semantics W-16). */
export const legacyLinks = '.wh..wh.plnk'
