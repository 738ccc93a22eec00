/**
 * The oracle: a file system as objects, one for each inode, hardlinks being names that share an object. Nothing of the
 * product is used here. Names, paths and targets are byte strings; paths have no leading slash, the root is empty.
 */
export interface Inode {
  readonly kind: 'file' | 'directory' | 'symlink' | 'character' | 'block' | 'fifo' | 'socket'
  mode: number
  uid: number
  gid: number
  /** Nanoseconds. */
  mtime: bigint
  /** Values are never written into. */
  xattrs: Map<string, Buffer>
  /** Never written into: a change is another buffer. */
  content: Buffer
  readonly target: string
  readonly major: number
  readonly minor: number
  /** Of directories. */
  readonly children: Map<string, Inode>
}

export const nothing = Buffer.alloc(0)

export function inode(some: Partial<Inode> = {}): Inode {
  return {
    kind: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtime: 0n,
    xattrs: new Map(),
    content: nothing,
    target: '',
    major: 0,
    minor: 0,
    children: new Map(),
    ...some,
  }
}

/** A directory that no entry describes. */
export function plainDirectory(): Inode {
  return inode({ kind: 'directory', mode: 0o755 })
}

/** A copy that shares nothing that changes. `alter` may answer with other attributes, or `undefined` to leave an inode out. */
export function copied(root: Inode, alter: (inode: Inode) => Partial<Inode> | undefined = () => ({})): Inode {
  const copies = new Map<Inode, Inode | undefined>()
  const copy = (from: Inode): Inode | undefined => {
    if (copies.has(from)) return copies.get(from)
    const changed = alter(from)
    const to: Inode | undefined = changed && {
      ...from,
      xattrs: new Map(from.xattrs),
      ...changed,
      children: new Map(),
    }
    copies.set(from, to)
    if (to) {
      for (const [name, child] of from.children) {
        const made = copy(child)
        if (made) to.children.set(name, made)
      }
    }
    return to
  }
  return copy(root)!
}

export function join(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`
}

/** Directory and name of a path. */
export function split(path: string): [directory: string, name: string] {
  const slash = path.lastIndexOf('/')
  return slash < 0 ? ['', path] : [path.slice(0, slash), path.slice(slash + 1)]
}

/** What stands at a path; symlinks are not followed. */
export function at(root: Inode, path: string): Inode | undefined {
  let found: Inode | undefined = root
  if (path !== '') for (const name of path.split('/')) found = found?.children.get(name)
  return found
}

export interface Named {
  readonly path: string
  readonly inode: Inode
}

/** Every name but the root's, directories before what is in them. */
export function namesIn(root: Inode): Named[] {
  const names: Named[] = []
  const walk = (directory: Inode, prefix: string): void => {
    for (const [name, child] of directory.children) {
      names.push({ path: prefix + name, inode: child })
      if (child.kind === 'directory') walk(child, `${prefix}${name}/`)
    }
  }
  walk(root, '')
  return names
}

export function pathsIn(root: Inode): string[] {
  return namesIn(root).map(({ path }) => path)
}
