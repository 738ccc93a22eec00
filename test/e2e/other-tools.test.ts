import * as nodeFs from 'node:fs'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Store } from 'plyfs'
import { copy, openSink, openSource, openStore } from 'plyfs'
import { describe, expect } from 'vitest'
import { directoryTree } from '../../src/extract/directory-tree.ts'
import type { KnownDifference } from './differences.ts'
import { compare, dump } from './differences.ts'
import { chooseEdits, edit } from './edits.ts'
import { applyWithTar, buildah, image, layersOf, podman, realTest, run } from './tools.ts'
import { workspace } from './workspace.ts'

const startOfTests = BigInt(Date.now()) * 1_000_000n

const containersStorage: readonly KnownDifference[] = [
  {
    rule: 'M-01',
    because: 'containers/storage raises times before the epoch to the epoch when it unpacks',
    field: 'mtime',
    expect: (ours) => (ours.mtime < 0n ? 0n : ours.mtime),
  },
  {
    rule: 'E-05',
    because:
      'the root is in a layer only if its attributes changed, and containers/storage gives the root of such a layer the time at which it unpacks it',
    field: 'mtime',
    expect: (ours, path, { theirs }) =>
      path === '' && theirs.get('')!.mtime > startOfTests ? theirs.get('')!.mtime : ours.mtime,
  },
]

async function editedImage(store: Store, work: string, edits: Parameters<typeof edit>[2] | undefined) {
  await copy(await openSource(`oci:${join(image(), 'oci')}:latest`), store, { as: 'real' })
  const tree = await store.tree('real')
  const all = [...dump(tree).values()]
  tree.close()
  const chosen =
    edits ??
    chooseEdits(
      all.filter(({ kind, links }) => kind === 'file' && links === 1).map(({ path }) => path),
      all.filter(({ kind }) => kind === 'directory').map(({ path }) => path),
    )
  const container = await store.containers.create('work', 'real')
  edit(container.fs as never, '', chosen)
  const changed = await store.commit(container, 'changed:1', { message: 'for other tools' })
  await container.close()
  await using oci = await openSink(`oci:${join(work, 'oci')}:changed`)
  await oci.write(changed, 'changed')
  await using docker = await openSink(`docker-archive:${join(work, 'docker.tar')}`)
  await docker.write(changed, 'changed:1')
  return chosen
}

describe('a committed image in the hands of other tools', () => {
  realTest('is accepted and unpacked by skopeo, umoci, podman and buildah, each to the same tree', async () => {
    await using work = workspace()
    await using store = await openStore(join(work.path, 'store'))
    const edits = await editedImage(store, work.path, undefined)
    const tree = await store.tree('changed:1')
    const ours = dump(tree)
    tree.close()
    const same = (tool: string, rootfs: string, known: readonly KnownDifference[] = []) => {
      const { entries, explained, unexplained } = compare(ours, dump(directoryTree(rootfs)), known)
      console.log(`${tool}: ${entries} entries, ${explained} explained differences, ${unexplained.length} unexplained`)
      expect(unexplained.slice(0, 20), tool).toEqual([])
    }

    const plain = join(work.path, 'plain')
    mkdirSync(plain)
    applyWithTar(layersOf(join(image(), 'oci')), plain)
    edit(nodeFs, plain, edits)
    same('the same changes on a plain directory', plain)

    run('skopeo', 'copy', `oci:${join(work.path, 'oci')}:changed`, `oci:${join(work.path, 'skopeo')}:changed`)
    run('umoci', 'unpack', '--image', `${join(work.path, 'skopeo')}:changed`, join(work.path, 'umoci'))
    same('skopeo copy and umoci unpack', join(work.path, 'umoci', 'rootfs'))

    const pods = join(work.path, 'podman')
    podman(pods, 'load', '-i', join(work.path, 'docker.tar'))
    const mounted = podman(pods, 'image', 'mount', 'localhost/changed:1').trim()
    same('podman load', mounted, containersStorage)
    podman(pods, 'image', 'umount', '-a', '-f')

    const builds = join(work.path, 'buildah')
    const container = buildah(builds, 'from', `oci:${join(work.path, 'oci')}:changed`).trim()
    same('buildah from', buildah(builds, 'mount', container).trim(), containersStorage)
    expect(buildah(builds, 'run', '--isolation', 'chroot', container, 'cat', `/${edits.replaced}/new`)).toBe(
      'nothing of the old directory\n',
    )
    buildah(builds, 'umount', container)
  })
})
