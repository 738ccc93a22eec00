/** One side of `cp`, or what `rm` removes: a path in a container, or one on this machine. */
export type Place =
  | { readonly in: 'container'; readonly container: string; readonly path: string }
  | { readonly in: 'host'; readonly path: string }
  | { readonly in: 'stream' }

/**
 * Takes `work:/etc/issue` apart where a tree is meant; `undefined` for what names a whole one. Image names have no slash
 * behind a colon, and what is a transport is no container's name here.
 */
export function pathInContainer(text: string): { readonly container: string; readonly path: string } | undefined {
  const place = placeOf(text)
  if (place.in !== 'container' || !place.path.startsWith('/') || transports.has(place.container)) return undefined
  return place
}

/** What a tree may be read from, beside a name in the store. */
export const treeTransports = [
  'oci',
  'oci-archive',
  'docker-archive',
  'dir',
  'tar',
  'rootfs',
  'upper',
  'docker',
  'container',
] as const

const transports = new Set<string>([...treeTransports, 'ocidir', 'store'])

/**
 * Reads `work:/etc/issue`, `work@before:/etc/issue` (in a snapshot), `./file` or `-`. A colon after a container's name makes it a path in that container; a file on this
 * machine with a colon in its name is written with a `/` before it: `./odd:name`.
 */
export function placeOf(text: string, platform: NodeJS.Platform = process.platform): Place {
  if (text === '-') return { in: 'stream' }
  // One letter names no container there.
  if (platform === 'win32' && drive.test(text)) return { in: 'host', path: text }
  const match = /^([A-Za-z0-9][A-Za-z0-9_.-]*(?:@[A-Za-z0-9][A-Za-z0-9_.-]*)?):(.*)$/s.exec(text)
  if (match === null) return { in: 'host', path: text }
  return { in: 'container', container: match[1]!, path: match[2]! }
}

/** A drive of Windows. */
const drive = /^[A-Za-z]:[\\/]/

/** Whether a path would be cut at a colon in it, behind which a name begins: at that of a drive none is. */
export function hasColon(path: string, platform: NodeJS.Platform = process.platform): boolean {
  return (platform === 'win32' ? path.replace(drive, '') : path).includes(':')
}
