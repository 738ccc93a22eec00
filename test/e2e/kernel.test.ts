import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { copy, openSource, openStore } from 'plyfs'
import { describe, expect } from 'vitest'
import { Index } from '../../src/erofs/index.ts'
import { directoryTree } from '../../src/extract/directory-tree.ts'
import { layerView } from '../../src/layer/layer-view.ts'
import type { Tree } from '../../src/stack/tree.ts'
import { fileBytes } from '../../src/sys/file-bytes.ts'
import { mount, umount } from '../../src/sys/mount.ts'
import { nodeDisk } from '../../src/sys/node-disk.ts'
import { compare, dump } from './differences.ts'
import { image, realTest } from './tools.ts'
import { workspace } from './workspace.ts'

const readOnly = 1

/** What an index holds, whiteouts and all, as the kernel shows it: names without what only the trailer says. */
function asKernel(index: Index, tar: string): Tree {
  const view = layerView(index, () => fileBytes(nodeDisk(), tar))
  return {
    root: index.root,
    lookup: (directory, name) => index.lookup(directory, name),
    list: (directory) => index.list(directory),
    parent: (directory) => index.parent(directory),
    stat: (ino) => index.stat(ino),
    readlink: (ino) => index.readlink(ino),
    xattrs: (ino) => index.xattrs(ino),
    open: (ino) => view.open(ino),
    close: () => view.close(),
  }
}

describe('the kernel', () => {
  realTest('mounts the index of every layer and the merged tree, and shows the same entries', async () => {
    await using work = workspace()
    const root = join(work.path, 'store')
    const target = join(work.path, 'mounted')
    mkdirSync(target)
    await using store = await openStore(root)
    await copy(await openSource(`oci:${join(image(), 'oci')}:latest`), store, { as: 'real' })
    const stored = await store.image('real')
    const container = await store.containers.create('fold', 'real')
    await container.close()
    const tarOf = (hex: string) => {
      const cached = join(root, 'cache', 'layers', `${hex}.tar`)
      return existsSync(cached) ? cached : join(root, 'blobs', 'sha256', hex)
    }
    const witness = (what: string, index: string, tars: readonly string[], ours: Tree) => {
      mount(index, target, 'erofs', readOnly, tars.map((tar) => `device=${tar}`).join(','))
      try {
        const { entries, unexplained } = compare(dump(ours), dump(directoryTree(target)), [])
        console.log(`${what}: ${entries} entries, ${unexplained.length} differences`)
        expect(unexplained.slice(0, 20)).toEqual([])
      } finally {
        umount(target, 0)
        ours.close()
      }
    }
    for (const { diffId } of stored.layers) {
      const hex = diffId.slice(7)
      const path = join(root, 'cache', 'layers', `${hex}.erofs`)
      witness(
        `layer ${hex.slice(0, 12)}`,
        path,
        [tarOf(hex)],
        asKernel(Index.open(fileBytes(nodeDisk(), path)), tarOf(hex)),
      )
    }
    const [folded] = readdirSync(join(root, 'cache', 'trees'))
    const tars = stored.layers.map(({ diffId }) => tarOf(diffId.slice(7)))
    witness('the merged tree', join(root, 'cache', 'trees', folded!), tars, await store.tree('real'))
  })
})
