import { join } from 'node:path'
import { copy, openSource, openStore } from 'plyfs'
import { describe, expect } from 'vitest'
import { compare, dump } from './differences.ts'
import { chooseEdits, edit } from './edits.ts'
import { image, realTest } from './tools.ts'
import { workspace } from './workspace.ts'

describe('the main job in memory', () => {
  realTest('gives the same trees, changes and digests as on disk', async () => {
    await using work = workspace()
    const results = []
    for (const root of [join(work.path, 'store'), ':memory:']) {
      await using store = await openStore(root)
      await using source = await openSource(`oci:${join(image(), 'oci')}:latest`)
      await copy(source, store, { as: 'real' })
      const tree = await store.tree('real')
      const before = dump(tree)
      tree.close()
      const all = [...before.values()]
      const edits = chooseEdits(
        all.filter(({ kind, links }) => kind === 'file' && links === 1).map(({ path }) => path),
        all.filter(({ kind }) => kind === 'directory').map(({ path }) => path),
      )
      await using container = await store.containers.create('work', 'real')
      edit(container.fs as never, '', edits)
      const changes: string[] = []
      for await (const { kind, path } of container.changes()) changes.push(`${kind} ${path}`)
      const committed = await store.commit(container, 'changed', { epoch: 1_700_000_000 })
      const merged = await store.tree('changed')
      const after = dump(merged)
      merged.close()
      results.push({ before, after, changes, digest: committed.digest, images: await store.images() })
    }
    const [disk, memory] = results as [(typeof results)[0], (typeof results)[0]]
    expect(memory.changes).toEqual(disk.changes)
    expect(compare(memory.before, disk.before, []).unexplained).toEqual([])
    expect(compare(memory.after, disk.after, []).unexplained).toEqual([])
    expect(memory.digest).toBe(disk.digest)
    expect(memory.images).toEqual(disk.images)
  })
})
