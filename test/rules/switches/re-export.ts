import type { Switches } from '../switch.ts'

/** Section 13: exact re-export. */
export const reExport: Switches = {
  'I-01': {
    file: 'src/layer/import.ts',
    find: 'const pending = sink.write(chunk)',
    put: `let end = chunk.length
  while (end > 0 && chunk[end - 1] === 0) end--
  const pending = sink.write(chunk.subarray(0, end))`,
  },
  'I-02': {
    file: 'src/store/layers/rebuild-caches.ts',
    find: 'if (descriptor.digest !== diffId) return undefined',
    put: '',
  },
  'I-03': {
    file: 'src/erofs/superblock.ts',
    find: `\`plyfs-erofs-v1\${seed}\``,
    put: `\`\${process.hrtime.bigint()}\${seed}\``,
  },
  'I-04': {
    file: 'src/stream/verify.ts',
    find: 'if (tally !== undefined && tally.digest() !== digest) {',
    put: 'if (false) {',
  },
  'I-05': {
    file: 'src/transport/recompress.ts',
    find: 'if (digest === descriptor.digest) continue',
    put: 'continue',
  },
}
