import type { Answer } from './answers.ts'
import { type Disagreement, taken } from './improvements.ts'

/** What POSIX leaves to the disk, and a disk does in another way than the rest. */
export interface Leeway {
  readonly name: string
  /** `any`: of each there is one that does. */
  readonly disk: string
  readonly says: string
  /** As of an `Improvement`. */
  explains(disagreement: Disagreement): Answer
}

const mtime = / mtime=(\S+)/
const xfsAcls = / ?trusted\.SGI_ACL_\w+(?:=[0-9a-f]*)?/g

/** With the time of the other one, where one of them is the present. */
function withTime(expected: Answer, got: Answer): Answer {
  return [expected, got].some((text) => mtime.exec(text)?.[1] === 'now') ? taken(mtime, expected, got) : expected
}

export const leeways: readonly Leeway[] = [
  {
    name: 'ext4-refused-rename',
    disk: 'ext4',
    says: 'a directory gets the present time where overlayfs was to leave a whiteout in it for one that moves onto a directory which is not empty: ext4 makes the whiteout, refuses (ENOTEMPTY), and puts the old entry back, which counts as a change (`ext4_resetent`)',
    explains: ({ expected, got, renames }) => (renames.refused ? withTime(expected, got) : expected),
  },
  {
    name: 'xfs-directory-time',
    disk: 'xfs',
    says: 'a directory that comes into another one by an exchange, which is also how it comes over a whiteout, gets the present time (`xfs_cross_rename`)',
    explains: ({ expected, got, renames }) => (renames.moved ? withTime(expected, got) : expected),
  },
  {
    name: 'xfs-acl-names',
    disk: 'xfs',
    says: 'every ACL is also to be seen as an xattr of its own, `trusted.SGI_ACL_…`',
    explains({ expected, got }) {
      const [plain, ours] = [expected.replaceAll(xfsAcls, ''), got.replaceAll(xfsAcls, '')]
      return plain === ours ? got : expected
    },
  },
  {
    name: 'acl-removal',
    disk: 'any',
    says: 'removing an ACL that is not there: overlayfs on tmpfs says ENODATA, tmpfs itself and the others say nothing',
    explains({ operation, expected, got }) {
      const isAcl = operation !== undefined && 'name' in operation && operation.name.startsWith('system.posix_acl_')
      const either = [expected, got].every((answer) => answer === 'ok' || answer === 'ENODATA')
      return isAcl && either && operation.do !== 'getxattr' ? got : expected
    },
  },
  {
    name: 'xfs-not-empty',
    disk: 'xfs',
    says: 'a rename onto a directory that is not empty is EEXIST, where others say ENOTEMPTY',
    explains: ({ operation, expected, got }) =>
      operation?.do === 'rename' && expected === 'EEXIST' && got === 'ENOTEMPTY' ? got : expected,
  },
]
