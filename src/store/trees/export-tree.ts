import { packTree } from '../../diff/index.ts'
import { type PackOptions, packLayer } from '../../layer/index.ts'
import type { Operation } from '../../model/operation.ts'
import type { Tree } from '../../stack/tree.ts'
import type { ByteStream } from '../../stream/bytes.ts'

/**
 * A tree as one tar, without whiteouts: what `docker export` gives. The same tree gives the same bytes. Sockets, which no
 * archive can hold, are left out (layer-semantics T-09); `onWarning` hears of them, and of files that are mostly holes (S-07).
 * Each chunk is a buffer of its own: it may be kept, or queued by a stream of Node.
 *
 * @throws PLY_UNREPRESENTABLE for a name that would be read as a whiteout (E-10); PLY_ABORTED
 */
export function exportTree(tree: Tree, options: Pick<PackOptions, 'onWarning'> & Operation = {}): ByteStream {
  return owned(packLayer(packTree(tree, options), options))
}

async function* owned(stream: ByteStream): ByteStream {
  for await (const chunk of stream) yield Buffer.from(chunk)
}
