import type { Switches } from '../switch.ts'

/** Section 12: compression and framing. */
export const compression: Switches = {
  'Z-01': { file: 'src/stream/compression.ts', find: `return skippable ? 'zstd' : 'none'`, put: `return 'none'` },
  'Z-02': { file: 'src/stream/gzip.ts', find: 'if (rest[i] !== 0) {', put: 'if (false) {' },
  'Z-03': { file: 'src/stream/zstd-frames.ts', find: 'if (window > this.#maxWindow) {', put: 'if (false) {' },
  'Z-04': {
    file: 'src/tar/reader.ts',
    find: 'if (this.#collecting || this.#skip > this.#padding) {',
    put: 'if (false) {',
  },
  'Z-05': {
    file: 'src/layer/import.ts',
    find: 'agree(what, expected.digest, digest)',
    put: '',
  },
  'Z-06': {
    file: 'src/stream/compression.ts',
    find: 'return { compression: compressionOf(first),',
    put: `if (first.length === 0) throw new Error('the layer is empty')
  return { compression: compressionOf(first),`,
  },
  'Q-01': [
    {
      file: 'src/tar/reader.ts',
      find: '/** Bytes pushed so far. */',
      put: `get ended(): boolean {
    return this.#ended
  }

  /** Bytes pushed so far. */`,
    },
    {
      file: 'src/layer/index-tar.ts',
      find: 'this.#tally?.write(chunk)',
      put: 'if (!this.#reader.ended) this.#tally?.write(chunk)',
    },
  ],
  'Q-02': {
    file: 'src/tar/assembler.ts',
    find: 'if (this.#zeroBlocks > 0) throw',
    put: `if (this.#zeroBlocks > 0) this.#zeroBlocks = 0
    if (false) throw`,
  },
  'Q-03': { file: 'src/tar/reader.ts', find: 'this.#skip > this.#padding', put: 'this.#skip > 0' },
  'Q-04': { file: 'src/tar/reader.ts', find: 'if (this.#trailing) return', put: 'return' },
  'Q-05': {
    file: 'src/layer/layer-tree.ts',
    find: 'this.#hardlinks.finish()',
    put: `if (this.#findings.entries === 0) throw badLayer('the archive', 'Q-05', 'it has no entries')
    this.#hardlinks.finish()`,
  },
  'Q-06': { file: 'src/transport/recompress.ts', find: ' || isForeign(descriptor)', put: '' },
  'Q-07': { file: 'src/layer/import.ts', find: 'refuseEncrypted(mediaType)', put: '' },
}
