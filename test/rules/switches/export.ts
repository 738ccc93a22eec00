import type { Switches } from '../switch.ts'

/** Section 16: diff and export. */
export const exporting: Switches = {
  'E-01': {
    file: 'src/diff/aspects.ts',
    find: `if (x.uid !== y.uid || x.gid !== y.gid) aspects.push('owner')`,
    put: '',
  },
  'E-02': {
    file: 'src/diff/content.ts',
    find: 'if (size === 0 || this.#sharePlace(b, a)) return true',
    put: 'return true',
  },
  'E-03': {
    file: 'src/diff/aspects.ts',
    find: `const timed = x.kind !== 'directory' || directoryTimes === true`,
    put: 'const timed = true',
  },
  'E-04': { file: 'src/layer/pack.ts', find: 'order.check(item.path, item.says)', put: '' },
  'E-05': { file: 'src/diff/pack-changes.ts', find: `if (path !== '' || rootChanged) yield`, put: 'yield' },
  'E-06': {
    file: 'src/diff/diff.ts',
    find: 'else if (was) yield deleted(join(path, name), before.stat(was.ino))',
    put: `else if (was) {
        yield deleted(join(path, name), before.stat(was.ino))
        if (was.kind !== 'directory') continue
        for (const { name: inner, ino } of before.list(was.ino)) {
          yield deleted(join(join(path, name), inner), before.stat(ino))
        }
      }`,
  },
  'E-07': { file: 'src/diff/pack-changes.ts', find: 'if (options.opaque && losesAll(', put: 'if (losesAll(' },
  'E-08': { file: 'src/layer/pack.ts', find: 'mode: 0,', put: 'mode: 0o644,' },
  'E-09': {
    file: 'src/diff/entry-items.ts',
    find: 'if (first !== undefined) return { ...item, linkTo: first }',
    put: '',
  },
  'E-10': {
    file: 'src/layer/pack.ts',
    find: `throw unrepresentable(path, 'its name starts with .wh., which marks whiteouts (E-10)')`,
    put: 'void path',
  },
  'E-11': { file: 'src/tar/encode.ts', find: 'if (uid > octal7) records', put: 'if (uid > 0) records' },
  'E-12': {
    file: 'src/layer/pack-output.ts',
    find: 'if (found > got) throw changed(path)',
    put: `if (found > got) {
      this.#used += got
      return undefined
    }`,
  },
  'E-13': {
    file: 'src/tar/encode.ts',
    find: `      seconds: 0,
      device: undefined,`,
    put: `      seconds: Number(process.hrtime.bigint() & 0o77777777n),
      device: undefined,`,
  },
  'E-14': {
    file: 'src/tar/encode.ts',
    find: 'new Uint8Array(2 * blockSize)',
    put: 'new Uint8Array(20 * blockSize)',
  },
  'E-15': {
    file: 'src/diff/pack-changes.ts',
    find: `else if (change.kind === 'delete') remove(root, path, after)`,
    put: `else if (change.kind === 'delete') continue`,
  },
}
