import type { Switches } from '../switch.ts'

/** Section 6: replacement. */
export const replacement: Switches = {
  'R-01': {
    file: 'src/layer/layer-tree.ts',
    find: 'this.builder.setInode(inode, this.#fresh(member, opaque))',
    put: `const fresh = this.#fresh(member, opaque)
    this.builder.setInode(inode, { ...fresh, xattrs: new Map([...this.builder.xattrs(inode), ...fresh.xattrs]) })`,
  },
  'R-02': {
    file: 'src/layer/placement.ts',
    find: 'if (existing !== undefined) this.#replaced(directory, name, existing, entry)',
    put: `if (existing !== undefined && this.builder.kind(existing) === 'directory') return
    if (existing !== undefined) this.#replaced(directory, name, existing, entry)`,
  },
  'R-03': {
    file: 'src/layer/placement.ts',
    find: 'if (opaque) this.#replaced(directory, name, existing, entry)',
    put: `if (opaque) this.#replaced(directory, name, existing, entry)
    if (opaque && !this.builder.facts(existing).whiteout) {
      this.builder.enter(directory, name, make(false))
      return
    }`,
  },
  'R-04': {
    file: 'src/layer/layer-tree.ts',
    find: `if (member.type === '5') {`,
    put: `const there = this.builder.child(at.directory, name)
    if (there !== undefined && this.builder.kind(there) === 'symlink') name = this.builder.target(there)
    if (member.type === '5') {`,
  },
  'R-05': {
    file: 'src/union/memory-upper.ts',
    find: 'const node = this.#add(this.#next++, creation)',
    put: `let number = firstNewInode
    while (this.nodes.has(number)) number++
    const node = this.#add(number, creation)`,
  },
}
