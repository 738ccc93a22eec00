import { PlyError } from '../../src/model/errors.ts'
import { copyRange } from '../../src/union/copy-range.ts'
import { type Answer, seekText } from './answers.ts'
import type { Operation } from './operations.ts'
import type { OpenHandle } from './union-open.ts'

export function readOf({ content, readable }: OpenHandle, size: number, at: number): Buffer {
  if (!readable) throw new PlyError('EBADF')
  if (content === undefined) throw new PlyError('EISDIR')
  const bytes = Buffer.alloc(Math.min(size, Math.max(0, content.size - at)))
  return bytes.subarray(0, bytes.length === 0 ? 0 : content.read(bytes, at))
}

export function writing({ writer, append }: OpenHandle, otherwise: 'EBADF' | 'EINVAL') {
  if (writer === undefined) throw new PlyError(otherwise)
  return { writer, append }
}

/** Directories have no content to seek in: where their positions are is not compared. */
export function seek(handle: OpenHandle, to: 'set' | 'end' | 'data' | 'hole', at: number): Answer {
  const { content } = handle
  if (content === undefined) return 'directory'
  if (to === 'set' || to === 'end') {
    const position = to === 'set' ? at : content.size + at
    if (position < 0) throw new PlyError('EINVAL')
    handle.position = position
    return String(position)
  }
  const whole = Buffer.alloc(content.size)
  content.read(whole, 0)
  return seekText(to, whole, at, seekIn(handle, to, at))
}

function seekIn({ content }: OpenHandle, to: 'data' | 'hole', at: number): number {
  const { size, nextData } = content!
  if (at >= size) return -1
  const run = nextData === undefined ? { start: at, end: size } : nextData(at)
  if (to === 'data') return run === undefined ? -1 : run.start
  if (run === undefined || run.start > at) return at
  for (let { end } = run; ; ) {
    if (end >= size || nextData === undefined) return size
    const next = nextData(end)
    if (next === undefined || next.start > end) return end
    end = next.end
  }
}

/** What the library checks of ranges it checks of its own handles: for the plain model that is done here. */
export function copy(
  source: OpenHandle,
  handle: OpenHandle,
  { fromAt, at, size }: Operation & { do: 'copy' },
  checked: boolean,
): Answer {
  if (source.content === undefined || handle.content === undefined) throw new PlyError('EISDIR')
  if (!source.readable || handle.writer === undefined || handle.append) throw new PlyError('EBADF')
  const length = Math.min(size, Math.max(0, source.content.size - fromAt))
  const overlaps = source.ino === handle.ino && fromAt < at + length && at < fromAt + length
  if (checked && overlaps) throw new PlyError('EINVAL')
  return String(copyRange(source.content, fromAt, handle.writer, at, size))
}
