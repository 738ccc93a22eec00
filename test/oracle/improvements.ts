import type { Stat } from '../../src/model/entry.ts'
import type { Answer } from './answers.ts'
import type { Operation } from './operations.ts'

/** What the oracle is, and what it stands on. */
export interface Where {
  readonly overlayfs: boolean
  /** Mount options of overlayfs, where that is the oracle. */
  readonly options: string
  /** The disk that everything lies on. */
  readonly disk: string
}

/** Two systems that disagree: the oracle and one of ours. */
export interface Disagreement extends Where {
  /** Absent where trees are compared. */
  readonly operation?: Operation
  readonly expected: Answer
  readonly got: Answer
  /** A rename in this sequence was refused because the directory at the new name is not empty. */
  readonly refusedRename: boolean
}

/** A difference that is meant. Nothing else is tolerated. */
export interface Improvement {
  readonly name: string
  /** The row of the table of what overlayfs does, in docs/oracle.md. */
  readonly row: number
  readonly says: string
  forgives(disagreement: Disagreement): boolean
}

const links = / links=(\d+)/
const listed = / listed as \d+, is \d+/g
const xfsAcl = 'trusted.SGI_ACL_'
const xfsAcls = / ?trusted\.SGI_ACL_\w+(?:=[0-9a-f]*)?/g
const mtime = / mtime=(\S+)/

export const improvements: readonly Improvement[] = [
  {
    name: 'links-of-unlinked',
    row: 8,
    says: 'fstat of a file that lost its last name while it was open: 0 links, where overlayfs goes on showing the lower ones',
    forgives: ({ operation, expected, got }) =>
      operation?.do === 'stat' &&
      'fd' in operation.on &&
      links.exec(got)?.[1] === '0' &&
      Number(links.exec(expected)?.[1]) > 0 &&
      expected.replace(links, '') === got.replace(links, ''),
  },
  {
    name: 'listed-number',
    row: 19,
    says: 'a copied-up file that got another name in a directory of the upper alone: overlayfs lists it there under the number of its copy; ours under its own',
    forgives: ({ expected, got }) => listed.test(expected) && expected.replaceAll(listed, '') === got,
  },
  {
    name: 'metacopy-mtime',
    row: 15,
    says: 'with metacopy=on overlayfs sets the modify time of a file to the present when it copies the content up; ours keeps it',
    forgives: ({ expected, got, options }) =>
      options.includes('metacopy=on') &&
      expected.startsWith('file ') &&
      mtime.exec(expected)?.[1] === 'now' &&
      mtime.exec(got) !== null &&
      expected.replace(mtime, '') === got.replace(mtime, ''),
  },
]

/** What POSIX leaves to the disk, and a disk does in another way than the rest. */
export interface Leeway {
  readonly name: string
  /** `any`: of each there is one that does. */
  readonly disk: string
  readonly says: string
  forgives(disagreement: Disagreement): boolean
}

export const leeways: readonly Leeway[] = [
  {
    name: 'ext4-refused-rename',
    disk: 'ext4',
    says: 'overlayfs copies a directory up before the disk refuses to rename it (ENOTEMPTY); the directory that it is in got the present time',
    forgives: ({ expected, got, refusedRename }) =>
      refusedRename &&
      expected.startsWith('directory ') &&
      mtime.exec(expected)?.[1] === 'now' &&
      expected.replace(mtime, '') === got.replace(mtime, ''),
  },
  {
    name: 'xfs-directory-time',
    disk: 'xfs',
    says: 'a directory that comes into another one by an exchange gets the present time, since its `..` has changed',
    forgives: ({ expected, got }) =>
      expected.startsWith('directory ') &&
      expected !== got &&
      [expected, got].some((text) => mtime.exec(text)?.[1] === 'now') &&
      expected.replace(mtime, '') === got.replace(mtime, ''),
  },
  {
    name: 'acl-removal',
    disk: 'any',
    says: 'removing an ACL that is not there: overlayfs on tmpfs says ENODATA, tmpfs itself and the others say nothing',
    forgives: ({ operation, expected, got }) =>
      (operation?.do === 'removexattr' || operation?.do === 'setxattr') &&
      operation.name.startsWith('system.posix_acl_') &&
      ((expected === 'ok' && got === 'ENODATA') || (expected === 'ENODATA' && got === 'ok')),
  },
  {
    name: 'xfs-acl-names',
    disk: 'xfs',
    says: 'every ACL is also to be seen as an xattr of its own, `trusted.SGI_ACL_…`',
    forgives: ({ expected, got }) =>
      (expected.includes(xfsAcl) || got.includes(xfsAcl)) &&
      expected.replaceAll(xfsAcls, '') === got.replaceAll(xfsAcls, ''),
  },
  {
    name: 'xfs-not-empty',
    disk: 'xfs',
    says: 'a rename onto a directory that is not empty is EEXIST, where others say ENOTEMPTY',
    forgives: ({ operation, expected, got }) =>
      operation?.do === 'rename' && expected === 'EEXIST' && got === 'ENOTEMPTY',
  },
]

/** What overlayfs, or the disk below it, refuses as a whole: then the others are not asked. */
export interface Refusal {
  readonly name: string
  /** Absent: a limit of the disk below overlayfs, not of overlayfs. */
  readonly row?: number
  readonly says: string
  /** `unlinked`: it goes through a handle on a file without a name. */
  skips(operation: Operation, answer: Answer, unlinked: boolean): boolean
}

const lost: ReadonlySet<Answer> = new Set(['EEXIST', 'ENOENT', 'ENOTDIR'])
const changes: ReadonlySet<Operation['do']> = new Set(['chmod', 'chown', 'utimens', 'setxattr', 'removexattr'])

/** What overlayfs does harm with: then nobody is asked. */
export interface Hazard {
  readonly name: string
  readonly row: number
  readonly says: string
  /** `handle`: what the operation goes through, if it goes through a handle. */
  avoids(operation: Operation, handle: Stat | undefined, where: Where): boolean
}

export const hazards: readonly Hazard[] = [
  {
    name: 'unlinked-directory',
    row: 8,
    says: 'attributes of a lower directory that was removed while it was open: without index=on overlayfs may copy it up over what has its name by now; ours changes the one that is open',
    avoids: ({ do: verb }, handle, { options, overlayfs }) =>
      overlayfs &&
      !options.includes('index=on') &&
      handle?.kind === 'directory' &&
      handle.links === 0 &&
      changes.has(verb),
  },
]

export const refusals: readonly Refusal[] = [
  {
    name: 'redirect',
    row: 3,
    says: 'overlayfs renames no lower or merged directory without redirect_dir=on, and follows no redirect above 256 bytes with it (EXDEV); ours always does',
    skips: ({ do: verb }, answer) => answer === 'EXDEV' && (verb === 'rename' || verb === 'link' || verb === 'linkfd'),
  },
  {
    name: 'whiteout-device',
    row: 9,
    says: 'a plain disk has character devices 0:0; overlayfs and ours refuse them (EPERM)',
    skips: (_, answer) => answer === 'whiteout',
  },
  {
    name: 'unlinked-lower',
    row: 8,
    says: 'attributes of a lower file or directory that lost its last name while it was open: overlayfs cannot copy it up any more (EEXIST, ENOENT, ENOTDIR); ours changes them',
    skips: ({ do: verb }, answer, unlinked) => unlinked && changes.has(verb) && lost.has(answer),
  },
]
