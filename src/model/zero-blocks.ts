/** Bytes: in smaller pieces a file would be torn apart for little. */
const block = 1 << 16
const zeros = Buffer.alloc(block)

/**
 * The parts of a chunk that have to be written so that a file which was empty holds it at a position: all but whole blocks of 64 KiB
 * of the file that are nothing but zeros, which a hole is too. Looking costs next to nothing: a block that begins or ends with
 * something else is no further looked at.
 */
export function* partsToWrite(
  chunk: Uint8Array,
  position: number,
): Generator<{ readonly start: number; readonly end: number }, void, undefined> {
  let start = 0
  for (let at = (block - (position % block)) % block; at + block <= chunk.length; at += block) {
    if (chunk[at] !== 0 || chunk[at + block - 1] !== 0 || !zeros.equals(chunk.subarray(at, at + block))) continue
    if (at > start) yield { start, end: at }
    start = at + block
  }
  if (start < chunk.length) yield { start, end: chunk.length }
}
