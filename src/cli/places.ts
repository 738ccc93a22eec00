/** One side of `cp`, or what `rm` removes: a path in a container, or one on this machine. */
export type Place =
  | { readonly in: 'container'; readonly container: string; readonly path: string }
  | { readonly in: 'host'; readonly path: string }
  | { readonly in: 'stream' }

/**
 * Reads `work:/etc/issue`, `./file` or `-`. A colon after a container's name makes it a path in that container; a file on this
 * machine with a colon in its name is written with a `/` before it: `./odd:name`.
 */
export function placeOf(text: string): Place {
  if (text === '-') return { in: 'stream' }
  const match = /^([A-Za-z0-9][A-Za-z0-9_.-]*):(.*)$/s.exec(text)
  if (match === null) return { in: 'host', path: text }
  return { in: 'container', container: match[1]!, path: match[2]! }
}
