import { factBits } from './columns.ts'
import type { IndexContent } from './content.ts'

/**
 * What in an index is plain data to us but would mean something to overlayfs mounted over it: a reason to serve the tree
 * in another way than by the kernel.
 */
export interface OverlayData {
  /** Character devices 0:0, which overlayfs takes for whiteouts (layer-semantics T-08). */
  readonly devices: boolean
  /** Attributes `trusted.overlay.*` (layer-semantics X-05). */
  readonly trusted: boolean
  /** Attributes `user.overlay.*`, which overlayfs reads with `userxattr`. */
  readonly user: boolean
}

export function findOverlayData({ columns, xattrs }: IndexContent, order: Uint32Array): OverlayData {
  let devices = false
  const used = new Uint8Array(xattrs.count)
  for (const id of order) {
    used[columns.xattrs[id]!] = 1
    const zero = columns.place[id] === 0 && columns.kind(id) === 'character'
    if (zero && (columns.flags[id]! & factBits.whiteout) === 0) devices = true
  }
  const has = (prefix: number) =>
    used.some(
      (one, set) => one === 1 && xattrs.get(set).some((x) => x.prefix === prefix && x.suffix.startsWith('overlay.')),
    )
  return { devices, trusted: has(4), user: has(1) }
}

export function encodeOverlayData({ devices, trusted, user }: OverlayData): number {
  return (devices ? 1 : 0) | (trusted ? 2 : 0) | (user ? 4 : 0)
}

export function decodeOverlayData(bits: number): OverlayData {
  return { devices: (bits & 1) !== 0, trusted: (bits & 2) !== 0, user: (bits & 4) !== 0 }
}
