import { createHash } from 'node:crypto'
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { type ByteString, bytesOf } from '../../src/model/bytes.ts'
import type { Stat, Xattrs } from '../../src/model/entry.ts'
import { statOf } from '../../src/overlay/real-stat.ts'
import type { Tree } from '../../src/stack/tree.ts'
import { exactStat } from '../../src/sys/exact-stat.ts'
import { readXattrs } from '../../src/sys/xattr.ts'

/** Everything that can be asked of one path, as text: it travels between processes. */
export interface Facts {
  readonly kind: string
  readonly mode: string
  readonly owner: string
  readonly mtime: string
  readonly size: number
  readonly device: string
  readonly links: number
  readonly ino: number
  readonly xattrs: string
  /** SHA-256 of a file's content; a symlink's target. */
  readonly held: string
}

/** A tree by path, `''` the root. */
export type State = Readonly<Record<ByteString, Facts>>

export function stateOf(tree: Tree): State {
  const state: Record<ByteString, Facts> = {}
  const visit = (path: ByteString, ino: number): void => {
    const stat = tree.stat(ino)
    const held = stat.kind === 'file' ? hashOf(contentOf(tree, ino)) : stat.kind === 'symlink' ? tree.readlink(ino) : ''
    state[path] = factsOf(stat, tree.xattrs(ino), held)
    if (stat.kind === 'directory') for (const entry of tree.list(ino)) visit(`${path}/${entry.name}`, entry.ino)
  }
  visit('', tree.root)
  return state
}

/** The kind of a name that is listed, and nothing is there: the kernel shows whiteouts so where a directory is not merged. */
export const absent = 'listed, but not there'

const nowhere: Facts = {
  kind: absent,
  mode: '',
  owner: '',
  mtime: '',
  size: 0,
  device: '',
  links: 0,
  ino: 0,
  xattrs: '',
  held: '',
}

/** The same of what stands in a real directory. */
export function stateOfDirectory(root: ByteString): State {
  const state: Record<ByteString, Facts> = {}
  const visit = (path: ByteString): void => {
    const at = bytesOf(root + path)
    if (!lstatSync(at, { throwIfNoEntry: false })) {
      state[path] = { ...nowhere }
      return
    }
    const real = exactStat(root + path)
    const stat = statOf(real.ino, real, false)
    const held =
      stat.kind === 'file' ? hashOf(readFileSync(at)) : stat.kind === 'symlink' ? readlinkSync(at, 'latin1') : ''
    state[path] = factsOf(stat, readXattrs(root + path), held)
    if (stat.kind === 'directory') for (const name of readdirSync(at, 'latin1')) visit(`${path}/${name}`)
  }
  visit('')
  return state
}

function factsOf(stat: Stat, xattrs: Xattrs, held: string): Facts {
  const { kind, mode, uid, gid, mtime, size, links, ino, major, minor } = stat
  return {
    kind,
    mode: mode.toString(8),
    owner: `${uid}:${gid}`,
    mtime: String(mtime),
    size,
    device: `${major}:${minor}`,
    links,
    ino,
    xattrs: [...xattrs]
      .map(([name, value]) => `${name}=${Buffer.from(value).toString('hex')}`)
      .sort()
      .join(' '),
    held,
  }
}

function contentOf(tree: Tree, ino: number): Buffer {
  const content = tree.open(ino)
  try {
    const bytes = Buffer.alloc(content.size)
    content.read(bytes, 0)
    return bytes
  } finally {
    content.close()
  }
}

const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** One fact in which two states differ. */
export interface Difference {
  readonly path: ByteString
  readonly fact: keyof Facts | 'name'
  readonly is: unknown
  readonly should: unknown
}

export function differences(found: State, wanted: State): Difference[] {
  const all: Difference[] = []
  for (const path of new Set([...Object.keys(found), ...Object.keys(wanted)])) {
    const [is, should] = [found[path], wanted[path]]
    if (!is || !should) all.push({ path, fact: 'name', is: is?.kind ?? 'nothing', should: should?.kind ?? 'nothing' })
    else {
      for (const fact of Object.keys(should) as (keyof Facts)[]) {
        if (is[fact] !== should[fact]) all.push({ path, fact, is: is[fact], should: should[fact] })
      }
    }
  }
  return all
}

export const told = ({ path, fact, is, should }: Difference): string =>
  `${JSON.stringify(path)}: ${fact} is ${String(is)}, not ${String(should)}`
