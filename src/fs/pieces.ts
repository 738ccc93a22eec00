import type { SyncVerbs } from './sync-verbs.ts'
import { checkBoolean, optionsOf } from './validation.ts'
import { bytesToWrite, checkSignal, type Encoding, type WriteFileOptions } from './whole-files.ts'

type Piece = string | NodeJS.ArrayBufferView
type Pieces = AsyncIterable<Piece> | Iterable<Piece>

/** What the promises write: text, bytes, or either of them piece by piece. */
export type Writable = Piece | Pieces

/** Writes to an open file, from where its last call ended. */
export async function writePieces(
  fs: SyncVerbs,
  fd: number,
  data: unknown,
  options: WriteFileOptions | Encoding | undefined,
): Promise<void> {
  if (!arrivesInPieces(data)) {
    fs.writeFileSync(fd, data, options)
    return
  }
  const { encoding, signal, flush = false } = optionsOf<WriteFileOptions>(options)
  checkBoolean(flush, 'options.flush')
  checkSignal(signal)
  for await (const piece of data) {
    checkSignal(signal)
    fs.writeSync(fd, bytesToWrite(piece, encoding as Encoding))
  }
  if (flush) fs.fsyncSync(fd)
}

export function arrivesInPieces(data: unknown): data is Pieces {
  if (typeof data !== 'object' || data === null || ArrayBuffer.isView(data)) return false
  return Symbol.asyncIterator in data || Symbol.iterator in data
}
