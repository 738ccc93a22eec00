import type { Switches } from '../switch.ts'

/** Section 2: names. */
export const names: Switches = {
  'N-02': {
    file: 'src/layer/layer-tree.ts',
    find: `if (path === undefined) throw badLayer(name, 'N-02', 'its name leads out of the root')`,
    put: 'if (path === undefined) return',
  },
}
