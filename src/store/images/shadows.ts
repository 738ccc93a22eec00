import { ContentComparison } from '../../diff/index.ts'
import type { IndexedView, Verdict } from '../../layer/index.ts'
import type { ByteString } from '../../model/bytes.ts'
import { compareBytes } from '../../model/bytes.ts'
import { Pace } from '../../model/pace.ts'
import type { StackedTree } from '../../stack/stacked-tree.ts'

/** What a layer does to what is below it now, and did not do to what was below it before. */
export interface Surprise {
  readonly path: ByteString
  readonly rule: 'N-13' | 'R-02' | 'W-01'
  readonly text: string
}

type Ino = number | undefined

/** What is below a layer: where it was made, and where it stands now. */
export interface Below {
  readonly before: StackedTree
  readonly after: StackedTree
}

/**
 * Looks at every name that a layer speaks of for what it means where it stands now: a directory that takes the place of a symlink,
 * and files of the new base that it hides or removes though they are not those of the old one. Contents are compared only where
 * nothing else tells them apart.
 */
export async function* surprisesOf(
  view: IndexedView,
  { before, after }: Below,
  signal: AbortSignal | undefined,
): AsyncGenerator<Surprise, void, undefined> {
  if (view.root.opaque) return
  const pace = new Pace(signal)
  const contents = new ContentComparison(before, after)
  const kindOf = (tree: StackedTree, ino: Ino) => (ino === undefined ? undefined : tree.kind(ino))
  const directoryIn = (tree: StackedTree, ino: Ino) => (kindOf(tree, ino) === 'directory' ? ino : undefined)
  const childOf = (tree: StackedTree, directory: Ino, name: ByteString) =>
    directory === undefined ? undefined : tree.lookup(directory, name)

  /** Whether what stands there is what stood there: times aside, which a new build of the same has too. */
  const isSame = async (was: Ino, is: number, path: ByteString): Promise<boolean> => {
    if (was === undefined) return false
    const x = before.ownStat(was)
    const y = after.ownStat(is)
    if (x.kind !== y.kind || x.mode !== y.mode || x.uid !== y.uid || x.gid !== y.gid || x.size !== y.size) return false
    if (x.kind === 'symlink') return compareBytes(before.readlink(was), after.readlink(is)) === 0
    if (x.kind === 'file') return contents.same(was, is, x.size, path, pace)
    return x.kind === 'directory' || (x.major === y.major && x.minor === y.minor)
  }

  const waiting: { ino: number; before: Ino; after: Ino; prefix: string }[] = [
    { ino: view.root.ino, before: before.root, after: after.root, prefix: '' },
  ]
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    for (const { name, verdict } of view.list(at.ino)) {
      if (pace.due()) await pace.rest()
      const is = childOf(after, at.after, name)
      if (is === undefined) continue
      const was = childOf(before, at.before, name)
      const path = at.prefix + name
      const inside = insideOf(verdict)
      if (inside !== undefined) {
        if (kindOf(after, is) === 'symlink' && kindOf(before, was) !== 'symlink' && verdict.says === 'entry') {
          const kind = verdict.implied ? 'a directory that no entry describes' : 'a directory'
          const text = `it is a symlink in the new base, as it was not in the old one: ${kind} takes its place`
          yield { path, rule: verdict.implied ? 'N-13' : 'R-02', text }
        }
        const below = directoryIn(after, is)
        const hides = verdict.says === 'entry' && verdict.opaque
        if (hides && below !== undefined && was === undefined)
          yield { path, rule: 'R-02', text: 'it hides all of this directory of the new base, which the old one lacked' }
        if (hides || below === undefined) continue
        waiting.push({ ino: inside, before: directoryIn(before, was), after: below, prefix: `${path}/` })
      } else if (!(await isSame(was, is, path))) {
        const other = was === undefined ? 'which the old one lacked' : 'which is another one than that of the old'
        yield verdict.says === 'whiteout'
          ? { path, rule: 'W-01', text: `it removes this of the new base, ${other}` }
          : { path, rule: 'R-02', text: `it shadows this of the new base, ${other}` }
      }
    }
  }
}

/** The directory whose names are looked at in turn. */
function insideOf(verdict: Verdict): Ino {
  if (verdict.says === 'ghost') return verdict.ino
  return verdict.says === 'entry' && verdict.directory ? verdict.ino : undefined
}
