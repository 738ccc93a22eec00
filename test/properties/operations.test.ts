import { linkSync, lstatSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { diff, packChanges } from '../../src/diff/index.ts'
import { append, scratch } from '../../src/image/append.ts'
import type { Image, Layer } from '../../src/image/image.ts'
import { layerFromBlob } from '../../src/image/image-from-blobs.ts'
import { packLayer } from '../../src/layer/index.ts'
import { digestOf } from '../../src/model/digest.ts'
import { mediaTypes } from '../../src/model/documents.ts'
import { codeOf } from '../../src/model/errors.ts'
import { openStore } from '../../src/store/open-store.ts'
import type { Store } from '../../src/store/store.ts'
import { memoryBytes, streamOf } from '../../src/stream/bytes.ts'
import { filesLayer } from '../../src/transport/index.ts'
import { bytesIn } from '../support/collect.ts'
import { temporary } from '../support/temporary.ts'
import { archive } from '../tar/raw.ts'
import { applyTar, NotJudged, Refused } from './apply-tar.ts'
import { differences } from './differences.ts'
import { ableModel, drawEdits } from './draw.ts'
import { perform } from './edits.ts'
import { at, copied, type Inode, inode, namesIn, pathsIn, plainDirectory, split } from './inode.ts'
import { oracleTree } from './oracle-tree.ts'
import { readTar } from './read-tar.ts'
import { Dice, holds, toss, tosses } from './seed.ts'
import { somePart } from './some-layer.ts'

const minutes = 60_000

function layerOf(tar: Buffer): Layer {
  const digest = digestOf(tar)
  const descriptor = { mediaType: mediaTypes.ociLayer, digest, size: tar.length }
  return layerFromBlob(descriptor, digest, () => streamOf(memoryBytes(tar)))
}

/** A stack of archives that the oracle has an opinion of, with what it makes of each prefix: the first is nothing. */
interface Stack {
  readonly tars: readonly Buffer[]
  readonly views: readonly Inode[]
}

/** Edits of a tree, as the product exports them, or whatever says something at a few names. */
async function someTar(batch: readonly number[], below: Inode, dice: Dice): Promise<Buffer> {
  if (dice.once(2)) return archive(...batch.map((one) => somePart(new Dice(one)).bytes))
  const model = copied(below)
  const before = oracleTree(below)
  const was = pathsIn(model)
  for (const one of batch)
    for (const edit of drawEdits(new Dice(one), model, was, { ...ableModel, anything: false })) perform(model, edit, 5n)
  const after = oracleTree(model)
  return bytesIn(packLayer(packChanges(diff(before, after), { before, after }), { nanoseconds: true }))
}

async function someStack(batches: readonly (readonly number[])[], dice: Dice, onto?: Stack): Promise<Stack> {
  const tars = [...(onto?.tars ?? [])]
  const views = [...(onto?.views ?? [plainDirectory()])]
  for (const batch of batches) {
    const tar = await someTar(batch, views.at(-1)!, dice)
    const view = opinion(views.at(-1)!, tar)
    if (view === undefined) continue
    tars.push(tar)
    views.push(view)
  }
  return { tars, views }
}

function opinion(below: Inode, tar: Buffer): Inode | undefined {
  try {
    return applyTar(below, tar)
  } catch (error) {
    if (error instanceof Refused || error instanceof NotJudged) return undefined
    throw error
  }
}

/** The image in a store; `undefined` if that refuses it. */
async function imageIn(store: Store, { tars }: Stack, name: string): Promise<Image | undefined> {
  const image = tars.reduce<Image>(
    (made, tar, number) =>
      append(made, layerOf(tar), { created: '2024-01-01T00:00:00Z', created_by: `step ${number}` }),
    scratch,
  )
  try {
    await store.write(image, name)
    return store.image(name)
  } catch (error) {
    if (/^PLY_BAD_LAYER|^PLY_UNREP/.test(codeOf(error) ?? '')) return undefined
    throw error
  }
}

/** What a plain reading of an image's archives, one over the other, comes to. */
async function plainly({ layers }: Image): Promise<Inode> {
  let view = plainDirectory()
  for (const layer of layers) view = applyTar(view, await bytesIn(layer.uncompressed()))
  return view
}

function expectEqual(actual: Inode, expected: Inode): void {
  const found = differences(oracleTree(actual), expected)
  if (found.length > 0) expect(found).toEqual([])
}

const diffIds = ({ layers }: Image) => layers.map(({ diffId }) => diffId)
const cases = fc.tuple(toss, tosses({ min: 1, max: 5 }, 8))

test(
  'A-02, A-03: squashed, flattened and rebased images show what a plain reading of their archives shows, and base layers keep their digests',
  async () => {
    let done = 0
    await holds('squash, flatten, rebase', 30, cases, async ([how, batches]) => {
      const dice = new Dice(how)
      const stack = await someStack(batches, dice)
      if (stack.tars.length === 0) return
      await using store = await openStore(':memory:')
      const image = await imageIn(store, stack, 'image')
      if (image === undefined) return
      done++
      const view = stack.views.at(-1)!
      const from = dice.below(image.layers.length)
      const to = from + dice.below(image.layers.length - from)
      const squashed = await store.squash(image, { from, to, nanoseconds: true })
      expectEqual(await plainly(squashed), view)
      expect(diffIds(squashed).toSpliced(from, 1)).toEqual(diffIds(image).toSpliced(from, to - from + 1))
      const flat = await store.flatten(image, { nanoseconds: true })
      expect(flat.layers).toHaveLength(1)
      expectEqual(await plainly(flat), view)

      const base = dice.below(image.layers.length)
      const other = await someStack(dice.shuffled(batches).slice(0, 2), dice)
      const moved = stack.tars.slice(base)
      let expected: Inode | undefined = other.views.at(-1)!
      for (const tar of moved) expected = expected && opinion(expected, tar)
      const newBase = await imageIn(store, other, 'other')
      if (newBase === undefined || expected === undefined) return
      const oldBase = await imageIn(store, { ...stack, tars: stack.tars.slice(0, base) }, 'old')
      const rebased = await store.rebase(image, { oldBase: oldBase!, newBase })
      expect(diffIds(rebased)).toEqual([...diffIds(newBase), ...diffIds(image).slice(base)])
      expectEqual(await plainly(rebased), expected)
      const tree = await store.tree(rebased)
      expect(differences(tree, expected)).toEqual([])
      tree.close()
    })
    console.log(`of these ${done} were images that something could be done to`)
    expect(done).toBeGreaterThan(0)
  },
  5 * minutes,
)

function without(root: Inode, paths: readonly string[]): Inode {
  const view = copied(root)
  for (const path of paths) {
    const [directory, name] = split(path)
    const parent = at(view, directory)
    if (parent?.kind === 'directory') parent.children.delete(name)
  }
  return view
}

/** All that the archives of a stack speak of, as the product has it in its indexes and as it is written. */
function spokenOf({ tars, views }: Stack): string[] {
  const written = tars.flatMap((tar) => readTar(tar).map(({ name }) => name.replaceAll(/\/+|\/\.(?=\/)/g, '/')))
  const clean = written.map((name) => name.replace(/^[./]+/, '').replace(/\/$/, ''))
  const shown = views.flatMap((view) => namesIn(view).map(({ path }) => path))
  return [...new Set([...clean, ...shown])].filter((path) => path !== '' && !/\.wh\.|(?:^|\/)\.\.?(?:\/|$)/.test(path))
}

test(
  'H-06, W-07: an image without some paths shows the same but for them, layer by layer, and no archive speaks of them',
  async () => {
    let done = 0
    await holds('strip', 60, cases, async ([how, batches]) => {
      const dice = new Dice(how)
      const stack = await someStack(batches, dice)
      const known = spokenOf(stack)
      if (known.length === 0) return
      await using store = await openStore(':memory:')
      const image = await imageIn(store, stack, 'image')
      if (image === undefined) return
      const paths = Array.from({ length: 1 + dice.below(2) }, () => dice.pick(known))
      const texts = paths.map((path) => Buffer.from(path, 'latin1'))
      if (texts.some((bytes) => !Buffer.from(bytes.toString('utf8')).equals(bytes))) return
      let stripped: Image
      try {
        stripped = await store.strip(image, { paths: texts.map((bytes) => `/${bytes.toString('utf8')}`) })
      } catch (error) {
        // What is written behind a symlink of its own layer is known by where it lands.
        if (codeOf(error) === 'ENOENT') return
        throw error
      }
      done++
      let view = plainDirectory()
      for (const [number, layer] of stripped.layers.entries()) {
        const tar = await bytesIn(layer.uncompressed())
        view = applyTar(view, tar)
        expectEqual(view, without(stack.views[number + 1]!, paths))
        for (const { name } of readTar(tar)) {
          const clean = name
            .replace(/^\.?\/+/, '')
            .replace(/\/$/, '')
            .replace(/(^|\/)\.wh\.(?!\.wh\.)/, '$1')
          for (const path of paths)
            expect(clean === path || clean.startsWith(`${path}/`), `${clean} of ${path}`).toBe(false)
        }
        const mentions = readTar(stack.tars[number]!).some(({ name, linkName }) =>
          [name, linkName].some((one) => paths.some((path) => one.includes(path.split('/').at(-1)!))),
        )
        if (!mentions) expect(layer.diffId).toBe(image.layers[number]!.diffId)
      }
    })
    console.log(`of these ${done} were images that something could be done to`)
    expect(done).toBeGreaterThan(0)
  },
  5 * minutes,
)

test(
  'M-08: with a source epoch later times are lowered to it, earlier ones stay, and a second time changes nothing',
  async () => {
    await holds('lower times', 40, cases, async ([how, batches]) => {
      const dice = new Dice(how)
      const stack = await someStack(batches, dice)
      if (stack.tars.length === 0) return
      await using store = await openStore(':memory:')
      const image = await imageIn(store, stack, 'image')
      if (image === undefined) return
      const sourceEpoch = dice.pick([0, 1000, 1_600_000_000, 2 ** 31])
      const latest = BigInt(sourceEpoch) * 1_000_000_000n
      const lowered = await store.lowerTimes(image, { sourceEpoch })
      const expected = copied(stack.views.at(-1)!, ({ mtime }) => (mtime > latest ? { mtime: latest } : {}))
      expectEqual(await plainly(lowered), expected)
      for (const layer of lowered.layers)
        for (const { mtime } of readTar(await bytesIn(layer.uncompressed()))) expect(mtime <= latest).toBe(true)
      expect((await store.lowerTimes(lowered, { sourceEpoch })).digest).toBe(lowered.digest)
      const from = dice.below(image.layers.length)
      const above = await store.lowerTimes(image, { sourceEpoch, from })
      expect(diffIds(above).slice(0, from)).toEqual(diffIds(image).slice(0, from))
      expect(diffIds(above).slice(from)).toEqual(diffIds(lowered).slice(from))
    })
  },
  5 * minutes,
)

/** A few files, symlinks and hardlinks in a directory of the disk, and the same as objects. */
function someFiles(dice: Dice, directory: string): Inode {
  const root = plainDirectory()
  const directories = [{ path: directory, inode: root }]
  const files: { readonly path: string; readonly inode: Inode }[] = []
  for (let left = dice.below(8); left > 0; left--) {
    const parent = dice.pick(directories)
    const name = dice.pick(['a', 'b', 'c d', 'é', 'z'])
    const bytes = Buffer.from(name).toString('latin1')
    const path = join(parent.path, name)
    if (parent.inode.children.has(bytes)) continue
    const made = (some: Partial<Inode>) => {
      const { mtimeNs, uid, gid, mode } = lstatSync(path, { bigint: true })
      const seconds = (mtimeNs / 1_000_000_000n) * 1_000_000_000n
      const bits = Number(mode) & 0o7777
      const own = inode({ uid: Number(uid), gid: Number(gid), mode: bits, mtime: seconds, ...some })
      parent.inode.children.set(bytes, own)
      return own
    }
    switch (dice.below(4)) {
      case 0:
        mkdirSync(path, { mode: 0o750 })
        directories.push({ path, inode: made({ kind: 'directory' }) })
        break
      case 1:
        symlinkSync('a/../b', path)
        made({ kind: 'symlink', mode: 0o777, target: 'a/../b' })
        break
      case 2: {
        if (files.length === 0) break
        const target = dice.pick(files)
        linkSync(target.path, path)
        parent.inode.children.set(bytes, target.inode)
        break
      }
      default: {
        const content = `${path} ${dice.below(100)}`
        writeFileSync(path, content, { mode: dice.pick([0o600, 0o755]) })
        files.push({ path, inode: made({ content: Buffer.from(content) }) })
      }
    }
  }
  // Directories got their last time when something was put into them.
  for (const { path, inode: own } of directories.slice(1))
    own.mtime = (lstatSync(path, { bigint: true }).mtimeNs / 1_000_000_000n) * 1_000_000_000n
  return root
}

/** The directory at a path, made as nobody describes it where there is none: what is no directory goes. */
function made(root: Inode, path: string): Inode {
  let directory = root
  for (const name of path.split('/')) {
    const child = directory.children.get(name)
    const next = child?.kind === 'directory' ? child : plainDirectory()
    directory.children.set(name, next)
    directory = next
  }
  return directory
}

test('M-06, N-13: files of the disk on top of any image show as if they had been copied there', async () => {
  await holds('append', 60, cases, async ([how, batches]) => {
    const dice = new Dice(how)
    const stack = await someStack(batches, dice)
    await using store = await openStore(':memory:')
    const image = await imageIn(store, stack, 'image')
    if (image === undefined) return
    const directory = temporary()
    const files = someFiles(dice, directory)
    const view = copied(stack.views.at(-1)!)
    const to = dice.pick(['a', 'new', 'a/b', 'new/er', 'c/d-/x'])
    const isThrough = (path: string) =>
      path.split('/').some((_, number, all) => {
        const stands = at(view, all.slice(0, number + 1).join('/'))
        return stands !== undefined && stands.kind !== 'directory'
      })
    // Symlinks of the image are followed: another test has that.
    if (isThrough(to)) return
    const target = made(view, to)
    const merge = (into: Inode, from: Inode): void => {
      for (const [name, child] of from.children) {
        const stands = into.children.get(name)
        if (child.kind !== 'directory' || stands?.kind !== 'directory') into.children.set(name, child)
        else {
          const { mode, uid, gid, mtime, xattrs } = child
          Object.assign(stands, { mode, uid, gid, mtime, xattrs })
          merge(stands, child)
        }
      }
    }
    // An empty directory has nothing but itself to say.
    if (files.children.size === 0) return
    merge(target, files)
    const tree = await store.tree(image)
    const layer = await filesLayer([{ from: directory, to: `/${to}` }], { below: tree })
    tree.close()
    const appended = append(image, layer, {})
    await store.write(appended, 'appended')
    expect(diffIds(appended).slice(0, -1)).toEqual(diffIds(image))
    expectEqual(await plainly(appended), view)
  })
})
