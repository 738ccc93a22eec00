import type { Switches } from '../switch.ts'

/** Section 10: owners, modes, special files. */
export const owners: Switches = {
  'O-01': {
    file: 'src/layer/fresh-inode.ts',
    find: 'const common = { uid, gid,',
    put: 'const common = { uid: uid & 0xffff, gid: gid & 0xffff,',
  },
  'O-02': {
    file: 'src/stack/mapped-tree.ts',
    find: `const { outside = 'refuse' } = this.#shift`,
    put: `const { outside = { uid: 65534, gid: 65534 } } = this.#shift as OwnerShift`,
  },
  'O-03': [
    {
      file: 'src/extract/attribute-writer.ts',
      find: 'const kept = this.#writeOwner(named, shown, stat)',
      put: `const kept = { user: true, group: true }
    const wanted = placeholder ? 0 : stat.mode
    const mode = stat.kind === 'symlink' ? stat.mode : this.#writeMode(named, shown, stat.kind, wanted, kept)
    this.#writeOwner(named, shown, stat)`,
    },
    {
      file: 'src/extract/attribute-writer.ts',
      find: `    const wanted = placeholder ? 0 : stat.mode
    const mode = stat.kind === 'symlink' ? stat.mode : this.#writeMode(named, shown, stat.kind, wanted, kept)
    if (mode !== wanted`,
      put: '    if (mode !== wanted',
    },
  ],
  'O-04': {
    file: 'src/extract/object-writer.ts',
    find: `if (!isRefusal(error, 'EINVAL')) throw error`,
    put: 'throw error',
  },
  'O-05': {
    file: 'src/extract/restored-tree.ts',
    find: 'if (written.placeholder) return untouched ? { ...then, ino, links: now.links } : now',
    put: 'if (written.placeholder) return now',
  },
  'O-06': [
    {
      file: 'src/layer/fresh-inode.ts',
      find: `{ kind: 'symlink', mode: 0o777, target`,
      put: `{ kind: 'symlink', mode, target`,
    },
    {
      file: 'src/erofs/columns.ts',
      find: `(kind === 'symlink' ? 0o777 : fresh.mode & 0o7777)`,
      put: '(fresh.mode & 0o7777)',
    },
  ],
  'O-07': {
    file: 'src/layer/fresh-inode.ts',
    find: `{ kind: 'directory', mode, ...common }`,
    put: `{ kind: 'directory', mode: mode & 0o777, ...common }`,
  },
}
