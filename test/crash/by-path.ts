import type { ByteString } from '../../src/model/bytes.ts'
import type { Kind } from '../../src/model/entry.ts'
import { PlyError } from '../../src/model/errors.ts'
import type { RestackableUnion } from '../../src/union/union.ts'
import type { AttributeChange, Creation } from '../../src/union/upper.ts'

const attributes = { mode: 0o640, uid: 7, gid: 8, mtime: 1_500_000_000_000_000_001n }

/** The verbs of a union by path (no leading slash; symlinks are not followed). */
export type ByPath = ReturnType<typeof byPath>

export function byPath(view: RestackableUnion) {
  const find = (path: ByteString): number => {
    let ino: number | undefined = view.root
    for (const name of path.split('/')) {
      if (name !== '') ino = view.lookup(ino, name)
      if (ino === undefined) throw new PlyError('ENOENT', { path })
    }
    return ino
  }
  const place = (path: ByteString): [directory: number, name: ByteString] => {
    const slash = path.lastIndexOf('/')
    return [find(path.slice(0, Math.max(0, slash))), path.slice(slash + 1)]
  }
  return {
    view,
    find,
    create: (path: ByteString, kind: Kind, rest: Partial<Creation> = {}) =>
      view.create(...place(path), { kind, ...attributes, ...rest }),
    /** Writes into a file that is there. */
    write(path: ByteString, bytes: Uint8Array | string, position = 0): void {
      const writer = view.writer(find(path))
      try {
        writer.write(typeof bytes === 'string' ? Buffer.from(bytes) : bytes, position)
      } finally {
        writer.close()
      }
    },
    /** Opens for writing and closes again: a copy-up, and nothing else. */
    touch: (path: ByteString): void => view.writer(find(path)).close(),
    /** Gives a file of which some blocks are here all its content. */
    materialize: (path: ByteString): void => {
      for (const ino of [...view.inBlocks()]) if (ino === find(path)) view.materialize(ino)
    },
    /** As `open` with O_TRUNC. */
    empty: (path: ByteString): void => view.writer(find(path), { truncate: true }).close(),
    truncate(path: ByteString, size: number): void {
      const writer = view.writer(find(path))
      try {
        writer.truncate(size)
      } finally {
        writer.close()
      }
    },
    link: (path: ByteString, to: ByteString): void => view.link(...place(to), find(path)),
    rename: (path: ByteString, to: ByteString): void => view.rename(...place(path), ...place(to)),
    renameOntoNothing: (path: ByteString, to: ByteString): void =>
      view.rename(...place(path), ...place(to), { noReplace: true }),
    exchange: (path: ByteString, to: ByteString): void => view.rename(...place(path), ...place(to), { exchange: true }),
    /** A file without a name (O_TMPFILE) that gets some content, and a name if one is given. */
    unnamed(directory: ByteString, name?: ByteString): void {
      const { ino, content } = view.unnamed(find(directory), { kind: 'file', ...attributes })
      try {
        content.write(Buffer.from('made without a name'), 0)
        if (name !== undefined) view.link(find(directory), name, ino)
      } finally {
        content.close()
      }
    },
    unlink: (path: ByteString): void => view.unlink(...place(path)),
    rmdir: (path: ByteString): void => view.rmdir(...place(path)),
    set: (path: ByteString, change: AttributeChange): void => view.setAttributes(find(path), change),
    xattr: (path: ByteString, name: ByteString, value: string | undefined): void =>
      view.setXattr(find(path), name, value === undefined ? undefined : Buffer.from(value)),
  }
}
