import { byteString } from '../model/bytes.ts'
import { isErrnoName } from '../model/errors.ts'
import type { Tree } from '../stack/tree.ts'
import { resolvePath } from '../union/resolve.ts'

/** More of an account file than this is not read: nobody has so many users, and a layer may hold anything. */
const most = 1 << 24

/** Who owns things in a tree, by its own `/etc/passwd` and `/etc/group`: names are text, as they stand there. */
export interface Accounts {
  readonly users: ReadonlyMap<number, string>
  readonly groups: ReadonlyMap<number, string>
  /** The number of a user by name. */
  uid(name: string): number | undefined
  gid(name: string): number | undefined
  /** The group that a user is in at first, by the user's name. */
  gidOf(user: string): number | undefined
}

/** The accounts of a tree; none where it has no such files, or none that can be read. */
export function accountsOf(tree: Tree): Accounts {
  const users = namesIn(tree, '/etc/passwd')
  const groups = namesIn(tree, '/etc/group')
  const numberOf = (names: ReadonlyMap<string, number>) => (name: string) => names.get(name)
  return {
    users: users.byNumber,
    groups: groups.byNumber,
    uid: numberOf(users.byName),
    gid: numberOf(groups.byName),
    gidOf: numberOf(users.groups),
  }
}

function namesIn(
  tree: Tree,
  path: string,
): {
  readonly byNumber: ReadonlyMap<number, string>
  readonly byName: ReadonlyMap<string, number>
  /** The first group of each user. */
  readonly groups: ReadonlyMap<string, number>
} {
  const byNumber = new Map<number, string>()
  const byName = new Map<string, number>()
  const groups = new Map<string, number>()
  for (const line of textOf(tree, path).split('\n')) {
    const [name = '', , number = '', group = ''] = line.split(':')
    if (name === '' || !/^\d{1,10}$/.test(number)) continue
    // Of several lines about one the first counts, as for everybody who reads these files.
    if (!byNumber.has(Number(number))) byNumber.set(Number(number), name)
    if (byName.has(name)) continue
    byName.set(name, Number(number))
    if (/^\d{1,10}$/.test(group)) groups.set(name, Number(group))
  }
  return { byNumber, byName, groups }
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
