import type { Switches } from '../switch.ts'

/** Section 15: reading a foreign upper directory. */
export const foreign: Switches = {
  'U-01': { file: 'src/extract/upper-marks.ts', find: ` || text(fuseOpaque) === 'y'`, put: '' },
  'U-02': {
    file: 'src/extract/foreign-upper.ts',
    find: 'if (marked.redirect === undefined) return said',
    put: 'return said',
  },
  'U-03': {
    file: 'src/extract/upper-marks.ts',
    find: 'if (disk.stat(disk.root).uid !== process.geteuid?.() && !holdsVisibleMark(disk)) throw hidden(where)',
    put: '',
  },
  'U-04': {
    file: 'src/extract/foreign-upper.ts',
    find: 'const name = this.#marks.shown(stored)',
    put: 'const name = stored',
  },
  'U-05': { file: 'src/extract/foreign-upper.ts', find: 'if (existsSync(volatile))', put: 'if (false)' },
  'U-06': {
    file: 'src/extract/recorded-tree.ts',
    find: 'const override = value && decodeOverride(',
    put: 'const override = value && undefined && decodeOverride(',
  },
}
