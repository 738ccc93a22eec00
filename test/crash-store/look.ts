import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { codeOf, openStore, type Store } from '../../src/index.ts'
import type { Tree } from '../../src/stack/tree.ts'
import { type Bytes, memoryBytes } from '../../src/stream/bytes.ts'
import { stateOf } from '../crash/state.ts'

/** What a store shows to somebody who has just opened it. */
export interface Shown {
  /** Names with their manifests, containers with what is in them; `null` where there is no store. */
  readonly content: string | null
  /** What must not be. */
  readonly wrong: readonly string[]
}

/** What caches hold by their names: they have to be the same whoever built them, and when. */
export type CacheBook = Map<string, string>

/**
 * Opens a store and reads everything in it: names, images, every blob, layers and trees by their indexes, containers. What a crash
 * may leave that no promise covers (caches that are missing, temporary files, blobs without a name) is not told. `mayLose`: nor is content of files in containers that answers EIO.
 */
export async function look(root: string, caches: CacheBook, mayLose = false): Promise<Shown> {
  if (!existsSync(root)) return { content: null, wrong: [] }
  const wrong: string[] = []
  const as = mayLose ? withoutLost : (tree: Tree) => tree
  const attempt = async <T>(what: string, does: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await does()
    } catch (error) {
      wrong.push(`${what}: ${(error as Error).stack}`)
      return undefined
    }
  }
  const isMade = existsSync(join(root, 'ply.json'))
  for (const each of filesWrong(root, caches)) wrong.push(each)
  const content: Record<string, unknown> = {}
  await attempt('opening', async () => {
    await using store = await openStore(root)
    const { findings } = await store.fsck({ level: 'caches' })
    for (const { kind, code, file, problem } of findings)
      if (kind === 'damage') wrong.push(`fsck: ${code} ${file}: ${problem}`)
    for (const { name, digest, problem } of await store.images()) {
      if (problem !== undefined) wrong.push(`image ${name}: ${problem}`)
      content[`image ${name}`] = digest
      await attempt(`image ${name}`, () => readImage(store, name))
    }
    for (const { name, image, manifest, snapshots } of await store.containers.list()) {
      for (const snapshot of snapshots) {
        await attempt(`snapshot ${name}@${snapshot.name}`, async () => {
          await using reader = await store.containers.open(`${name}@${snapshot.name}`, { readOnly: true })
          content[`snapshot ${name}@${snapshot.name}`] = told(as(reader.tree))
        })
      }
      await attempt(`container ${name}`, async () => {
        await using reader = await store.containers.open(name, { readOnly: true })
        content[`container ${name}`] = { image, manifest, tree: told(as(reader.tree)) }
        await using writer = await store.containers.open(name)
        const same = JSON.stringify(told(as(writer.tree))) === JSON.stringify(told(as(reader.tree)))
        if (!same) wrong.push(`container ${name} shows something else once it is opened for writing`)
      })
    }
  })
  for (const each of filesWrong(root, caches)) wrong.push(each)
  return { content: isMade ? JSON.stringify(content) : null, wrong }
}

/** Every layer verified from its blob, and the tree. */
async function readImage(store: Store, name: string): Promise<void> {
  for (const layer of (await store.image(name)).layers) {
    for await (const _ of layer.compressed());
  }
  const tree = await store.tree(name)
  try {
    stateOf(tree)
  } finally {
    tree.close()
  }
}

/** A tree in which content that is lost is empty. */
function withoutLost(tree: Tree): Tree {
  const open = (ino: number): Bytes => {
    try {
      return tree.open(ino)
    } catch (error) {
      if (codeOf(error) !== 'EIO') throw error
      return memoryBytes(Buffer.alloc(0))
    }
  }
  const answering = { get: (of: Tree, name: keyof Tree) => (name === 'open' ? open : bound(of, name)) }
  return new Proxy(tree, answering as ProxyHandler<Tree>)
}

function bound(tree: Tree, name: keyof Tree): unknown {
  const value: unknown = tree[name]
  return typeof value === 'function' ? value.bind(tree) : value
}

/** What a container shows, without the times and numbers of what was made in it. */
function told(tree: Tree): unknown {
  return Object.entries(stateOf(tree))
    .map(([path, { kind, mode, owner, size, xattrs, held }]) => [path, kind, mode, owner, size, xattrs, held].join(' '))
    .sort()
}

/** Files that are not what their names say. */
function filesWrong(root: string, caches: CacheBook): string[] {
  const wrong: string[] = []
  const each = (folder: string, check: (name: string, path: string) => void) => {
    try {
      for (const name of readdirSync(join(root, folder))) check(name, join(root, folder, name))
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
    }
  }
  each('blobs/sha256', (name, path) => {
    if (sha256(readFileSync(path)) !== name) wrong.push(`blob ${name} holds something else`)
  })
  for (const folder of ['cache/layers', 'cache/trees']) {
    each(folder, (name, path) => {
      // Digests are appended and never synced: what is torn is left out.
      if (name.endsWith('.sums')) return
      const hash = sha256(readFileSync(path))
      const known = caches.get(name)
      if (known === undefined) caches.set(name, hash)
      else if (known !== hash) wrong.push(`${folder}/${name} (${statSync(path).size} bytes) holds something else`)
    })
  }
  for (const file of ['index.json', 'oci-layout', 'ply.json']) {
    try {
      JSON.parse(readFileSync(join(root, file), 'utf8'))
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') wrong.push(`${file}: ${error}`)
    }
  }
  return wrong
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/**
 * What is left once everything is collected that may be: paths with sizes, those of the upper that has a random number without it.
 * Locks are files that are only ever locked, and some stay.
 */
export async function collected(root: string): Promise<string[]> {
  await using store = await openStore(root)
  const { unreadable } = await store.collect()
  if (unreadable.length > 0) throw new Error(`not readable: ${unreadable.join(', ')}`)
  const found: string[] = []
  const visit = (path: string, shown: string): void => {
    for (const name of readdirSync(path).sort()) {
      const inside = join(path, name)
      const as = `${shown}${shown === 'uppers/' ? '*' : name}`
      const stat = statSync(inside, { throwIfNoEntry: false })
      if (stat?.isDirectory()) {
        // What a container holds is compared by what it shows.
        if (as !== 'locks') visit(inside, `${as}/`)
      } else if (!as.startsWith('uppers/*/')) found.push(as)
    }
  }
  visit(root, '')
  return found.sort()
}
