import type { Switches } from '../switch.ts'

/** Section 1: the model, and stacking. */
export const model: Switches = {
  'A-01': {
    file: 'src/layer/placement.ts',
    find: 'builder.setFacts(inode, { opaque: this.#marked.has(inode), implied: header === undefined })',
    put: '',
  },
  'A-02': {
    file: 'src/stack/squash.ts',
    find: 'if (said === undefined) return closed ? nothing : whiteout',
    put: 'if (said === undefined) return nothing',
  },
  'A-03': {
    file: 'src/stack/stacked-tree.ts',
    find: 'if (verdict !== undefined) node = rule(verdict, side, node, this.#before[side]!)',
    put: `if (verdict?.says === 'whiteout') node = undefined
        if (verdict?.says === 'entry') {
          const place = { side, ino: verdict.ino }
          node = { place, kind: verdict.kind, ...(verdict.directory && { parts: [place] }) }
        }`,
  },
  'A-04': [
    {
      file: 'src/store/trees/trees.ts',
      find: 'const chainId = chainIds(stack.map(({ diffId }) => diffId)).at(-1)!',
      put: 'const chainId = stack.at(-1)!.diffId',
    },
    {
      file: 'src/store/trees/trees.ts',
      find: 'const chain = chainIds(stack.map(({ diffId }) => diffId))',
      put: 'const chain = stack.map(({ diffId }) => diffId)',
    },
  ],
  'A-05': {
    file: 'src/stack/fold.ts',
    find: 'const pace = new Pace(signal)',
    put: `if (views.length > 127) throw new Error('too many layers')
  const pace = new Pace(signal)`,
  },
}
