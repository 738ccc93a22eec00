import { type ByteString, byteString } from '../model/bytes.ts'
import { isErrnoName, PlyError } from '../model/errors.ts'
import type { Tree } from '../stack/tree.ts'
import { resolvePath } from '../union/resolve.ts'

/** More of an account file than this is not read: nobody has so many users, and a layer may hold anything. */
const most = 1 << 24

/** Who owns things in a tree, by its own `/etc/passwd` and `/etc/group`: names are byte strings, as they stand there. */
export interface Accounts {
  readonly users: ReadonlyMap<number, ByteString>
  readonly groups: ReadonlyMap<number, ByteString>
  /** The number of a user by name. */
  uid(name: ByteString): number | undefined
  gid(name: ByteString): number | undefined
  /** The group that a user is in at first, by the user's name. */
  gidOf(user: ByteString): number | undefined
  /** The groups that name a user among their members. */
  groupsOf(user: ByteString): readonly number[]
  homeOf(user: ByteString): ByteString | undefined
}

/**
 * The accounts of a tree; none where it has no such files, or none that can be read.
 *
 * @throws PLY_USAGE if only headers of the tree were read: its files say nothing then
 */
export function accountsOf(tree: Tree): Accounts {
  if (tree.unverified) {
    const reason =
      'who the users of a tree are stands in its files, and of this one only headers were read: ask by number, or verify it'
    throw new PlyError('PLY_USAGE', { reason })
  }
  const users = linesOf(tree, '/etc/passwd')
  const groups = linesOf(tree, '/etc/group')
  const field = (user: ByteString, at: number) => users.byName.get(user)?.[at]
  return {
    users: users.byNumber,
    groups: groups.byNumber,
    uid: (name) => numberIn(users.byName.get(name)?.[2]),
    gid: (name) => numberIn(groups.byName.get(name)?.[2]),
    gidOf: (user) => numberIn(field(user, 3)),
    groupsOf: (user) =>
      [...groups.byName.values()].filter((line) => line[3]?.split(',').includes(user)).map((line) => Number(line[2])),
    homeOf: (user) => field(user, 5),
  }
}

interface Lines {
  readonly byNumber: ReadonlyMap<number, ByteString>
  /** The fields of a line. */
  readonly byName: ReadonlyMap<ByteString, readonly ByteString[]>
}

function linesOf(tree: Tree, path: string): Lines {
  const byNumber = new Map<number, ByteString>()
  const byName = new Map<ByteString, readonly ByteString[]>()
  for (const line of textOf(tree, path).split('\n')) {
    const fields = line.split(':')
    const [name = '', , number] = fields
    if (name === '' || numberIn(number) === undefined) continue
    // Of several lines about one the first counts, as for everybody who reads these files.
    if (!byNumber.has(Number(number))) byNumber.set(Number(number), name)
    if (!byName.has(name)) byName.set(name, fields)
  }
  return { byNumber, byName }
}

function numberIn(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined
}

function textOf(tree: Tree, path: string): string {
  try {
    const { ino } = resolvePath(tree, path, { follow: true })
    if (ino === undefined || tree.stat(ino).kind !== 'file') return ''
    const content = tree.open(ino)
    try {
      const bytes = Buffer.alloc(Math.min(content.size, most))
      return byteString(bytes.subarray(0, content.read(bytes, 0)))
    } finally {
      content.close()
    }
  } catch (error) {
    // The way there may be anything: it is an image that we look at.
    if (isErrnoName((error as { code?: unknown }).code)) return ''
    throw error
  }
}
