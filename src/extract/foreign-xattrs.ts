import { isForeign } from '../layer/xattr-rules.ts'
import type { Xattrs } from '../model/entry.ts'

/** Attributes without the labels of the host and the markers of tools (layer-semantics ); the same map if there are none. */
export function withoutForeign(xattrs: Xattrs): Xattrs {
  for (const name of xattrs.keys()) {
    if (isForeign(name)) return new Map([...xattrs].filter(([name]) => !isForeign(name)))
  }
  return xattrs
}
