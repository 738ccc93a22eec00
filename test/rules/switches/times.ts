import type { Switches } from '../switch.ts'

/** Section 9: times. */
export const times: Switches = {
  'M-01': {
    file: 'src/tar/numbers.ts',
    find: `BigInt(fraction.slice(0, 9).padEnd(9, '0'))`,
    put: `BigInt(Math.round(Number(\`0.\${fraction}\`) * 1e9))`,
  },
  'M-02': {
    file: 'src/extract/attribute-writer.ts',
    find: `if (mtime !== stat.mtime) this.#compromises.note('time', shown)`,
    put: '',
  },
  'M-03': {
    file: 'src/tar/pax.ts',
    find: `case 'ctime':`,
    put: `case 'ctime':
      found.schilyXattrs = withXattr(found.schilyXattrs, \`user.\${key}\`, bytes, start, end)`,
  },
  'M-04': {
    file: 'src/extract/attribute-writer.ts',
    find: 'atime: stat.mtime,',
    put: 'atime: BigInt(Date.now()) * 1_000_000n,',
  },
  'M-05': [
    {
      file: 'src/extract/object-writer.ts',
      find: `if (path !== '') mkdirSync(onDisk(\`\${root}/\${path}\`), 0o700)`,
      put: `if (path !== '') {
        mkdirSync(onDisk(\`\${root}/\${path}\`), 0o700)
        this.#writeAttributes(\`\${root}/\${path}\`, plan.directories.find((one) => one.path === path)!)
      }`,
    },
    {
      file: 'src/extract/object-writer.ts',
      find: `this.#writeAttributes(directory.path === '' ? root : \`\${root}/\${directory.path}\`, directory)`,
      put: '',
    },
  ],
  'M-06': {
    file: 'src/layer/placement.ts',
    find: `{ kind: 'directory', ...defaultDirectory, facts }`,
    put: `{ kind: 'directory', ...defaultDirectory, mtime: BigInt(Date.now()) * 1_000_000n, facts }`,
  },
  'M-07': {
    file: 'src/layer/pack.ts',
    find: 'return time - (rest < 0n ? rest + 1_000_000_000n : rest)',
    put: 'return time - rest',
  },
  'M-08': {
    file: 'src/layer/pack.ts',
    find: 'latest !== undefined && mtime > latest ? latest : mtime',
    put: 'latest ?? mtime',
  },
}
