import { expect, test } from 'vitest'
import { stackedTree } from '../../src/stack/index.ts'
import { folded } from './folding.ts'
import { layerModel, modelView } from './layers.ts'
import { treeText } from './tree-text.ts'

/** layer-semantics, section 18: the layers, base first, and the lines of the view. `file owner content first-name links` */
const examples: [rule: string, layers: string[][], view: string[]][] = [
  [
    'W-05: a whiteout and a directory of one name',
    [
      ['d/', 'd/x'],
      ['.wh.d', 'd/', 'd/y'],
    ],
    ['d/ 0', 'd/y file 0 layer 1 d/y 1'],
  ],
  [
    'A-01: the same, whiteout last',
    [
      ['d/', 'd/x'],
      ['d/', 'd/y', '.wh.d'],
    ],
    ['d/ 0', 'd/y file 0 layer 1 d/y 1'],
  ],
  [
    'W-06: with an implied directory',
    [
      ['d/@7', 'd/x'],
      ['d/y', '.wh.d'],
    ],
    ['d/ 0', 'd/y file 0 layer 1 d/y 1'],
  ],
  [
    'W-12: opaque, implied',
    [
      ['d/@7', 'd/x'],
      ['d/y', 'd/.wh..wh..opq'],
    ],
    ['d/ 7', 'd/y file 0 layer 1 d/y 1'],
  ],
  [
    'implied directories keep attributes',
    [['d/@7', 'd/x'], ['d/y']],
    ['d/ 7', 'd/x file 0 layer 0 d/x 1', 'd/y file 0 layer 1 d/y 1'],
  ],
  ['R-02: file over directory', [['d/', 'd/x'], ['d']], ['d file 0 layer 1 d 1']],
  [
    'R-03: directory over file over directory',
    [['d/', 'd/x'], ['d'], ['d/', 'd/z']],
    ['d/ 0', 'd/z file 0 layer 2 d/z 1'],
  ],
  ['W-04: a whiteout and a file of one name', [['a'], ['a', '.wh.a']], ['a file 0 layer 1 a 1']],
  ['W-08: a whiteout creates no directories', [[], ['q/.wh.z']], []],
  [
    'W-07: a whiteout of what is not there',
    [['a', 'd/'], ['.wh.b', 'd/.wh.c', '.wh.e', 'e/'], ['.wh.b']],
    ['a file 0 layer 0 a 1', 'd/ 0', 'e/ 0'],
  ],
  [
    'N-13: below, symlinks are not followed',
    [['l->t', 't/', 't/x'], ['l/y']],
    ['l/ 0', 'l/y file 0 layer 1 l/y 1', 't/ 0', 't/x file 0 layer 0 t/x 1'],
  ],
  ['H-09: replacing one name of two', [['a', 'b=a'], ['a:new']], ['a file 0 new a 1', 'b file 0 layer 0 b 1']],
  ['H-06: a hardlink to what the layer whites out', [['a@3'], ['b=a', '.wh.a']], ['b file 3 layer 0 b 1']],
  ['H-10: a hardlink to what stays', [['a@3'], ['b=a']], ['a file 3 layer 0 a 2', 'b file 3 layer 0 a 2']],
  ['W-09: nested whiteouts', [['a/b/c'], ['a/.wh.b', 'a/b/.wh.c', '.wh.a']], []],
  [
    "H-07: a link keeps its target's owner",
    [['u/f@5', 'f=u/f']],
    ['f file 5 layer 0 f 2', 'u/ 0', 'u/f file 5 layer 0 f 2'],
  ],
  [
    'W-14: an opaque root',
    [
      ['a', 'd/x'],
      ['.wh..wh..opq', 'b'],
    ],
    ['b file 0 layer 1 b 1'],
  ],
  ['W-10: a whiteout removes a symlink alone', [['l->t', 't/x'], ['.wh.l']], ['t/ 0', 't/x file 0 layer 0 t/x 1']],
  [
    'W-03: a whiteout for a name below a file of its layer',
    [['d/x', 'd/y'], ['d/.wh.x']],
    ['d/ 0', 'd/y file 0 layer 0 d/y 1'],
  ],
]

for (const [rule, layers, view] of examples) {
  test(`${rule}: stacked and folded show what section 18 says`, async () => {
    const views = layers.map((lines, layer) => modelView(layerModel(lines, layer), layer))
    expect(treeText(stackedTree(views))).toEqual(view)
    expect(treeText(await folded(views))).toEqual(view)
  })
}
