/** What disks keep holes in steps of (layer-semantics S-06). */
const block = 4096
const zeros = Buffer.alloc(block)

/** The parts of a chunk that are more than whole blocks of zeros: what is left out becomes a hole. */
export function* filledParts(chunk: Uint8Array): Generator<{ readonly start: number; readonly end: number }> {
  let start = -1
  for (let at = 0; at < chunk.length; at += block) {
    const empty = chunk[at] === 0 && at + block <= chunk.length && zeros.equals(chunk.subarray(at, at + block))
    if (!empty && start < 0) start = at
    else if (empty && start >= 0) {
      yield { start, end: at }
      start = -1
    }
  }
  if (start >= 0) yield { start, end: chunk.length }
}
