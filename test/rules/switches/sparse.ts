import type { Switches } from '../switch.ts'

/** Section 8: sparse files. */
export const sparse: Switches = {
  'S-01': { file: 'src/tar/sparse.ts', find: `pairs ?? map?.split(',') ?? []`, put: 'pairs ?? []' },
  'S-02': { file: 'src/tar/assembler.ts', find: 'records?.name || ', put: '' },
  'S-03': { file: 'src/tar/sparse-map.ts', find: 'if (offset < this.#end) throw', put: 'if (false) throw' },
  'S-04': {
    file: 'src/layer/content-hash.ts',
    find: 'hash.update(chunk)',
    put: `const end = position + chunk.length
      for (let at = position; at < end; ) {
        const run = content.nextData === undefined ? { start: at, end } : content.nextData(at)
        if (run === undefined || run.start >= end) break
        at = Math.min(run.end, end)
        hash.update(chunk.subarray(run.start - position, at - position))
      }`,
  },
  'S-05': {
    file: 'src/store/layers/spills.ts',
    find: 'of dataRuns(content, block)',
    put: 'of [{ start: 0, end: content.size }]',
  },
  'S-06': { file: 'src/extract/content.ts', find: 'const empty = length === block &&', put: 'const empty = false &&' },
  'S-07': {
    file: 'src/layer/pack.ts',
    find: 'if (stat.size > largeFile && (await isMostlyHoles(content, pace))) {',
    put: 'if (false) {',
  },
}
