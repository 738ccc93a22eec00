import type { ByteString } from '../../src/model/bytes.ts'
import type { Tree } from '../../src/stack/tree.ts'
import { allBytes } from '../layer/layer.ts'
import { linesOf, shown } from './lines.ts'

/** All that a file system shows, as lines of a table (see `lines.ts`), the root always included. */
export function tellTree(tree: Tree): string[] {
  const lines: string[] = []
  const names = new Map<number, { readonly path: ByteString; count: number }>()
  const tell = (ino: number, path: ByteString) => {
    const stat = tree.stat(ino)
    if (stat.kind === 'directory') {
      const inside = path === '' ? '/' : `${path}/`
      lines.push(...linesOf({ path: inside, ...stat, xattrs: tree.xattrs(ino) }))
      for (const { name, ino: child } of tree.list(ino)) tell(child, path === '' ? name : `${path}/${name}`)
      return
    }
    const first = names.get(ino)
    if (first !== undefined) {
      first.count++
      lines.push(`${shown(path)} = ${shown(first.path)}`)
      return
    }
    names.set(ino, { path, count: 1 })
    const content = stat.kind === 'file' ? { content: allBytes(tree.open(ino)) } : {}
    const target = stat.kind === 'symlink' ? { target: tree.readlink(ino) } : {}
    lines.push(...linesOf({ path, ...stat, xattrs: tree.xattrs(ino), ...content, ...target }))
  }
  tell(tree.root, '')
  for (const [ino, { path, count }] of names) {
    const { links } = tree.stat(ino)
    if (links !== count) throw new Error(`${path} has ${links} links and ${count} names`)
  }
  return lines
}

const withRoot = (lines: string[]) => (lines[0]?.startsWith('/ ') ? lines : ['/ directory 755', ...lines])
const plainDirectories = (line: string) =>
  line.replace(/^(\S*\/) (?:opaque )?implied$/, '$1 directory 755').replace(/^(\S*\/) opaque directory/, '$1 directory')

/** What is left of a layer's table when nothing is below it: no markers, and directories that are simply there. */
export function visibleLines(says: readonly string[]): string[] {
  return withRoot(says.filter((line) => !/ (?:whiteout|ghost)$/.test(line)).map(plainDirectories))
}

/**
 * A layer's table as Linux sees it, who knows of no marker: whiteouts are devices 0:0, ghosts are directories, and names
 * whose file is below are not there.
 */
export function linuxLines(says: readonly string[]): string[] {
  return withRoot(
    says
      .filter((line) => !/^\S+ = below /.test(line))
      .map((line) => line.replace(/ whiteout$/, ' character 0:0 0').replace(/ ghost$/, ' directory 755'))
      .map(plainDirectories),
  )
}
