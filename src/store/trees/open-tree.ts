import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { directoryTree } from '../../extract/directory-tree.ts'
import { copy } from '../../image/copy.ts'
import { PlyError } from '../../model/errors.ts'
import type { Operation } from '../../model/operation.ts'
import { splitReference } from '../../model/reference.ts'
import type { Tree } from '../../stack/tree.ts'
import { openSource } from '../../transport/index.ts'
import { openStore } from '../open-store.ts'
import type { Store } from '../store.ts'

export interface OpenTreeOptions extends Operation {
  /** Where names without a transport and containers are looked up. */
  readonly store?: Store
  readonly platform?: string | undefined
}

/**
 * A tree by its reference: `debian:12` in the store, `container:work`, `rootfs:DIR`, or an image of any transport
 * (`oci:…`, `docker-archive:…`), which is read into a store of its own that goes when the tree is closed.
 *
 * @throws what the place it comes from throws; PLY_USAGE for a name without a store
 */
export async function openTree(
  reference: string,
  { store, platform, ...operation }: OpenTreeOptions = {},
): Promise<Tree> {
  const { transport, details } = splitReference(reference)
  switch (transport) {
    case 'store': {
      const inside = storeOf(store, reference)
      return inside.tree(
        await inside.image(details, { ...operation, ...(platform !== undefined && { platform }) }),
        operation,
      )
    }
    case 'container': {
      const container = await storeOf(store, reference).containers.open(details, { readOnly: true, ...operation })
      return container.tree
    }
    case 'rootfs':
      return directoryTree(details, { ...(store && { digests: store.fileDigests }) })
    default:
      return passingTree(reference, platform, operation)
  }
}

function storeOf(store: Store | undefined, reference: string): Store {
  if (store === undefined)
    throw new PlyError('PLY_USAGE', { reason: `${reference} is a name in a store: say which store` })
  return store
}

async function passingTree(reference: string, platform: string | undefined, operation: Operation): Promise<Tree> {
  const root = mkdtempSync(join(tmpdir(), 'ply-tree-'))
  const forget = () => rmSync(root, { recursive: true, force: true })
  try {
    await using source = await openSource(reference, operation)
    const store = await openStore(root)
    await copy(source, store, { as: 'tree', platform, ...operation })
    return closing(await store.tree('tree', operation), forget)
  } catch (error) {
    forget()
    throw error
  }
}

/** A tree that takes something along when it is closed. */
function closing(tree: Tree, after: () => void): Tree {
  return {
    root: tree.root,
    lookup: (directory, name) => tree.lookup(directory, name),
    list: (directory) => tree.list(directory),
    parent: (directory) => tree.parent(directory),
    stat: (ino) => tree.stat(ino),
    readlink: (ino) => tree.readlink(ino),
    xattrs: (ino) => tree.xattrs(ino),
    open: (ino) => tree.open(ino),
    place: tree.place && ((ino) => tree.place!(ino)),
    digests: tree.digests,
    close() {
      tree.close()
      after()
    },
  }
}
