import { readFileSync } from 'node:fs'
import type { ByteString } from '../model/bytes.ts'

/** A line of `/proc/PID/mountinfo`. */
export interface MountLine {
  /** What its namespace calls it. */
  readonly id: number
  readonly major: number
  readonly minor: number
  /** The directory, from the root of the process that was asked. */
  readonly target: ByteString
  readonly type: string
  readonly source: ByteString
  /** What the file system itself says of its options, with commas between them. */
  readonly options: ByteString
}

/**
 * What is mounted, as a process sees it, the oldest first: of several at one directory the last one shows. Nothing that is mounted is
 * touched. @throws ENOENT, EACCES where there is no such process, or it is not ours to ask
 */
export function mountTable(process: number | 'self' = 'self'): MountLine[] {
  const lines = readFileSync(`/proc/${process}/mountinfo`, 'latin1').split('\n')
  return lines.filter((line) => line !== '').map(parsed)
}

/** What shows at a directory, a byte string; `undefined` where nothing is mounted right there. */
export function mountAt(target: ByteString, table: readonly MountLine[] = mountTable()): MountLine | undefined {
  return table.findLast((line) => line.target === target)
}

/**
 * On which directory something is now, in this namespace: directories above may have been renamed since it was mounted. `undefined` where
 * it is on none.
 */
export function whereMounted(
  isThat: (line: MountLine) => boolean,
  table: readonly MountLine[] = mountTable(),
): ByteString | undefined {
  return table.findLast(isThat)?.target
}

/** Whether something is mounted by plyfs: by FUSE, or by the kernel under a name of ours. */
export function isMountOfPly({ type, source }: MountLine): boolean {
  return type === 'fuse.ply' || /^ply(:|$)/.test(source)
}

function parsed(line: string): MountLine {
  const dash = line.indexOf(' - ')
  const [id, , device = '', , target = ''] = line.slice(0, dash).split(' ')
  const [type = '', source = '', options = ''] = line.slice(dash + 3).split(' ')
  const [major, minor] = device.split(':').map(Number)
  return {
    id: Number(id),
    major: major!,
    minor: minor!,
    target: unescaped(target),
    type,
    source: unescaped(source),
    options: unescaped(options),
  }
}

/** Spaces, tabs, newlines and backslashes are written as three octal digits. */
function unescaped(text: string): ByteString {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
}
