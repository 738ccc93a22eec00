import { firstNewInode } from '../../src/union/upper.ts'
import type { Form } from './forms.ts'
import { type Difference, differences, type Facts, type State, told } from './state.ts'

/** How rootless tools keep what a user namespace has not: for the kernel this is an xattr like any other. */
const override = /user\.containers\.override_stat=[0-9a-f]* ?/

/** What a mount cannot know. */
export interface Limits {
  readonly form: Form
  readonly except: readonly (keyof Facts)[]
  /** Inside a user namespace: the kernel looks up no origins, keeps no index of link groups, and knows one owner. */
  readonly isRootless?: boolean
  /** Whoever wrote kept an index of link groups: what it counts is right. */
  readonly isIndexed?: boolean
}

const plain = ['file', 'directory']

/**
 * What the kernel shows otherwise than we do. It numbers directories and what is not from below as it likes, counts the
 * links of directories its own way, and where somebody wrote without `index=on`, those of lower groups with the
 * names that are hidden (docs/upper-format.md). Marks in `user.*` are on files and directories only, and what a rootless upper keeps in the
 * override xattr it does not know.
 *
 * `groups`: lower inodes with several names, of which it splits each into its own file where it keeps no index.
 */
export function inKernel(shown: State, ours: State, limits: Limits, groups: ReadonlySet<number> = new Set()): string[] {
  const { form, except, isRootless = false, isIndexed = false } = limits
  const there: Record<string, Facts> = {}
  const overridden = new Set<string>()
  for (const [path, facts] of Object.entries(shown)) {
    const xattrs = facts.xattrs.replace(override, '').trimEnd()
    if (xattrs !== facts.xattrs) overridden.add(path)
    there[path] = { ...facts, xattrs }
  }
  const matters = ({ path, fact }: Difference): boolean => {
    if (fact === 'name') return true
    const { kind = '', ino = 0 } = ours[path] ?? {}
    if (except.includes(fact) || groups.has(ino)) return false
    if (isRootless && (fact === 'owner' || fact === 'mode') && (overridden.has(path) || !plain.includes(kind)))
      return false
    // A user namespace makes no devices: empty files stand in for them.
    if (isRootless && (kind === 'character' || kind === 'block') && overridden.has(path)) return false
    const below = ino < firstNewInode
    if (fact === 'ino') return below && (form === 'user' ? kind === 'file' : kind !== 'directory')
    return fact !== 'links' || (kind !== 'directory' && (!below || isIndexed))
  }
  return differences(there, ours).filter(matters).map(told)
}
