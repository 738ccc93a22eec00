import type { Switches } from '../switch.ts'

/** Section 3: entry types. */
export const types: Switches = {
  'T-01': { file: 'src/tar/assembler.ts', find: 'case 0x37:', put: '' },
  'T-02': { file: 'src/tar/assembler.ts', find: `return name.endsWith('/') ? '5' : '0'`, put: `return '0'` },
  'T-03': { file: 'src/tar/assembler.ts', find: 'case 0x4b: // K', put: '' },
  'T-04': { file: 'src/tar/assembler.ts', find: 'case oldSparseFlag:', put: '' },
  'T-05': {
    file: 'src/tar/assembler.ts',
    find: `throw badLayer(name, 'T-05', \`unknown entry type`,
    put: `return '0' // \``,
  },
  'T-06': {
    file: 'src/tar/assembler.ts',
    find: `this.payload = type === '0' ? size : 0`,
    put: `this.payload = type === '5' || type === '0' ? size : 0`,
  },
  'T-07': {
    file: 'src/tar/header-values.ts',
    find: 'if (number === undefined || number < 0 || number > largestDevice[field]) {',
    put: 'if (number === undefined) {',
  },
  'T-08': {
    file: 'src/layer/layer-view.ts',
    find: 'if (flags & factBits.whiteout) return whiteout',
    put: `const { major, minor } = this.index.stat(ino)
    if (kind === 'character' && major === 0 && minor === 0) return whiteout`,
  },
  'T-09': {
    file: 'src/layer/pack.ts',
    find: `warn('T-09', 'a socket has no form in an archive; left out')`,
    put: '',
  },
  'T-10': { file: 'src/layer/layer-tree.ts', find: 'if (member.windows && ', put: 'if (false && ' },
}
