import type { ByteString } from '../../src/model/bytes.ts'
import { kindOf } from '../../src/model/entry.ts'
import { bytesText, factsText, type Shown, type Tree, valueText } from './answers.ts'
import { statText } from './kernel-calls.ts'
import { refused, sys } from './syscalls.ts'
import type { Verbs } from './verbs.ts'

/** Everything below a directory of this machine, itself first. */
export function kernelTree(root: ByteString): Tree {
  const tree = new Map<ByteString, Shown>()
  const visit = (name: ByteString, listed: number | undefined): void => {
    const path = name === '' ? root : `${root}/${name}`
    const on = { path, follow: false }
    const stat = sys.stat(on)
    if (stat === undefined) {
      tree.set(name, { text: `listed, but ${refused()}`, ino: 0 })
      return
    }
    const { ino } = stat
    const kind = kindOf(stat.mode)!
    let text = statText(stat)
    if (listed !== undefined && listed !== ino) text += ` listed as ${listed}, is ${ino}`
    const names = sys.listXattrs(on)?.sort() ?? []
    for (const each of names) text += ` ${each}=${valueText(sys.getXattr(on, each) ?? Buffer.alloc(0))}`
    if (kind === 'symlink') text += ` -> ${sys.readlink(path)}`
    else if (kind === 'file') text += ` ${contentText(path)}`
    tree.set(name, { text, ino })
    if (kind !== 'directory') return
    const entries = sys.list(path) ?? []
    entries.sort((a, b) => (a.name < b.name ? -1 : 1))
    for (const entry of entries) visit(name === '' ? entry.name : `${name}/${entry.name}`, entry.ino)
  }
  visit('', undefined)
  return tree
}

function contentText(path: ByteString): string {
  const fd = sys.open(path, 0)
  if (fd < 0) return refused()
  const bytes = sys.pread(fd, 1 << 20, 0)
  const text = bytes === undefined ? refused() : bytesText(bytes)
  sys.close(fd)
  return text
}

/** The same of a union or a model. */
export function verbsTree(verbs: Verbs, directory: ByteString): Tree {
  const tree = new Map<ByteString, Shown>()
  const visit = (name: ByteString, ino: number, kindListed?: string): void => {
    const stat = verbs.stat(ino)
    let text = factsText(stat)
    if (stat.ino !== ino) text += ` listed as ${ino}, is ${stat.ino}`
    if (kindListed !== undefined && kindListed !== stat.kind) text += ` listed as ${kindListed}`
    const xattrs = verbs.xattrs(ino)
    for (const each of [...xattrs.keys()].sort()) text += ` ${each}=${valueText(xattrs.get(each)!)}`
    if (stat.kind === 'symlink') text += ` -> ${verbs.readlink(ino)}`
    else if (stat.kind === 'file') {
      const content = verbs.open(ino)
      const bytes = Buffer.alloc(content.size)
      text += ` ${bytesText(bytes.subarray(0, bytes.length === 0 ? 0 : content.read(bytes, 0)))}`
      content.close()
    }
    tree.set(name, { text, ino })
    if (stat.kind !== 'directory') return
    for (const entry of verbs.list(ino)) {
      visit(name === '' ? entry.name : `${name}/${entry.name}`, entry.ino, entry.kind)
    }
  }
  let at = verbs.root
  for (const name of directory.split('/')) if (name !== '') at = verbs.lookup(at, name)!
  visit('', at)
  return tree
}
