import type { ByteString } from '../model/bytes.ts'
import type { Stat } from '../model/entry.ts'
import { checkAborted, type Operation } from '../model/operation.ts'
import type { Tree } from '../stack/tree.ts'
import type { Change } from './change.ts'
import type { Renamed } from './renames.ts'

/** How much of a change is text. */
export interface PatchOptions extends Operation {
  /** Lines that are shown around what changed; default: 3. */
  readonly context?: number | undefined
}

/** Larger files are said to differ, and not how. */
const mostText = 16 << 20
/** More edits than that between two texts are one: finding the least of them takes the square of their number. */
const mostEdits = 2000
/** Where git looks for the NUL that makes a content binary. */
const looked = 8000

/** One side of a section: a file or a symlink, whose text is where it leads. */
interface Side {
  readonly path: ByteString
  readonly mode: number
  /** Absent for what is binary or very large. */
  readonly text: ByteString | undefined
}

/**
 * What a change does to files and symlinks as git writes it, so that `git apply` and `patch -p1` take it: a section a file, of a deleted
 * directory one for each file under it. A byte string of whole lines; empty for a change that no such patch can tell, as of owners, times,
 * directories and devices. Modes have all their bits.
 *
 * @throws PLY_ABORTED; what reading a file throws
 */
export async function patchOf(
  change: Change | Renamed,
  before: Tree,
  after: Tree,
  options: PatchOptions = {},
): Promise<ByteString> {
  switch (change.kind) {
    case 'add':
      return section(undefined, sideOf(after, change.bytes, change.after), options)
    case 'rename':
      return section(
        sideOf(before, change.fromBytes, change.before),
        sideOf(after, change.bytes, change.after),
        options,
      )
    case 'delete':
      return removed(before, change.bytes, change.before, options)
    case 'modify': {
      if (change.changed.includes('kind'))
        return (
          (await removed(before, change.bytes, change.before, options)) +
          (await section(undefined, sideOf(after, change.bytes, change.after), options))
        )
      if (!change.changed.some((aspect) => aspect === 'content' || aspect === 'target' || aspect === 'mode')) return ''
      return section(sideOf(before, change.bytes, change.before), sideOf(after, change.bytes, change.after), options)
    }
    default:
      return change satisfies never
  }
}

/** A file, or all that are under a directory. */
async function removed(tree: Tree, path: ByteString, stat: Stat, options: PatchOptions): Promise<ByteString> {
  if (stat.kind !== 'directory') return section(sideOf(tree, path, stat), undefined, options)
  let all = ''
  for (const { name, ino } of tree.list(stat.ino))
    all += await removed(tree, `${path}/${name}`, tree.stat(ino), options)
  return all
}

function sideOf(tree: Tree, path: ByteString, { kind, mode, size, ino }: Stat): Side | undefined {
  if (kind === 'symlink') return { path, mode: 0o120000, text: tree.readlink(ino) }
  if (kind !== 'file') return undefined
  return { path, mode: 0o100000 | mode, text: size > mostText ? undefined : textOf(tree, ino) }
}

function textOf(tree: Tree, ino: number): ByteString | undefined {
  const content = tree.open(ino)
  try {
    const bytes = Buffer.allocUnsafe(content.size)
    const read = bytes.subarray(0, content.read(bytes, 0))
    return read.subarray(0, looked).includes(0) ? undefined : read.toString('latin1')
  } finally {
    content.close()
  }
}

async function section(
  before: Side | undefined,
  after: Side | undefined,
  { context = 3, signal }: PatchOptions,
): Promise<ByteString> {
  checkAborted(signal)
  const either = after ?? before
  if (either === undefined) return ''
  const [a, b] = [quoted(`a/${(before ?? either).path}`), quoted(`b/${either.path}`)]
  const lines = [`diff --git ${a} ${b}`]
  const mode = ({ mode }: Side) => mode.toString(8).padStart(6, '0')
  if (before === undefined) lines.push(`new file mode ${mode(either)}`)
  else if (after === undefined) lines.push(`deleted file mode ${mode(before)}`)
  else if (before.mode !== after.mode) lines.push(`old mode ${mode(before)}`, `new mode ${mode(after)}`)
  if (before !== undefined && after !== undefined && before.path !== after.path)
    lines.push('similarity index 100%', `rename from ${quoted(before.path)}`, `rename to ${quoted(after.path)}`)
  const [x, y] = [before === undefined ? '' : before.text, after === undefined ? '' : after.text]
  const [from, to] = [before === undefined ? '/dev/null' : a, after === undefined ? '/dev/null' : b]
  const moved = before?.path !== after?.path && before !== undefined && after !== undefined
  if (x === undefined || y === undefined) {
    if (!moved) lines.push(`Binary files ${from} and ${to} differ`)
  } else if (x !== y) lines.push(`--- ${from}`, `+++ ${to}`, ...(await hunks(x, y, context)))
  return `${lines.join('\n')}\n`
}

async function hunks(x: ByteString, y: ByteString, context: number): Promise<string[]> {
  const { structuredPatch } = await import('diff')
  const patch = structuredPatch('a', 'b', x, y, '', '', { context, maxEditLength: mostEdits })
  if (patch === undefined) return wholly(x, y)
  return patch.hunks.flatMap(({ oldStart, oldLines, newStart, newLines, lines }) => [
    `@@ -${span(oldStart, oldLines)} +${span(newStart, newLines)} @@`,
    ...lines,
  ])
}

/** One text in the place of the other. */
function wholly(x: ByteString, y: ByteString): string[] {
  const [before, after] = [linesOf(x, '-'), linesOf(y, '+')]
  const count = (lines: string[]) => lines.filter((line) => !line.startsWith('\\')).length
  return [`@@ -${span(1, count(before))} +${span(1, count(after))} @@`, ...before, ...after]
}

function linesOf(text: ByteString, sign: string): string[] {
  if (text === '') return []
  const lines = text.split('\n').map((line) => sign + line)
  if (!text.endsWith('\n')) return [...lines, '\\ No newline at end of file']
  lines.pop()
  return lines
}

/** Where a hunk begins and how long it is; of no lines the one in front of it. */
function span(start: number, lines: number): string {
  return lines === 0 ? `${Math.max(0, start - 1)},0` : lines === 1 ? String(start) : `${start},${lines}`
}

/** A name as git writes it: in quotes where it has bytes that a line cannot show. */
function quoted(path: ByteString): ByteString {
  if (!/[\x00-\x1f"\\\x7f-\xff]/.test(path)) return path
  const escapes: Readonly<Record<string, string>> = { '\n': '\\n', '\t': '\\t', '"': '\\"', '\\': '\\\\' }
  const inside = path.replace(
    /[\x00-\x1f"\\\x7f-\xff]/g,
    (byte) => escapes[byte] ?? `\\${byte.charCodeAt(0).toString(8).padStart(3, '0')}`,
  )
  return `"${inside}"`
}
