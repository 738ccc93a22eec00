import { PlyError } from '../../src/model/errors.ts'

/** POSIX ACLs for the plain model, from `acl(5)` and from nothing of `src/`. */
export const accessName = 'system.posix_acl_access'
export const defaultName = 'system.posix_acl_default'

export interface Line {
  readonly tag: number
  permissions: number
  readonly id: number
}

export const tags = { owner: 1, user: 2, owning: 4, group: 8, mask: 16, other: 32 } as const
const known: ReadonlySet<number> = new Set(Object.values(tags))

/** `undefined` where a value has no lines. @throws EINVAL, EOPNOTSUPP */
export function parseLines(value: Uint8Array): Line[] | undefined {
  const bytes = Buffer.from(value)
  if (bytes.length < 4) throw new PlyError('EINVAL')
  if (bytes.readUInt32LE(0) !== 2) throw new PlyError('EOPNOTSUPP')
  if ((bytes.length - 4) % 8 !== 0) throw new PlyError('EINVAL')
  const lines: Line[] = []
  for (let at = 4; at < bytes.length; at += 8) {
    const tag = bytes.readUInt16LE(at)
    if (!known.has(tag)) throw new PlyError('EINVAL')
    const named = tag === tags.user || tag === tags.group
    lines.push({ tag, permissions: bytes.readUInt16LE(at + 2), id: named ? bytes.readUInt32LE(at + 4) : 0xffffffff })
  }
  return lines.length === 0 ? undefined : lines
}

export function aclValue(lines: readonly Line[]): Buffer {
  const bytes = Buffer.alloc(4 + 8 * lines.length)
  bytes.writeUInt32LE(2, 0)
  for (const [i, { tag, permissions, id }] of lines.entries()) {
    bytes.writeUInt16LE(tag, 4 + 8 * i)
    bytes.writeUInt16LE(permissions, 6 + 8 * i)
    bytes.writeUInt32LE(id >>> 0, 8 + 8 * i)
  }
  return bytes
}

/** The order and the number of lines that Linux insists on (`posix_acl_valid`). @throws EINVAL */
export function check(lines: readonly Line[]): void {
  const count = (tag: number) => lines.filter((line) => line.tag === tag).length
  const named = count(tags.user) + count(tags.group)
  const inOrder = lines.every(({ tag, permissions }, i) => permissions <= 7 && (i === 0 || tag >= lines[i - 1]!.tag))
  const once = [tags.owner, tags.owning, tags.other].every((tag) => count(tag) === 1)
  if (!inOrder || !once || count(tags.mask) > 1 || (named > 0 && count(tags.mask) === 0)) throw new PlyError('EINVAL')
}

/** Whether a mode says all that the lines say. */
export function isPlain(lines: readonly Line[]): boolean {
  return lines.every(({ tag }) => tag === tags.owner || tag === tags.owning || tag === tags.other)
}

function groupLine(lines: readonly Line[]): Line {
  return lines.find(({ tag }) => tag === tags.mask) ?? lines.find(({ tag }) => tag === tags.owning)!
}

/** The nine bits that lines show as. */
export function modeOf(lines: readonly Line[]): number {
  const of = (tag: number) => lines.find((line) => line.tag === tag)!.permissions
  return (of(tags.owner) << 6) | (groupLine(lines).permissions << 3) | of(tags.other)
}

/** Lines after `chmod`, or, with `narrow`, of what is made with such a mode. */
export function withMode(lines: readonly Line[], mode: number, narrow: boolean): Line[] {
  const changed = lines.map((line) => ({ ...line }))
  const put = (line: Line, bits: number) => {
    line.permissions = narrow ? line.permissions & bits : bits
  }
  put(changed.find(({ tag }) => tag === tags.owner)!, (mode >> 6) & 7)
  put(groupLine(changed), (mode >> 3) & 7)
  put(changed.find(({ tag }) => tag === tags.other)!, mode & 7)
  return changed
}
