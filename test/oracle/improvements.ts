import type { Answer } from './answers.ts'
import type { Operation } from './operations.ts'

/** Two systems that disagree: the oracle and one of ours. */
export interface Disagreement {
  /** Absent where trees are compared. */
  readonly operation?: Operation
  readonly expected: Answer
  readonly got: Answer
  /** What the oracle is: `overlayfs`, or a plain disk. */
  readonly oracle: string
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

export const refusals: readonly Refusal[] = [
  {
    name: 'directory-rename',
    row: 3,
    says: 'without redirect_dir=on overlayfs does not rename a lower or merged directory (EXDEV); ours always does',
    skips: (operation, answer) => operation.do === 'rename' && answer === 'EXDEV',
  },
  {
    name: 'unlinked-lower',
    row: 8,
    says: 'attributes of a lower file that lost its last name while it was open: overlayfs cannot copy it up any more (EEXIST); ours changes them',
    skips: (operation, answer, unlinked) => unlinked && 'on' in operation && answer === 'EEXIST',
  },
  {
    name: 'zero-range',
    says: 'tmpfs has no FALLOC_FL_ZERO_RANGE',
    skips: (operation, answer) => operation.do === 'fallocate' && operation.what === 'zero' && answer === 'ENOTSUP',
  },
]
