// One image in every way of mounting, in a process of its own; what it finds is one line of JSON.
//
//   node three-ways.js '{ "root": STORE, "at": FOLDER, "ways": ["kernel"], "images": [NAME], "write": NAME, "owners": "kept" }'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { directoryTree } from '../../src/extract/directory-tree.ts'
import { extractTree } from '../../src/extract/extract-tree.ts'
import { restoredTree } from '../../src/extract/restored-tree.ts'
import type { Written } from '../../src/extract/written.ts'
import { displayText } from '../../src/model/bytes.ts'
import { codeOf } from '../../src/model/errors.ts'
import { IdMapping } from '../../src/model/id-mapping.ts'
import { mount } from '../../src/mount/mount.ts'
import type { Via } from '../../src/mount/mounted.ts'
import type { Tree } from '../../src/stack/tree.ts'
import type { UpperForm } from '../../src/store/containers/uppers.ts'
import { openStore } from '../../src/store/open-store.ts'
import type { Store } from '../../src/store/store.ts'
import { openSource } from '../../src/transport/index.ts'

export interface ThreeWays {
  readonly root: string
  /** The form of uppers in it, if it is made now. */
  readonly upperForm?: UpperForm
  /** The reference of an image that is taken into the store first, as `image`. */
  readonly archive?: string
  /** A folder to mount in. */
  readonly at: string
  readonly ways: readonly Via[]
  /** Images that are compared entry by entry. */
  readonly images: readonly string[]
  /** An image of which a container is written through each way. */
  readonly write: string | undefined
  /** What is done there, by bash. */
  readonly edits: string
  /** Whether owners are shown as they are: a user namespace may have hardly any. */
  readonly owners: 'kept' | 'all mine'
  /** Whether what is root's in the image is whoever's this process is, while it is written. */
  readonly rootIsMe?: boolean
}

export interface Found {
  readonly via: Via
  /** By image: how many entries were compared, and the first few that differ. */
  readonly compared: Readonly<Record<string, { readonly entries: number; readonly differing: readonly string[] }>>
  /** After the same writes. */
  readonly written?: { readonly changes: readonly string[]; readonly diffId: string }
}

const asked = JSON.parse(process.argv[2] ?? '{}') as ThreeWays
const found: Found[] = []
/** Content that this user may not read. */
const closed = 'closed'
const isRoot =
  process.geteuid!() === 0 && /^\s*0\s+0\s+4294967295\s*$/.test(readFileSync('/proc/self/uid_map', 'latin1'))
/** What nobody else may ask for. */
const special = isRoot ? { suid: true, devices: true } : {}
const me = { uid: process.geteuid!(), gid: process.getegid!() }
// A copy has no other owners than who makes it.
const shift = asked.rootIsMe && {
  owners: { uids: IdMapping.parse(`0:${me.uid}:1`), gids: IdMapping.parse(`0:${me.gid}:1`), outside: me },
}
{
  await using store = await openStore(asked.root, asked.upperForm && { upperForm: asked.upperForm })
  if (asked.archive !== undefined) {
    await using source = await openSource(asked.archive)
    await store.write(await source.image(), 'image')
  }
  for (const via of asked.ways) {
    const compared: Record<string, { entries: number; differing: string[] }> = {}
    for (const image of asked.images) compared[image] = await compare(store, image, via)
    const written = asked.write === undefined ? undefined : await write(store, asked.write, via)
    found.push({ via, compared, ...(written && { written }) })
  }
}
console.log(JSON.stringify(found))

async function compare(store: Store, image: string, via: Via) {
  const target = folder()
  const expected = await store.tree(image)
  try {
    if (via === 'extract') {
      // What this user, or the disk, may not have is in the record.
      const written: Written[] = []
      await extractTree(expected, target, { xattrs: 'all', reachable: true, onWritten: (one) => written.push(one) })
      const disk = directoryTree(target)
      const result = differences(expected, restoredTree(disk, expected, written))
      execFileSync('chmod', ['-R', 'u+rwX', target])
      rmSync(target, { recursive: true })
      return result
    }
    const mounted = await mount({ store, image }, target, { via, ...special, background: true })
    try {
      return differences(expected, directoryTree(target))
    } finally {
      await mounted.unmount()
    }
  } finally {
    expected.close()
  }
}

async function write(store: Store, image: string, via: Via) {
  const target = folder()
  const name = `work-${via}`
  await (await store.containers.create(name, image)).close()
  const mounted = await mount({ store, container: name }, target, { via, background: true, ...shift })
  try {
    execFileSync('bash', ['-euc', asked.edits], { cwd: target, stdio: ['ignore', 'ignore', 'inherit'] })
  } finally {
    await mounted.unmount()
  }
  await using container = await store.containers.open(name, { readOnly: true })
  const changes: string[] = []
  for await (const change of container.changes())
    changes.push([change.kind, change.path, ...(change.kind === 'modify' ? change.changed : [])].join(' '))
  const committed = await store.commit(container, undefined, { epoch: 1_700_000_000 })
  return { changes, diffId: committed.layers.at(-1)!.diffId }
}

