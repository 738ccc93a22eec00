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
  /** The oracle goes on in uppers that ours wrote, and ours in those of the oracle. */
  readonly turns: boolean
}

/** Two systems that disagree: the oracle and one of ours. */
export interface Disagreement extends Where {
  /** Absent where trees are compared. */
  readonly operation?: Operation
  readonly expected: Answer
  readonly got: Answer
  /** What it is about goes through a handle and has lost its last name. */
  readonly unlinked: boolean
  /** Of a directory, what a disk may give it the present time for. */
  readonly renames: RenamesSeen
}

/** What renames did with a directory. */
export interface RenamesSeen {
  /** One that another directory was to leave, which was refused because the one at the new name is not empty. */
  readonly refused: boolean
  /** It was brought into another directory. */
  readonly moved: boolean
  /** One into which a directory was to come, which overlayfs refused because it cannot say where from (EXDEV). */
  readonly missed: boolean
}

/** A difference that is meant. Nothing else is tolerated. */
export interface Improvement {
  readonly name: string
  /** The row of the table of what overlayfs does, in docs/oracle.md. */
  readonly row: number
  readonly says: string
  /** What is expected once this difference is explained: what was, where it explains nothing. */
  explains(disagreement: Disagreement): Answer
}

const links = / links=(\d+)/
const mtime = / mtime=(\S+)/
const mode = /^\w+ ([0-7]+)(?= )/
const listed = / listed as \d+, is \d+/g

/** `expected` with what `got` has at a place. */
export function taken(place: RegExp, expected: Answer, got: Answer): Answer {
  const found = place.exec(got)
  return found === null ? expected : expected.replace(place, () => found[0])
}

