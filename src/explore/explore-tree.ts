import type { Operation } from '../model/operation.ts'
import { Pace } from '../model/pace.ts'
import { walkTree } from '../query/index.ts'
import type { Tree } from '../stack/tree.ts'
import { FileRows } from './file-rows.ts'
import { shownText } from './names.ts'
import { OwnerTable } from './owner-table.ts'
import type { Exploration } from './table.ts'

/** What a tree shows of which nobody knows the layers: a container, a directory, an archive of files. @throws PLY_ABORTED */
export async function exploreTree(tree: Tree, name: string, { signal }: Operation = {}): Promise<Exploration> {
  const pace = new Pace(signal)
  const owners = new OwnerTable()
  const rows = new FileRows(owners, [])
  const named = new Set<number>()
  let bytes = 0
  for (const { path, ino } of walkTree(tree)) {
    if (pace.due()) await pace.rest()
    const stat = tree.stat(ino)
    const linked = stat.kind !== 'directory' && stat.links > 1
    const link = linked && named.has(ino)
    if (linked) named.add(ino)
    if (stat.kind === 'file' && !link) bytes += stat.size
    const target = stat.kind === 'symlink' ? tree.readlink(ino) : undefined
    rows.push({ path, stat, layer: 0, present: true, link, target, story: undefined })
  }
  const only = { digest: '', diffId: '', size: 0, bytes, wasted: 0, createdBy: '', created: '', comment: '' }
  return {
    name: shownText(name),
    digest: '',
    platform: '',
    created: '',
    layered: false,
    layers: [{ ...only, added: rows.length, changed: 0, removed: 0 }],
    owners: owners.namedBy(tree),
    efficiency: 1,
    diveEfficiency: 1,
    files: rows.done(),
  }
}
