import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { copy, openSource, openStore } from 'plyfs'
import { describe, expect } from 'vitest'
import { directoryTree } from '../../src/extract/directory-tree.ts'
import type { KnownDifference } from './differences.ts'
import { compare, dump } from './differences.ts'
import { applyWithTar, image, layersOf, realTest, run } from './tools.ts'
import { workspace } from './workspace.ts'

/** Nothing so far: both oracles agree with the rules on everything these images hold. */
const gnuTar: readonly KnownDifference[] = []
const umoci: readonly KnownDifference[] = []

describe('the folded tree of a real image', () => {
  realTest('equals what GNU tar and umoci make of it, whatever form the image was loaded from', async () => {
    await using work = workspace()
    const plain = join(work.path, 'tar')
    mkdirSync(plain)
    applyWithTar(layersOf(join(image(), 'oci')), plain)
    run('umoci', 'unpack', '--image', `${join(image(), 'oci')}:latest`, join(work.path, 'umoci'))
    const oracles = [
      { name: 'GNU tar', known: gnuTar, theirs: dump(directoryTree(plain)) },
      { name: 'umoci', known: umoci, theirs: dump(directoryTree(join(work.path, 'umoci', 'rootfs'))) },
    ]
    const forms = [
      `oci:${join(image(), 'oci')}:latest`,
      `oci:${join(image(), 'oci-zstd')}:latest`,
      `docker-archive:${join(image(), 'docker.tar')}`,
    ]
    for (const [i, form] of forms.entries()) {
      await using store = await openStore(join(work.path, `store-${i}`))
      await using source = await openSource(form)
      await copy(source, store, { as: 'real' })
      const tree = await store.tree('real')
      const ours = dump(tree)
      tree.close()
      for (const { name, known, theirs } of oracles) {
        const { entries, explained, unexplained } = compare(ours, theirs, known)
        console.log(
          `${form.split(':')[0]}${form.includes('zstd') ? ' (zstd)' : ''}, ${name}: ${entries} entries, ${explained} explained differences, ${unexplained.length} unexplained`,
        )
        expect(unexplained.slice(0, 20)).toEqual([])
      }
    }
  })
})
