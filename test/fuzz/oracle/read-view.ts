import type { IndexedView } from '../../../src/layer/view.ts'
import type { Bytes } from '../../../src/stream/bytes.ts'
import type { Random } from '../random.ts'
import { must } from './outcome.ts'

/** Bytes that are read of one file: a sparse one may say terabytes. */
const most = 100_000

/** Reads the files of a view, in one go and in pieces, and where their holes are. Answers how many there are. */
export function readFiles(view: IndexedView, random: Random): number {
  let files = 0
  const waiting = [view.root.ino]
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    for (const { verdict } of view.list(directory)) {
      if (verdict.says === 'ghost') waiting.push(verdict.ino)
      if (verdict.says !== 'entry') continue
      if (verdict.directory) waiting.push(verdict.ino)
      else if (view.stat(verdict.ino).kind === 'file' && files++ < 40) readFile(view.open(verdict.ino), random)
    }
  }
  return files
}

function readFile(content: Bytes, random: Random): void {
  const { size } = content
  const whole = Buffer.alloc(Math.min(size, most), 0xaa)
  must(content.read(whole, 0) === whole.length, 'a file is shorter than it says')
  must(content.read(Buffer.alloc(1), size) === 0, 'a file is longer than it says')
  for (let i = 0; i < 4 && whole.length > 0; i++) {
    const at = random.below(whole.length)
    const piece = Buffer.alloc(1 + random.small(whole.length - at), 0xbb)
    must(content.read(piece, at) === piece.length, 'a file cannot be read from its middle')
    must(piece.equals(whole.subarray(at, at + piece.length)), 'a file reads differently in pieces')
  }
  if (content.nextData === undefined) return
  let end = 0
  for (let run = content.nextData(0); run !== undefined; run = end < size ? content.nextData(end) : undefined) {
    const { start } = run
    must(
      start >= end && run.end > start && run.end <= size,
      'runs out of order',
      () => `${end} ${start} ${run?.end} of ${size}`,
    )
    for (let at = end; at < Math.min(start, most); at++)
      must(whole[at] === 0, 'data outside of all runs', () => String(at))
    end = run.end
    if (end >= most) break
  }
  for (let at = end; at < whole.length; at++) must(whole[at] === 0, 'data outside of all runs', () => String(at))
  content.close()
}
