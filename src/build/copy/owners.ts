import { encodeText } from '../../model/bytes.ts'
import { type Accounts, accountsOf } from '../../query/index.ts'
import type { Tree } from '../../stack/tree.ts'

export interface Owner {
  readonly uid: number
  readonly gid: number
}

/**
 * Who `USER[:GROUP]` is in a tree: names are those of its own `/etc/passwd` and `/etc/group`. Without a group a name has its own, and a
 * number the group of the same number.
 *
 * @throws Error for a name that the tree does not know
 */
export function ownerIn(tree: Tree, text: string): Owner {
  const [user = '', group] = text.split(':', 2)
  let accounts: Accounts | undefined
  const known = () => (accounts ??= accountsOf(tree))
  const number = (name: string) => (/^\d{1,10}$/.test(name) && Number(name) < 2 ** 32 - 1 ? Number(name) : undefined)
  const uid = user === '' ? 0 : (number(user) ?? known().uid(encodeText(user)))
  if (uid === undefined) throw new Error(`there is no user ${user} in /etc/passwd of the image`)
  const own = number(user) ?? (user === '' ? 0 : known().gidOf(encodeText(user)))
  const gid = group === undefined || group === '' ? (own ?? uid) : (number(group) ?? known().gid(encodeText(group)))
  if (gid === undefined) throw new Error(`there is no group ${group} in /etc/group of the image`)
  return { uid, gid }
}
