import type { Stat } from '../../src/model/entry.ts'
import { noXattrs } from '../../src/model/entry.ts'
import { PlyError } from '../../src/model/errors.ts'
import type { Tree, TreeEntry } from '../../src/stack/tree.ts'

/** A tree of very many small files in 50 times 20 directories, which are nowhere: they are counted, not kept. */
export function manyFiles(count: number): Tree {
  const [tops, subs] = [50, 20]
  const directories = tops * subs
  const subDirectory = 1 + tops
  const firstFile = subDirectory + directories
  const stat = (ino: number): Stat => ({
    ino,
    kind: ino < firstFile ? 'directory' : 'file',
    mode: ino < firstFile ? 0o755 : 0o644,
    uid: 0,
    gid: 0,
    mtime: 1_700_000_000_000_000_000n,
    size: ino < firstFile ? 0 : (ino * 7919) % 4096,
    links: 1,
    major: 0,
    minor: 0,
  })
  const absent = (): never => {
    throw new PlyError('EINVAL', { syscall: 'read' })
  }
  return {
    root: 0,
    lookup: () => undefined,
    *list(directory: number): Generator<TreeEntry> {
      const named = (name: string, ino: number): TreeEntry => ({
        name,
        ino,
        kind: ino < firstFile ? 'directory' : 'file',
      })
      if (directory === 0) for (let at = 0; at < tops; at++) yield named(`d${String(at).padStart(2, '0')}`, 1 + at)
      else if (directory < subDirectory)
        for (let at = 0; at < subs; at++)
          yield named(`s${String(at).padStart(2, '0')}`, subDirectory + (directory - 1) * subs + at)
      else
        for (let at = directory - subDirectory; at < count; at += directories)
          yield named(`file-${String(at).padStart(6, '0')}.dat`, firstFile + at)
    },
    parent: () => 0,
    stat,
    readlink: absent,
    xattrs: () => noXattrs,
    open: absent,
    close() {},
  }
}