function folder(): string {
  const path = join(asked.at, 'mounted')
  rmSync(path, { recursive: true, force: true })
  mkdirSync(path)
  return path
}

/** Both trees at once, name by name, and every byte of every file. */
function differences(expected: Tree, shown: Tree): { entries: number; differing: string[] } {
  const differing: string[] = []
  let entries = 0
  const groups = new Map<number, number>()
  const waiting: { path: string; a: number; b: number }[] = [{ path: '', a: expected.root, b: shown.root }]
  const say = (path: string, what: string) => {
    if (differing.length < 20) differing.push(`/${displayText(path)}: ${what}`)
  }
  for (let pair = waiting.pop(); pair; pair = waiting.pop()) {
    const { path, a, b } = pair
    entries++
    // What is closed to this user is closed in the mount too.
    if (isClosed(shown, b)) continue
    const [was, is] = [factsOf(expected, a), factsOf(shown, b)]
    for (const [key, value] of Object.entries(was)) if (is[key] !== value) say(path, `${key} ${value} is ${is[key]}`)
    const kind = expected.stat(a).kind
    if (kind !== 'directory') {
      const known = groups.get(a)
      if (known === undefined) groups.set(a, b)
      else if (known !== b) say(path, 'is no hardlink')
    }
    if (kind === 'file' && known(a, b)) {
      const content = contentOf(shown, b)
      if (content !== closed && content !== contentOf(expected, a)) say(path, 'content')
    }
    if (kind !== 'directory') continue
    const names = new Map([...shown.list(b)].map(({ name, ino }) => [name, ino]))
    for (const { name, ino } of expected.list(a)) {
      const other = names.get(name)
      names.delete(name)
      if (other !== undefined) waiting.push({ path: path === '' ? name : `${path}/${name}`, a: ino, b: other })
      else if (expected.stat(ino).kind !== 'socket') say(path, `${displayText(name)} is missing`)
    }
    for (const name of names.keys()) say(path, `${displayText(name)} is too many`)
  }
  return { entries, differing }

  /** Once for each inode. */
  function known(a: number, b: number): boolean {
    return expected.stat(a).links === 1 || groups.get(a) === b
  }
}

function isClosed(tree: Tree, ino: number): boolean {
  try {
    tree.stat(ino)
    return false
  } catch (error) {
    if (codeOf(error) !== 'EACCES') throw error
    return true
  }
}

function factsOf(tree: Tree, ino: number): Record<string, string> {
  const { kind, mode, uid, gid, mtime, size, links, major, minor } = tree.stat(ino)
  return {
    kind,
    mode: mode.toString(8),
    ...(asked.owners === 'kept' && { owner: `${uid}:${gid}` }),
    mtime: timeText(mtime),
    ...(kind === 'file' && { size: String(size) }),
    ...(kind !== 'directory' && { links: String(links), device: `${major}:${minor}` }),
    ...(kind === 'symlink' && { target: tree.readlink(ino) }),
    xattrs: xattrsOf(tree, ino, kind),
  }
}

/** Node rounds seconds beyond 2^53. */
function timeText(time: bigint): string {
  const far = 2n ** 53n * 1_000_000_000n
  return time >= far || time <= -far ? 'beyond 2^53 s' : String(time)
}

/** Those that a file system shows whoever looks: the rest only root sees, and only where its kind may have them. */
function xattrsOf(tree: Tree, ino: number, kind: string): string {
  const shows = (name: string) =>
    name.startsWith('user.') ? kind === 'file' || kind === 'directory' : isRoot && !name.startsWith('user.overlay.')
  return [...tree.xattrs(ino)]
    .filter(([name]) => shows(name))
    .map(([name, value]) => `${name}=${Buffer.from(value).toString('hex')}`)
    .sort()
    .join(' ')
}

function contentOf(tree: Tree, ino: number): string {
  const hash = createHash('sha256')
  try {
    const content = tree.open(ino)
    try {
      const chunk = Buffer.allocUnsafe(1 << 20)
      for (let at = 0; at < content.size; ) {
        const got = content.read(chunk, at)
        if (got === 0) break
        hash.update(chunk.subarray(0, got))
        at += got
      }
    } finally {
      content.close()
    }
  } catch (error) {
    if (codeOf(error) !== 'EACCES') throw error
    return closed
  }
  return hash.digest('hex')
}
