import { copied, type Inode } from './inode.ts'

/** How times are written: layer-semantics M-07 and M-08. */
export interface Times {
  readonly nanoseconds: boolean
  /** Seconds. */
  readonly sourceEpoch?: number | undefined
}

const second = 1_000_000_000n

/** What of a file system comes through an archive: no sockets, times as written, the attributes that can be exported. */
export function exported(root: Inode, times: Times): Inode {
  return copied(root, ({ kind, mtime, xattrs }) => {
    if (kind === 'socket') return undefined
    return { mtime: exportedTime(mtime, times), xattrs: exportedXattrs(xattrs) }
  })
}

function exportedTime(mtime: bigint, { nanoseconds, sourceEpoch }: Times): bigint {
  let time = mtime
  if (sourceEpoch !== undefined && time > BigInt(sourceEpoch) * second) time = BigInt(sourceEpoch) * second
  if (nanoseconds) return time
  return time - (((time % second) + second) % second)
}

/** */
function exportedXattrs(xattrs: Map<string, Buffer>): Map<string, Buffer> {
  if (xattrs.size === 0) return xattrs
  const kept = new Map<string, Buffer>()
  for (const [name, value] of xattrs) {
    const foreign = /^(?:security\.(?:selinux|evm)|user\.(?:containers\.override_.*|rootlesscontainers))$/s.test(name)
    if (foreign || value.length === 0) continue
    const revision3 = name === 'security.capability' && value[3] === 3
    kept.set(name, revision3 ? Buffer.concat([value.subarray(0, 3), Buffer.of(2), value.subarray(4, 20)]) : value)
  }
  return kept
}
