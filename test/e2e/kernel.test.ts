import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { copy, openSource, openStore } from 'plyfs'
import { describe, expect } from 'vitest'
import { type Device, Index } from '../../src/erofs/index.ts'
import { layerView, spillBytes } from '../../src/layer/index.ts'
import { hexOf } from '../../src/model/digest.ts'
import { foldedTree } from '../../src/stack/index.ts'
import { fileBytes } from '../../src/sys/file-bytes.ts'
import { mount, mountFlags, umount, unmountFlags } from '../../src/sys/mount.ts'
import { nodeDisk } from '../../src/sys/node-disk.ts'
import { image, realTest } from './tools.ts'
import { type Contents, compareWithKernel } from './witness.ts'
import { workspace } from './workspace.ts'

describe('the kernel', () => {
  realTest('mounts the index of every layer and the merged tree, and shows the same entries', async () => {
    await using work = workspace()
    const caches = join(work.path, 'store', 'cache')
    await using store = await openStore(join(work.path, 'store'))
    await copy(await openSource(`oci:${join(image(), 'oci')}:latest`), store, { as: 'real' })
    const { layers } = await store.image('real')
    // The folded tree is made for a container.
    const container = await store.containers.create('fold', 'real')
    await container.close()

    const open = (path: string) => fileBytes(nodeDisk(), path)
    const indexOf = (hex: string) => Index.open(open(join(caches, 'layers', `${hex}.erofs`)))
    const tarOf = (hex: string): string => {
      const cached = join(caches, 'layers', `${hex}.tar`)
      return existsSync(cached) ? cached : join(work.path, 'store', 'blobs', 'sha256', hex)
    }
    const fileOf = ({ diffId, spill }: Device): string => {
      const hex = hexOf(diffId)
      if (!spill) return tarOf(hex)
      const path = join(work.path, `${hex}.spill`)
      if (!existsSync(path)) {
        const content = spillBytes(indexOf(hex), () => open(tarOf(hex)))!
        const whole = Buffer.alloc(content.size)
        content.read(whole, 0)
        content.close()
        writeFileSync(path, whole)
      }
      return path
    }
    const mounts = join(work.path, 'm')
    const found = { entries: 0, differences: [] as string[] }
    const witness = (path: string, contents: (index: Index) => Contents) => {
      const index = Index.open(open(path))
      const told = contents(index)
      const unmount = mounted(mounts, path, index.devices.map(fileOf))
      try {
        const { entries, differences } = compareWithKernel(index, told, join(mounts, 'at'))
        found.entries += entries
        found.differences.push(...differences.map((difference) => `${basename(path)}: ${difference}`))
      } finally {
        unmount()
        told.close()
      }
    }
    for (const { diffId } of layers) {
      const tar = tarOf(hexOf(diffId))
      witness(join(caches, 'layers', `${hexOf(diffId)}.erofs`), (index) => layerView(index, () => open(tar)))
    }
    for (const name of readdirSync(join(caches, 'trees')).filter((name) => name.endsWith('.erofs'))) {
      witness(join(caches, 'trees', name), (index) => foldedTree(index, (device) => open(fileOf(device))))
    }
    const what = `${basename(image())}: ${layers.length === 1 ? 'the layer' : `${layers.length} layers`} and the merged tree`
    console.log(`kernel: ${found.entries} entries compared, ${found.differences.length} differences (${what})`)
    expect(found.differences.slice(0, 20)).toEqual([])
  })
})

/**
 * Mounts an index at `at` in a directory, answers how to take it away. The kernel reads one page of options, and an image
 * may have hundreds of tars: so they get short names, from the directory that this process is in meanwhile.
 */
function mounted(directory: string, index: string, tars: readonly string[]): () => void {
  const target = join(directory, 'at')
  mkdirSync(target, { recursive: true })
  tars.forEach((tar, number) => void symlinkSync(tar, join(directory, number.toString(36))))
  const devices = tars.map((_, number) => `device=${number.toString(36)}`).join(',')
  const from = process.cwd()
  process.chdir(directory)
  try {
    mount(index, target, 'erofs', mountFlags.readOnly, devices)
  } finally {
    process.chdir(from)
  }
  return () => {
    umount(target, unmountFlags.detach)
    rmSync(directory, { recursive: true })
  }
}
