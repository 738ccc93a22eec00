import { type Difference, differences, type Facts, type State, told } from './state.ts'

/** How rootless tools keep what a user namespace has not: for the kernel this is an xattr like any other. */
const override = /user\.containers\.override_stat=[0-9a-f]* ?/

/**
 * What the kernel shows otherwise than we do. It numbers directories and what is not from below as it likes, counts the
 * links of directories its own way, and those of lower groups with the names that are hidden (docs/upper-format.md). Where
 * owner and mode are in an xattr, it shows the real ones and the xattr. `except`: facts that a mount cannot know.
 */
export function inKernel(shown: State, ours: State, except: readonly (keyof Facts)[] = []): string[] {
  const there: Record<string, Facts> = {}
  const overridden = new Set<string>()
  for (const [path, facts] of Object.entries(shown)) {
    const xattrs = facts.xattrs.replace(override, '').trimEnd()
    if (xattrs !== facts.xattrs) overridden.add(path)
    there[path] = { ...facts, xattrs }
  }
  const matters = ({ path, fact }: Difference): boolean => {
    if (fact !== 'name' && except.includes(fact)) return false
    if ((fact === 'owner' || fact === 'mode') && overridden.has(path)) return false
    const { kind, ino = 0 } = ours[path] ?? {}
    const below = ino < 2 ** 40
    if (fact === 'ino') return kind !== 'directory' && below
    return fact !== 'links' || (kind !== 'directory' && !below)
  }
  return differences(there, ours).filter(matters).map(told)
}
