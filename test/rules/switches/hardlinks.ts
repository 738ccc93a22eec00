import type { Switches } from '../switch.ts'

/** Section 5: hardlinks. */
export const hardlinks: Switches = {
  'H-01': {
    file: 'src/layer/hardlinks.ts',
    find: 'const path = cleanName(member.linkName, inner)',
    put: 'const path: ByteString | undefined = member.linkName',
  },
  'H-02': {
    file: 'src/layer/hardlinks.ts',
    find: 'if (inode === undefined) return { path: resolved, inode }',
    put: `if (inode === undefined) return { path: resolved, inode }
    if (builder.kind(inode) === 'symlink') return this.#find(builder.target(inode), entry)`,
  },
  'H-03': {
    file: 'src/layer/hardlinks.ts',
    find: `throw badLayer(member.name, 'H-03', 'a hardlink to a directory')`,
    put: 'return inode',
  },
  'H-04': {
    file: 'src/layer/hardlinks.ts',
    find: 'if (inode === undefined) return this.#late.placeholder(path)',
    put: 'return this.#late.placeholder(path)',
  },
  'H-05': {
    file: 'src/layer/hardlinks.ts',
    find: 'this.#appeared(join(at.path, name), inode, entry)',
    put: '',
  },
  'H-06': {
    file: 'src/stack/stacked-tree.ts',
    find: 'this.#find(side, path)',
    put: 'this.#find(side + 1, path)',
  },
  'H-07': {
    file: 'src/layer/hardlinks.ts',
    find: 'if (!this.#late.isPlaceholder(inode)) this.#compare(member, inode)',
    put: '',
  },
  'H-08': {
    file: 'src/tar/assembler.ts',
    find: `this.payload = type === '0' ? size : 0`,
    put: `this.payload = type === '0' || type === '1' ? size : 0`,
  },
  'H-09': {
    file: 'src/layer/layer-tree.ts',
    find: `const inode = member.type === '1' ?`,
    put: `const there = this.builder.child(at.directory, name)
    if (member.type === '0' && there !== undefined && this.builder.kind(there) === 'file') {
      this.#describe(there, member)
      return
    }
    const inode = member.type === '1' ?`,
  },
  'H-10': {
    file: 'src/stack/stacked-tree.ts',
    find: 'return this.#names.get(ino) ?? stat.links',
    put: 'return stat.links',
  },
  'H-11': {
    file: 'src/union/link-groups.ts',
    find: `    if (!this.#covered) return
    this.#spread.add(ino)
    this.#above = undefined`,
    put: '',
  },
  'H-12': {
    file: 'src/layer/hardlinks.ts',
    find: `if (path.slice(path.lastIndexOf('/') + 1).startsWith(whiteoutPrefix)) {`,
    put: 'if (false) {',
  },
}
