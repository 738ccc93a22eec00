import type { Switches } from '../switch.ts'

/** Section 4: whiteouts and opaque directories. */
export const markers: Switches = {
  'W-01': {
    file: 'src/layer/layer-tree.ts',
    find: 'else if (last.startsWith(whiteoutPrefix))',
    put: 'else if (false)',
  },
  'W-02': {
    file: 'src/layer/layer-tree.ts',
    find: 'else if (last.startsWith(whiteoutPrefix))',
    put: `else if (last.startsWith(whiteoutPrefix) && member.type === '0')`,
  },
  'W-03': { file: 'src/layer/markers.ts', find: 'if (!ghost) return', put: 'if (whiteout) return' },
  'W-04': {
    file: 'src/layer/placement.ts',
    find: 'if (existing !== undefined) this.#replaced(directory, name, existing, entry)',
    put: `if (existing !== undefined && this.builder.facts(existing).whiteout) return
    if (existing !== undefined) this.#replaced(directory, name, existing, entry)`,
  },
  'W-05': { file: 'src/layer/placement.ts', find: '{ opaque: true, implied: false }', put: '{ implied: false }' },
  'W-06': { file: 'src/layer/placement.ts', find: '{ opaque: true, implied: false }', put: '{ opaque: true }' },
  'W-07': {
    file: 'src/stack/rule.ts',
    find: `case 'whiteout':`,
    put: `case 'whiteout':
      if (below === undefined) throw unresolved('', 'a whiteout removes nothing', 'W-07')`,
  },
  'W-08': { file: 'src/layer/placement.ts', find: '{ ghost: true }', put: '{ implied: true }' },
  'W-09': { file: 'src/layer/markers.ts', find: 'if (this.#any) this.#placement.prune()', put: '' },
  'W-10': {
    file: 'src/layer/markers.ts',
    find: 'if (existing !== undefined) {',
    put: `if (existing !== undefined && builder.kind(existing) === 'symlink') {
      this.#whiteout(member, '', builder.target(existing))
      return
    }
    if (existing !== undefined) {`,
  },
  'W-11': {
    file: 'src/layer/markers.ts',
    find: `if (removed === '' || removed === '.' || removed === '..') {`,
    put: `if (removed === '.' || removed === '..') return
    if (removed === '') {`,
  },
  'W-12': {
    file: 'src/layer/placement.ts',
    find: 'this.builder.setFacts(directory, { opaque: true })',
    put: `this.builder.setFacts(directory, { opaque: true })
    for (const [child] of [...this.builder.children(directory)]) this.builder.remove(directory, child)`,
  },
  'W-13': { file: 'src/layer/placement.ts', find: 'if (this.#marked.has(existing)) {', put: 'if (false) {' },
  'W-14': {
    file: 'src/stack/stacked-tree.ts',
    find: 'rule(view.root, side,',
    put: 'rule({ ...view.root, opaque: false }, side,',
  },
  'W-15': {
    file: 'src/layer/markers.ts',
    find: `if (parent !== '') throw badLayer(member.name, 'W-15', 'an unknown marker')`,
    put: '',
  },
  'W-16': {
    file: 'src/layer/layer-tree.ts',
    find: `if (path.startsWith(\`\${legacyLinks}/\`)) this.`,
    put: 'if (false) this.',
  },
  'W-17': {
    file: 'src/diff/entry-items.ts',
    find: `if (path.startsWith('.wh.') || path.includes('/.wh.')) {`,
    put: 'if (false) {',
  },
  'W-18': {
    file: 'src/layer/markers.ts',
    find: `this.#placement.findings.warn(member.name, 'W-18', 'the same marker twice')`,
    put: '',
  },
}
