import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { copy } from '../../src/image/copy.ts'
import { validateImage } from '../../src/image/validate.ts'
import { openStore } from '../../src/store/open-store.ts'
import { openTree } from '../../src/store/trees/open-tree.ts'
import { setXattr } from '../../src/sys/xattr.ts'
import { openSource } from '../../src/transport/index.ts'
import { sampleImage } from '../support/images.ts'
import { treeEntries } from '../support/plain-tree.ts'
import { temporary } from '../support/temporary.ts'

/** As fuse-overlayfs leaves it. */
function written(): string {
  const upper = join(temporary(), 'upper')
  mkdirSync(join(upper, 'etc'), { recursive: true })
  writeFileSync(join(upper, 'etc/.wh.issue'), '')
  writeFileSync(join(upper, 'etc/motd'), 'mine')
  mkdirSync(join(upper, 'data'))
  setXattr(join(upper, 'data'), 'user.fuseoverlayfs.opaque', Buffer.from('y'))
  writeFileSync(join(upper, 'data/new'), 'new')
  return upper
}

test('U-01: what another tool has written over an image is one more layer of it', async () => {
  await using store = await openStore(join(temporary(), 'store'))
  await store.write(await sampleImage(), 'base')
  const upper = written()
  const reference = `upper:${upper}@base`
  const baseOf = async (name: string) => {
    const image = await store.image(name)
    return { image, tree: await store.tree(image) }
  }
  await using source = await openSource(reference, { baseOf })
  const image = await source.image()
  expect(await validateImage(image)).toEqual([])
  expect(image.layers).toHaveLength(4)
  const below = await store.image('base')
  expect(image.layers.slice(0, 3).map(({ diffId }) => diffId)).toEqual(below.layers.map(({ diffId }) => diffId))
  await copy(source, store, { as: 'mine' })

  const mine = await store.tree('mine')
  const shown = await openTree(reference, { store })
  const entries = treeEntries(mine).map(({ mtime: _, ...rest }) => rest)
  expect(entries).toEqual(treeEntries(shown).map(({ mtime: _, ...rest }) => rest))
  const paths = entries.map(({ path }) => path)
  expect(paths).toEqual(['', 'bin', 'bin/app', 'data', 'data/new', 'etc', 'etc/motd', 'home', 'home/user', 'link'])
  mine.close()
  shown.close()
})

test('what it was written over has to be said, and there has to be somebody who has it', async () => {
  await expect(openSource('upper:/tmp')).rejects.toMatchObject({ code: 'PLY_USAGE' })
  await expect(openSource('upper:/tmp@base')).rejects.toMatchObject({ code: 'PLY_USAGE' })
  await expect(openTree('upper:/tmp')).rejects.toMatchObject({ code: 'PLY_USAGE' })
})
