import type { LayerView } from '../layer/view.ts'
import { stackedTree } from '../stack/index.ts'
import type { Tree } from '../stack/tree.ts'
import type { LayerStack } from './layer-stack.ts'

/** What the layers of a stack show together. It reads through the stack, which has to stay open; closing it closes nothing. */
export function mergedTree(stack: LayerStack): Tree {
  return stackedTree(stack.layers.map(({ view }) => lent(view)))
}

function lent(view: LayerStack['layers'][number]['view']): LayerView & Pick<Tree, 'place'> {
  return {
    root: view.root,
    linksBelow: view.linksBelow === true,
    lookup: (directory, name) => view.lookup(directory, name),
    list: (directory) => view.list(directory),
    stat: (ino) => view.stat(ino),
    readlink: (ino) => view.readlink(ino),
    xattrs: (ino) => view.xattrs(ino),
    open: (ino) => view.open(ino),
    place: (ino) => view.place(ino),
    close() {},
  }
}
