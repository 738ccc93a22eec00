import { encodeText } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'
import { accountsOf } from '../query/index.ts'
import type { Tree } from '../stack/tree.ts'

/** Who a process in a container is. */
export interface Identity {
  readonly uid: number
  readonly gid: number
  /** Groups beside the first. */
  readonly groups: readonly number[]
  /** As the container's `/etc/passwd` has it; `/` for somebody whom it does not know. */
  readonly home: string
}

/**
 * Who `USER[:GROUP]` of an image's configuration is (OCI image-spec, config.md): names and numbers are looked up in the tree's own
 * `/etc/passwd` and `/etc/group`. Nothing is root. With a group there are no others.
 *
 * @throws PLY_USAGE for a name that the tree does not know
 */
export function identityIn(tree: Tree, text = ''): Identity {
  const [user = '', group] = text.split(':', 2)
  const accounts = accountsOf(tree)
  const uid = user === '' ? 0 : (numberOf(user) ?? accounts.uid(encodeText(user)))
  if (uid === undefined) throw unknown('user', user, '/etc/passwd')
  const name = accounts.users.get(uid)
  const own = name === undefined ? 0 : (accounts.gidOf(name) ?? 0)
  const gid = group === undefined || group === '' ? own : (numberOf(group) ?? accounts.gid(encodeText(group)))
  if (gid === undefined) throw unknown('group', group!, '/etc/group')
  const groups = group === undefined && name !== undefined ? accounts.groupsOf(name).filter((one) => one !== gid) : []
  const home = name === undefined ? undefined : accounts.homeOf(name)
  return { uid, gid, groups, home: home === undefined || home === '' ? '/' : Buffer.from(home, 'latin1').toString() }
}

function numberOf(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) && Number(text) < 2 ** 32 - 1 ? Number(text) : undefined
}

function unknown(what: string, name: string, file: string): PlyError {
  return new PlyError('PLY_USAGE', { reason: `the container knows no ${what} ${name}: it is not in its ${file}` })
}
