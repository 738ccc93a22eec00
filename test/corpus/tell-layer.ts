import type { IndexedView, Placed } from '../../src/layer/view.ts'
import { type ByteString, compareBytes } from '../../src/model/bytes.ts'
import { allBytes } from '../layer/layer.ts'
import { linesOf, shown } from './lines.ts'

/**
 * All that a layer says, as lines of a table (see `lines.ts`). Looking up, listing and counting are compared with each
 * other on the way.
 */
export function tellLayer(view: IndexedView): string[] {
  const lines: string[] = []
  /** By inode: its first path, and how many names it has. */
  const names = new Map<number, { readonly path: ByteString; count: number }>()
  const descend = (directory: number, parent: ByteString): number => {
    let subdirectories = 0
    let last: ByteString | undefined
    for (const { name, verdict } of view.list(directory)) {
      const path = `${parent}${name}`
      if (last !== undefined && compareBytes(last, name) >= 0) throw new Error(`${path} is listed out of order`)
      last = name
      const again = view.lookup(directory, name)
      if (JSON.stringify(again) !== JSON.stringify(verdict)) throw new Error(`${path} is looked up otherwise`)
      switch (verdict.says) {
        case 'nothing':
          throw new Error(`${path} is listed, and nothing is said of it`)
        case 'whiteout':
          lines.push(`${shown(path)} whiteout`)
          break
        case 'link':
          lines.push(`${shown(path)} = below ${shown(verdict.path)}`)
          break
        case 'ghost':
          subdirectories++
          lines.push(`${shown(path)}/ ghost`)
          descend(verdict.ino, `${path}/`)
          break
        case 'entry':
          if (verdict.directory) {
            subdirectories++
            directoryAt(verdict, `${path}/`)
          } else other(verdict, path)
      }
    }
    const { links } = view.stat(directory)
    if (links !== 2 + subdirectories) throw new Error(`${parent} has ${links} links`)
    return subdirectories
  }
  const directoryAt = ({ ino, implied, opaque }: Placed, path: ByteString) => {
    const stat = view.stat(ino)
    const flags = opaque ? 'opaque ' : ''
    if (!implied) lines.push(...linesOf({ path, ...stat, flags, xattrs: view.xattrs(ino) }))
    else {
      const { mode, uid, gid, mtime } = stat
      if (mode !== 0o755 || uid !== 0 || gid !== 0 || mtime !== 0n || view.xattrs(ino).size > 0)
        throw new Error(`${path} is implied and has attributes`)
      if (path !== '/' || opaque) lines.push(`${shown(path)} ${flags}implied`)
    }
    descend(ino, path === '/' ? '' : path)
  }
  const other = ({ ino, kind }: Placed, path: ByteString) => {
    const first = names.get(ino)
    if (first !== undefined) {
      first.count++
      lines.push(`${shown(path)} = ${shown(first.path)}`)
      return
    }
    names.set(ino, { path, count: 1 })
    const stat = view.stat(ino)
    if (kind !== undefined && kind !== stat.kind) throw new Error(`${path} is listed as ${kind}`)
    const content = stat.kind === 'file' ? allBytes(view.open(ino)) : undefined
    if (content !== undefined && content.length !== stat.size) throw new Error(`${path} is ${stat.size} bytes long`)
    const target = stat.kind === 'symlink' ? view.readlink(ino) : undefined
    if (target !== undefined && target.length !== stat.size) throw new Error(`${path} is ${stat.size} bytes long`)
    lines.push(
      ...linesOf({
        path,
        ...stat,
        xattrs: view.xattrs(ino),
        ...(content && { content }),
        ...(target !== undefined && { target }),
      }),
    )
  }
  directoryAt(view.root, '/')
  for (const [ino, { path, count }] of names) {
    const { links } = view.stat(ino)
    if (links !== count) throw new Error(`${path} has ${links} links and ${count} names`)
  }
  return lines
}
