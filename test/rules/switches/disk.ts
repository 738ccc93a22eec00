import type { Switches } from '../switch.ts'

/** Section 14: writing a tree to disk. */
export const disk: Switches = {
  'D-01': {
    file: 'src/extract/staging.ts',
    find: 'if (exists && readdirSync(place).length > 0)',
    put: 'if (false)',
  },
  'D-02': {
    file: 'src/extract/object-writer.ts',
    find: `if (path !== '') mkdirSync(onDisk(\`\${root}/\${path}\`), 0o700)`,
    put: `if (path !== '') mkdirSync(onDisk(\`\${root}/\${path}\`), 0o500)`,
  },
  'D-03': {
    file: 'src/extract/plan.ts',
    find: 'if (name.length > 255) throw refusal',
    put: 'if (false) throw refusal',
  },
  'D-04': {
    file: 'src/extract/content.ts',
    find: 'offset: extent.offset + start }',
    put: 'offset: start }',
  },
  'D-05': {
    file: 'src/extract/object-writer.ts',
    find: `if (!isRefusal(error, 'EMLINK')) throw error`,
    put: 'throw error',
  },
  'D-06': {
    file: 'src/extract/write-parts.ts',
    find: 'await staging.discard().catch(() => {})',
    put: '',
  },
  'D-07': {
    file: 'src/extract/layer-folder.ts',
    find: 'if (shut && hides) opaque.add(child)',
    put: '',
  },
  'D-08': {
    file: 'src/extract/layer-folder.ts',
    find: 'if (under !== undefined && !closed) whiteouts.push',
    put: 'whiteouts.push',
  },
  'D-09': {
    file: 'src/extract/mark-writer.ts',
    find: `(whiteouts !== 'xattr' || !escapes)`,
    put: 'false',
  },
  'D-10': {
    file: 'src/extract/attribute-writer.ts',
    find: `return isOwn ? marks[overlay.xattr].stored(name, kind) : undefined`,
    put: 'return name',
  },
  'D-11': {
    file: 'src/extract/mark-writer.ts',
    find: 'this.#marks = marks[form.xattr]',
    put: 'this.#marks = marks.user',
  },
  'D-12': {
    file: 'src/extract/layer-folder.ts',
    find: 'stat: (ino) => tree.stat(ino),',
    put: `stat(ino) {
      const stat = tree.stat(ino)
      return stat.kind === 'directory' ? { ...stat, mode: 0o755, uid: 0, gid: 0, mtime: 0n } : stat
    },`,
  },
}
