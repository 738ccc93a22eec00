import { type Aspect, diff } from '../diff/index.ts'
import { compareImages, type ImageDifference } from '../image/compare.ts'
import { type ByteString, compareBytes } from '../model/bytes.ts'
import type { Kind, Stat } from '../model/entry.ts'
import type { Operation } from '../model/operation.ts'
import { walkTree } from '../query/index.ts'
import type { Tree } from '../stack/tree.ts'
import { compareLayers, type LayerStack } from '../trace/index.ts'
import { bitsOf, depthOf } from './file-rows.ts'
import { Growing } from './growing.ts'
import { shownName, shownText } from './names.ts'
import { changes, type Difference, type DifferenceTable, kinds, type PairedLayers, type Statement } from './table.ts'

/** One side of a difference: a tree, and its layers where it has some. */
export interface Side {
  readonly tree: Tree
  readonly stack: LayerStack | undefined
}

/** What differs between two trees, and between their images where both are. @throws PLY_ABORTED */
export async function exploreDifference(before: Side, after: Side, operation: Operation = {}): Promise<Difference> {
  const files = await differingFiles(before.tree, after.tree, operation)
  if (before.stack === undefined || after.stack === undefined) return { files, layers: [], statements: [] }
  const pairs = await compareLayers(before.stack, after.stack, operation)
  return {
    files,
    layers: pairs.map(
      ({ before: from, after: to, same, causes, changed }): PairedLayers => ({
        before: from,
        after: to,
        same,
        causes,
        changed,
      }),
    ),
    statements: compareImages(before.stack.image, after.stack.image).map(statementOf),
  }
}

interface Row {
  readonly path: ByteString
  readonly change: (typeof changes)[number]
  readonly changed: readonly Aspect[]
  readonly before: Stat | undefined
  readonly after: Stat | undefined
}

async function differingFiles(before: Tree, after: Tree, operation: Operation): Promise<DifferenceTable> {
  const rows: Row[] = []
  for await (const change of diff(before, after, operation)) {
    const path = change.bytes
    if (change.kind === 'add') rows.push({ path, change: 'added', changed: [], before: undefined, after: change.after })
    else if (change.kind === 'modify') {
      rows.push({ path, change: 'changed', changed: change.changed, before: change.before, after: change.after })
      // A directory that became something else takes its content along.
      if (change.before.kind === 'directory' && change.after.kind !== 'directory')
        rows.push(...gone(before, path, change.before.ino, false))
    } else rows.push(...gone(before, path, change.before.ino, true))
  }
  return tableOf(rows)
}

function gone(tree: Tree, from: ByteString, ino: number, itself: boolean): Row[] {
  const rows: Row[] = []
  for (const at of walkTree(tree, { from, ino })) {
    if (at.depth === 0 && !itself) continue
    rows.push({ path: at.path, change: 'removed', changed: [], before: tree.stat(at.ino), after: undefined })
  }
  return rows
}

function tableOf(rows: readonly Row[]): DifferenceTable {
  // By names, component for component: a slash comes before whatever else a name may hold.
  const keyed = rows.map((row) => ({ key: row.path.replaceAll('/', '\0'), row }))
  keyed.sort((a, b) => compareBytes(a.key, b.key))
  const columns = new DifferenceRows()
  const open: ByteString[] = []
  if (rows[0]?.path !== '') columns.push(leadingTo(''))
  for (const { row } of keyed) {
    const names = row.path === '' ? [] : row.path.split('/')
    let common = 0
    while (common < open.length && common < names.length && open[common] === names[common]) common++
    for (let depth = common + 1; depth < names.length; depth++) columns.push(leadingTo(names.slice(0, depth).join('/')))
    columns.push(row)
    open.length = 0
    open.push(...names)
  }
  return columns.done()
}

/** A directory that is the same on both sides, but for what is under it. */
function leadingTo(path: ByteString): Row {
  return { path, change: 'same', changed: [], before: undefined, after: undefined }
}

const kindNumbers = new Map<Kind, number>(kinds.map((kind, number) => [kind, number]))

class DifferenceRows {
  readonly #names: string[] = []
  readonly #depth = new Growing(Uint16Array)
  readonly #kind = new Growing(Uint8Array)
  readonly #change = new Growing(Uint8Array)
  readonly #changed = new Growing(Uint16Array)
  readonly #sizeBefore = new Growing(Float64Array)
  readonly #sizeAfter = new Growing(Float64Array)
  readonly #modeBefore = new Growing(Uint16Array)
  readonly #modeAfter = new Growing(Uint16Array)

  push({ path, change, changed, before, after }: Row): void {
    this.#names.push(shownName(path.slice(path.lastIndexOf('/') + 1)))
    this.#depth.push(depthOf(path))
    this.#kind.push(kindNumbers.get((after ?? before)?.kind ?? 'directory')!)
    this.#change.push(changes.indexOf(change))
    this.#changed.push(bitsOf(changed))
    this.#sizeBefore.push(sizeOf(before))
    this.#sizeAfter.push(sizeOf(after))
    this.#modeBefore.push(before?.mode ?? 0)
    this.#modeAfter.push(after?.mode ?? 0)
  }

  done(): DifferenceTable {
    return {
      count: this.#names.length,
      names: this.#names.map((name) => `${name}/`).join(''),
      depth: this.#depth.done(),
      kind: this.#kind.done(),
      change: this.#change.done(),
      changed: this.#changed.done(),
      sizeBefore: this.#sizeBefore.done(),
      sizeAfter: this.#sizeAfter.done(),
      modeBefore: this.#modeBefore.done(),
      modeAfter: this.#modeAfter.done(),
    }
  }
}

function sizeOf(stat: Stat | undefined): number {
  return stat === undefined || stat.kind === 'directory' ? 0 : stat.size
}

function statementOf({ at, before, after }: ImageDifference): Statement {
  const text = (value: unknown) => (value === undefined ? undefined : shownText(toldOf(at, value)))
  return { at: shownText(at), before: text(before), after: text(after) }
}

function toldOf(at: string, value: unknown): string {
  if (typeof value === 'string') return value
  if (at === 'history' && typeof value === 'object' && value !== null && 'created_by' in value)
    return String(value.created_by)
  return JSON.stringify(value)
}
