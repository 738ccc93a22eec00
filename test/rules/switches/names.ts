import type { Switches } from '../switch.ts'

/** Section 2: names. */
export const names: Switches = {
  'N-01': {
    file: 'src/layer/names.ts',
    find: `if (component === '' || component === '.') continue`,
    put: `if (component === '.') continue`,
  },
  'N-02': {
    file: 'src/layer/layer-tree.ts',
    find: `if (path === undefined) throw badLayer(name, 'N-02', 'its name leads out of the root')`,
    put: 'if (path === undefined) return',
  },
  'N-03': { file: 'src/layer/names.ts', find: 'if (dotDot) cleaned?.()', put: '' },
  'N-04': {
    file: 'src/layer/layer-tree.ts',
    find: `throw badLayer(name, 'N-04', 'only a directory can be the root')`,
    put: 'return',
  },
  'N-05': { file: 'src/layer/layer-tree.ts', find: 'this.#describe(this.builder.root, member)', put: '' },
  'N-06': {
    file: 'src/tar/assembler.ts',
    find: `if (name.includes('\\0')) throw badLayer(name, 'N-06', 'a NUL inside the name')`,
    put: '',
  },
  'N-07': {
    file: 'src/tar/header.ts',
    find: `buffer.toString('latin1', start, end)`,
    put: `buffer.toString('utf8', start, end)`,
  },
  'N-08': {
    file: 'src/layer/layer-tree.ts',
    find: `if (name.length > 255) throw badLayer(member.name, 'N-08', 'its name is longer than 255 bytes')`,
    put: 'name = name.slice(0, 255)',
  },
  'N-09': { file: 'src/extract/plan.ts', find: 'if (folded) checkTwin(folded, directory.path, name, limits)', put: '' },
  'N-10': { file: 'src/layer/walk.ts', find: 'if (name.startsWith(whiteoutPrefix)) throw', put: 'if (false) throw' },
  'N-11': {
    file: 'src/layer/walk.ts',
    find: `if (next !== undefined && kind === 'symlink') {`,
    put: 'if (next !== undefined && false) {',
  },
  'N-12': {
    file: 'src/layer/placement.ts',
    find: 'if (existing !== undefined) this.#replaced(directory, name, existing, entry)',
    put: 'if (existing !== undefined) return',
  },
  'N-13': {
    file: 'src/stack/rule.ts',
    find: 'if (lower?.parts === undefined) return directoryAt(place)',
    put: 'if (lower?.parts === undefined) return above.implied && lower !== undefined ? lower : directoryAt(place)',
  },
  'N-14': {
    file: 'src/layer/placement.ts',
    find: 'this.findings.forgive(entry, rule, text)',
    put: 'this.findings.warn(entry, rule, text)',
  },
}