export const improvements: readonly Improvement[] = [
  {
    name: 'links-of-unlinked',
    row: 8,
    says: 'fstat of a file that lost its last name while it was open: 0 links, where overlayfs goes on showing the lower ones',
    explains({ operation, expected, got }) {
      const isHandle = operation?.do === 'stat' && 'fd' in operation.on
      return isHandle && links.exec(got)?.[1] === '0' ? taken(links, expected, got) : expected
    },
  },
  {
    name: 'emptied-directory',
    row: 30,
    says: 'fstat of a directory that was removed while it was open: overlayfs takes whiteouts out of it then, which gives it the present modify time; ours keeps the time',
    explains({ operation, expected, got, unlinked }) {
      const isOpen = operation?.do === 'stat' && unlinked && expected.startsWith('directory ')
      return isOpen && mtime.exec(expected)?.[1] === 'now' ? taken(mtime, expected, got) : expected
    },
  },
  {
    name: 'cleared-for-nothing',
    row: 30,
    says: 'a rename over a directory whose lower names are all gone, refused because its redirect would be too long (EXDEV): overlayfs has put an empty directory into its place by then, which gives the one that holds it the present modify time; ours is not asked',
    explains({ overlayfs, renames, expected, got }) {
      // On either side: uppers change hands in some lines.
      const isNow = [expected, got].some((text) => mtime.exec(text)?.[1] === 'now')
      return overlayfs && renames.missed && isNow ? taken(mtime, expected, got) : expected
    },
  },
  {
    name: 'listed-number',
    row: 19,
    says: 'a copied-up file that got another name in a directory of the upper alone: overlayfs lists it there under the number of its copy; ours under its own',
    explains: ({ expected, turns }) => (turns ? expected : expected.replaceAll(listed, '')),
  },
  {
    name: 'listed-other-disk',
    row: 2,
    says: 'over a lower tree on another disk overlayfs lists what it merges under other numbers than stat shows; ours under one',
    explains: ({ expected, turns }) => (turns ? expected.replaceAll(listed, '') : expected),
  },
  {
    name: 'group-id-by-another-name',
    row: 4,
    says: 'without index=on overlayfs may hold two inodes for two names of one file: chown by the name that has not heard of set-group-id leaves it to the file; ours has one inode and drops it, as POSIX has it',
    explains({ overlayfs, options, expected, got }) {
      const [were, are] = [expected, got].map((text) => Number.parseInt(mode.exec(text)?.[1] ?? '0', 8))
      const many = Number(links.exec(got)?.[1] ?? 0) > 1 && !expected.startsWith('directory ')
      const kept = overlayfs && !options.includes('index=on') && many && were === (are! | 0o2000)
      return kept ? taken(mode, expected, got) : expected
    },
  },
  {
    name: 'metacopy-mtime',
    row: 15,
    says: 'with metacopy=on overlayfs sets the modify time of a file to the present when it copies the content up; ours keeps it',
    explains({ expected, got, options, turns }) {
      const times = turns ? [expected, got] : [expected]
      const set = expected.startsWith('file ') && times.some((text) => mtime.exec(text)?.[1] === 'now')
      return set && options.includes('metacopy=on') ? taken(mtime, expected, got) : expected
    },
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
  /** Systems that have to refuse it too. */
  readonly alsoOf?: readonly string[]
}

/** What keeps content in files of the disk. */
const onDisk = ['overlay', 'metacopy', 'blocks', 'rootless', 'turns', 'portable', 'portable blocks']

const lost: ReadonlySet<Answer> = new Set(['EEXIST', 'ENOENT', 'ENOTDIR'])
const changes: ReadonlySet<Operation['do']> = new Set(['chmod', 'chown', 'utimens', 'setxattr', 'removexattr'])

/** What is open. */
export interface HandleFacts extends Stat {
  /** It was made without a name and has none yet. */
  readonly unnamed: boolean
}

/** What overlayfs does harm with: then nobody is asked. */
export interface Hazard {
  readonly name: string
  readonly row: number
  readonly says: string
  /** `handle`: what the operation goes through, if it goes through a handle. */
  avoids(operation: Operation, handle: HandleFacts | undefined, where: Where): boolean
}

export const hazards: readonly Hazard[] = [
  {
    name: 'unlinked-directory',
    row: 8,
    says: 'attributes of a lower directory that was removed while it was open: overlayfs may copy it up over what has its name by now, and what stands there is broken; ours changes the one that is open',
    avoids: ({ do: verb }, handle, { overlayfs }) =>
      overlayfs && handle?.kind === 'directory' && handle.links === 0 && changes.has(verb),
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
    name: 'unmarked-links',
    row: 4,
    says: 'with userxattr a lower symlink, fifo, socket or device is copied up without a mark of where from; a rename between two of its names is ESTALE, and nothing at all for ours, as POSIX has it',
    skips: ({ do: verb }, answer) => verb === 'rename' && answer === 'ESTALE',
  },
  {
    name: 'whiteout-device',
    row: 9,
    says: 'a plain disk has character devices 0:0; overlayfs and ours refuse them (EPERM)',
    skips: (_, answer) => answer === 'whiteout',
  },
  {
    name: 'copy-between-disks',
    row: 2,
    says: 'copy_file_range from a lower file on another disk than the upper is EXDEV, and programs read and write instead; ours copies',
    skips: ({ do: verb }, answer) => verb === 'copy' && answer === 'EXDEV',
  },
  {
    name: 'lower-acls',
    says: 'an index that the kernel has mounted takes no ACLs where the kernel is built without them for EROFS (ENOTSUP), and overlayfs none on what still lies there',
    skips: (operation, answer) =>
      'name' in operation && operation.name.startsWith('system.posix_acl_') && answer === 'ENOTSUP',
  },
  {
    name: 'no-zero-range',
    says: 'tmpfs has no FALLOC_FL_ZERO_RANGE (ENOTSUP), and neither have uppers on it; what is in memory has it',
    skips: (operation, answer) => operation.do === 'fallocate' && operation.what === 'zero' && answer === 'ENOTSUP',
    alsoOf: onDisk,
  },
  {
    name: 'unlinked-lower',
    row: 8,
    says: 'attributes of a lower file or directory that lost its last name while it was open: overlayfs cannot copy it up any more (EEXIST, ENOENT, ENOTDIR); ours changes them',
    skips: ({ do: verb }, answer, unlinked) => unlinked && changes.has(verb) && lost.has(answer),
  },
]
