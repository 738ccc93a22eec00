import { exportedXattrs } from '../layer/xattr-rules.ts'
import { noXattrs, type Xattrs } from '../model/entry.ts'

const billion = 1_000_000_000n

/** The xattrs that an archive would carry (layer-semantics ). What it cannot carry is reported when it is packed. */
export function portableXattrs(xattrs: Xattrs): Xattrs {
  return xattrs.size === 0 ? noXattrs : exportedXattrs(xattrs, () => {})
}

export function equalXattrs(a: Xattrs, b: Xattrs): boolean {
  if (a.size === 0 && b.size === 0) return true
  const x = portableXattrs(a)
  const y = portableXattrs(b)
  if (x.size !== y.size) return false
  for (const [name, value] of x) {
    const other = y.get(name)
    if (other === undefined || Buffer.compare(value, other) !== 0) return false
  }
  return true
}

/** Nanoseconds cut down to whole seconds, towards the past (layer-semantics M-07). */
export function wholeSeconds(time: bigint): bigint {
  const rest = time % billion
  return rest === 0n ? time : rest > 0n ? time - rest : time - rest - billion
}
