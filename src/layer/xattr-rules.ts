import { storable } from '../erofs/index.ts'
import type { ByteString } from '../model/bytes.ts'
import { noXattrs, type Xattrs } from '../model/entry.ts'
import { badLayer } from '../tar/index.ts'
import { type LayerLimits, overBudget } from './limits.ts'

type Warn = (rule: string, text: string) => void

const capability = 'security.capability'

/** Attributes that belong to a machine or to a tool, never to a layer (layer-semantics ). */
export function isForeign(name: ByteString): boolean {
  return (
    name === 'security.selinux' ||
    name === 'security.evm' ||
    name === 'system.nfs4_acl' ||
    name === 'user.rootlesscontainers' ||
    name === 'user.ostreemeta' ||
    name.startsWith('user.containers.override_') ||
    name.startsWith('user.fuseoverlayfs.')
  )
}

/**
 * What of an entry's attributes goes into an index (layer-semantics, section 11).
 *
 * @throws PLY_BAD_LAYER X-07 for a malformed capability; PLY_BUDGET for more than an index holds.
 */
export function importedXattrs(xattrs: Xattrs, entry: ByteString, limits: LayerLimits, warn: Warn): Xattrs {
  if (xattrs.size === 0) return noXattrs
  const kept = new Map<ByteString, Uint8Array>()
  let total = 0
  for (const [name, value] of xattrs) {
    if (isForeign(name)) continue
    if (!storable(name)) {
      warn('X-06', `the attribute ${name.slice(0, 64)} is of no kind that an index can hold; left out`)
      continue
    }
    if (name === capability) checkCapability(value, entry)
    if (value.length > limits.xattrSize) throw overBudget(entry, `attribute ${name}`, limits, 'xattrSize')
    total += (7 + name.length + value.length) & ~3
    kept.set(name, value)
  }
  if (total > limits.xattrsSize) throw overBudget(entry, 'the size of its attributes', limits, 'xattrsSize')
  return kept
}

/** What of an entry's attributes goes into an archive (layer-semantics ). */
export function exportedXattrs(xattrs: Xattrs, warn: Warn): Xattrs {
  if (xattrs.size === 0) return noXattrs
  const kept = new Map<ByteString, Uint8Array>()
  for (const [name, value] of xattrs) {
    if (isForeign(name)) continue
    if (value.length === 0) warn('X-09', `the attribute ${name} has no value and no archive can say so; left out`)
    else kept.set(name, name === capability ? withoutRootId(value) : value)
  }
  return kept
}

/** Bytes of a capability by its revision, which is the top byte of its first word. */
const capabilitySizes = new Map([
  [1, 12],
  [2, 20],
  [3, 24],
])

function checkCapability(value: Uint8Array, entry: ByteString): void {
  const revision = value[3]
  if (revision === undefined || capabilitySizes.get(revision) !== value.length) {
    throw badLayer(entry, 'X-07', `a capability of ${value.length} bytes and revision ${revision ?? 'none'}`)
  }
}

/** Revision 3 names the owner of a user namespace, which means nothing elsewhere: revision 2 is the same without it. */
function withoutRootId(value: Uint8Array): Uint8Array {
  if (value[3] !== 3 || value.length !== 24) return value
  const second = Uint8Array.from(value.subarray(0, 20))
  second[3] = 2
  return second
}
