import type { ByteString } from '../../src/model/bytes.ts'
import { PlyError } from '../../src/model/errors.ts'
import type { Bytes } from '../../src/stream/bytes.ts'
import { resolveName, resolvePath } from '../../src/union/resolve.ts'
import type { WritableBytes } from '../../src/union/upper.ts'
import type { OpenFlag } from './operations.ts'
import { creationIn, isSpecial, type Verbs } from './verbs.ts'

export interface OpenHandle {
  readonly ino: number
  readonly readable: boolean
  readonly append: boolean
  /** Absent for a directory. */
  readonly content: Bytes | undefined
  readonly writer: WritableBytes | undefined
  position: number
  close(): void
}

/** `open(2)` in the order in which Linux checks (`build_open_flags`, `lookup_open`, `do_open`, `may_open`). */
export function openFile(
  verbs: Verbs,
  from: number,
  path: ByteString,
  flags: ReadonlySet<OpenFlag>,
  mode: number,
  umask: number,
): OpenHandle | 'special' {
  const writes = flags.has('WRONLY') || flags.has('RDWR')
  const create = flags.has('CREAT')
  const exclusive = create && flags.has('EXCL')
  if (create && (flags.has('DIRECTORY') || flags.has('TMPFILE'))) throw new PlyError('EINVAL')
  if (flags.has('TMPFILE')) return unnamed(verbs, from, path, flags, mode, umask)
  if (create) {
    const { trailingSlash, last } = resolveName(verbs, path, { from })
    if (last !== 'name') throw new PlyError(exclusive ? 'EEXIST' : 'EISDIR')
    if (trailingSlash) throw new PlyError('EISDIR')
  }
  const found = resolvePath(verbs, path, { follow: !(flags.has('NOFOLLOW') || exclusive), from })
  if (found.ino === undefined) {
    if (!create) throw new PlyError('ENOENT')
    if (found.trailingSlash) throw new PlyError('EISDIR')
    const creation = { kind: 'file', ...creationIn(verbs, found.directory, 'file', mode, umask) } as const
    return opened(verbs, verbs.create(found.directory, found.name, creation), flags, false)
  }
  const { kind } = verbs.stat(found.ino)
  if (isSpecial(kind) && !exclusive && !flags.has('DIRECTORY')) return 'special'
  if (exclusive) throw new PlyError('EEXIST')
  if (create && kind === 'directory') throw new PlyError('EISDIR')
  if (flags.has('DIRECTORY') && kind !== 'directory') throw new PlyError('ENOTDIR')
  if (kind === 'symlink') throw new PlyError('ELOOP')
  if (kind === 'directory') {
    if (writes || flags.has('TRUNC')) throw new PlyError('EISDIR')
    const close = verbs.hold(found.ino)
    return { ino: found.ino, readable: true, append: false, content: undefined, writer: undefined, position: 0, close }
  }
  return opened(verbs, found.ino, flags, flags.has('TRUNC'))
}

function opened(verbs: Verbs, ino: number, flags: ReadonlySet<OpenFlag>, truncate: boolean): OpenHandle {
  const writes = flags.has('WRONLY') || flags.has('RDWR')
  if (!writes && truncate) verbs.writer(ino, { truncate }).close()
  const writer = writes ? verbs.writer(ino, { truncate }) : undefined
  const content = writer ?? verbs.open(ino)
  return {
    ino,
    readable: !flags.has('WRONLY'),
    append: flags.has('APPEND'),
    content,
    writer,
    position: 0,
    close: () => content.close(),
  }
}

function unnamed(
  verbs: Verbs,
  from: number,
  path: ByteString,
  flags: ReadonlySet<OpenFlag>,
  mode: number,
  umask: number,
): OpenHandle {
  if (!flags.has('WRONLY') && !flags.has('RDWR')) throw new PlyError('EINVAL')
  const { ino: directory } = resolvePath(verbs, path, { follow: !flags.has('NOFOLLOW'), from })
  if (directory === undefined) throw new PlyError('ENOENT')
  const parent = verbs.stat(directory)
  if (parent.kind !== 'directory') throw new PlyError('ENOTDIR')
  const creation = { kind: 'file', ...creationIn(verbs, directory, 'file', mode, umask) } as const
  const { ino, content } = verbs.unnamed(directory, creation, { exclusive: flags.has('EXCL') })
  const [readable, append] = [!flags.has('WRONLY'), flags.has('APPEND')]
  return { ino, readable, append, content, writer: content, position: 0, close: () => content.close() }
}
