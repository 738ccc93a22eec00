import { describe, expect, test } from 'vitest'
import type { Verdict } from '../../src/layer/view.ts'
import { type ByteString, byteString, bytesOf } from '../../src/model/bytes.ts'
import type { Attributes } from '../../src/model/entry.ts'
import { codeOf } from '../../src/model/errors.ts'
import { type Bytes, memoryBytes } from '../../src/stream/bytes.ts'
import { type Creation, firstNewInode, type Upper } from '../../src/union/upper.ts'

const time = 1_700_000_000_123_456_789n
const attributes: Attributes = { mode: 0o644, uid: 0, gid: 0, mtime: time }
const file: Creation = { kind: 'file', ...attributes }
const directory: Creation = { kind: 'directory', ...attributes, mode: 0o755 }
const text = (content: string) => memoryBytes(Buffer.from(content))

/** The whole content as a byte string; closes it. */
export function contentOf(bytes: Bytes): ByteString {
  try {
    const whole = Buffer.alloc(bytes.size)
    return byteString(whole.subarray(0, bytes.read(whole, 0)))
  } finally {
    bytes.close()
  }
}

function write(upper: Upper, ino: number, content: string): void {
  const writer = upper.writer(ino)
  writer.write(Buffer.from(content), 0)
  writer.close()
}

function inoAt(upper: Upper, parent: number, name: ByteString): number | undefined {
  const verdict = upper.lookup(parent, name)
  return verdict.says === 'entry' ? verdict.ino : undefined
}

/** Everything that an upper says, with numbers: two uppers with equal dumps cannot be told apart by a union. */
export function upperDump(upper: Upper): unknown[] {
  const lines: unknown[] = []
  const visit = (path: ByteString, verdict: Verdict): void => {
    if (verdict.says !== 'entry') {
      lines.push([path, verdict])
      return
    }
    const { ino } = verdict
    // Whether reading moves a disk's access times, and opening again a change time, is not promised.
    const { atime: _, ctime: __, ...stat } = upper.stat(ino)
    if (stat.kind !== 'directory') expect(upper.links?.(ino) ?? stat.links, path).toBe(stat.links)
    lines.push([
      path,
      verdict,
      { ...stat, size: stat.kind === 'file' && !upper.hasContent(ino) ? 0 : stat.size },
      [...upper.xattrs(ino)].map(([name, value]) => `${name}=${Buffer.from(value).toString('hex')}`).sort(),
      stat.kind === 'symlink' ? upper.readlink(ino) : '',
      stat.kind === 'file' && upper.hasContent(ino) ? contentOf(upper.open(ino)) : undefined,
    ])
    if (!verdict.directory) return
    for (const child of upper.list(ino)) visit(`${path}/${child.name}`, child.verdict)
  }
  visit('', upper.root)
  return lines
}

export interface UpperContractOptions {
  /** Closes an upper and opens what it left, as the next process would. */
  readonly reopen?: (upper: Upper) => Upper | Promise<Upper>
  /** False where the test's user cannot make devices and the form has no other way to keep them. */
  readonly devices?: boolean
  /** False where the place tested on has no `user.*` xattrs. */
  readonly xattrs?: boolean
  /** False where the place tested on cannot do `fallocate`. */
  readonly allocates?: boolean
}

/** The promises of `Upper` as tests. `create` makes an empty upper; each is closed at the end of its test. */
export function upperContract(
  name: string,
  create: () => Upper | Promise<Upper>,
  { reopen, devices = true, xattrs = true, allocates = true }: UpperContractOptions = {},
): void {
  /** Runs a test on a fresh upper; what it leaves must be the same after opening again. */
  function promise(sentence: string, body: (upper: Upper) => void | Promise<void>): void {
    test(sentence, async () => {
      let upper = await create()
      try {
        await body(upper)
        if (!reopen) return
        const before = upperDump(upper)
        upper = await reopen(upper)
        expect(upperDump(upper), 'after opening again').toEqual(before)
      } finally {
        upper.close()
        upper.close()
      }
    })
  }
  const root = (upper: Upper) => upper.root.ino

  describe(`${name} is an Upper:`, () => {
    promise('an empty one says nothing, and its root is a directory in it', (upper) => {
      expect(upper.root).toMatchObject({ says: 'entry', directory: true })
      expect(upper.has(root(upper))).toBe(true)
      expect([...upper.list(root(upper))]).toEqual([])
      expect(upper.lookup(root(upper), 'a')).toEqual({ says: 'nothing' })
      expect(upper.has(77)).toBe(false)
      expect(upper.hasContent(77)).toBe(false)
    })

    promise('attributes that the root is given are its own from then on', (upper) => {
      upper.setAttributes(root(upper), { ...attributes, mode: 0o711 })
      expect(upper.root.implied).toBe(false)
      expect(upper.stat(root(upper))).toMatchObject({ kind: 'directory', mode: 0o711, mtime: time })
    })

    promise('a new file has a number from 2^40, one link, its attributes and no content', (upper) => {
      const ino = upper.create(root(upper), 'a', { ...file, mode: 0o4751 })
      expect(ino).toBeGreaterThanOrEqual(firstNewInode)
      expect(upper.lookup(root(upper), 'a')).toMatchObject({
        says: 'entry',
        ino,
        directory: false,
        implied: false,
        opaque: false,
      })
      expect(upper.stat(ino)).toMatchObject({
        ino,
        kind: 'file',
        ...attributes,
        mode: 0o4751,
        size: 0,
        links: 1,
        major: 0,
        minor: 0,
      })
      expect(upper.hasContent(ino)).toBe(true)
      expect(contentOf(upper.open(ino))).toBe('')
    })

    promise('every kind of inode keeps what makes it', (upper) => {
      const link = upper.create(root(upper), 'link', { ...file, kind: 'symlink', mode: 0o777, target: '../x\xff' })
      const fifo = upper.create(root(upper), 'fifo', { ...file, kind: 'fifo', mode: 0o600 })
      const sub = upper.create(root(upper), 'sub', { ...directory, mode: 0o1777 })
      expect(upper.readlink(link)).toBe('../x\xff')
      expect(upper.stat(link)).toMatchObject({ kind: 'symlink', size: 5, mtime: time })
      expect(upper.stat(fifo)).toMatchObject({ kind: 'fifo', mode: 0o600 })
      expect(upper.stat(sub)).toMatchObject({ kind: 'directory', mode: 0o1777, links: 2 })
      expect(upper.lookup(root(upper), 'sub')).toMatchObject({ directory: true, opaque: false })
      expect(codeOf(caught(() => upper.readlink(fifo)))).toBe('EINVAL')
      expect(codeOf(caught(() => upper.open(sub)))).toBe('EISDIR')
      expect(codeOf(caught(() => upper.open(link)))).toBe('EINVAL')
      expect(codeOf(caught(() => upper.lookup(fifo, 'x')))).toBe('ENOTDIR')
    })

    if (devices) {
      promise('devices keep their numbers', (upper) => {
        const tty = upper.create(root(upper), 'tty', { ...file, kind: 'character', mode: 0o620, major: 5, minor: 0 })
        const disk = upper.create(root(upper), 'disk', {
          ...file,
          kind: 'block',
          mode: 0o660,
          major: 259,
          minor: 70000,
        })
        expect(upper.stat(tty)).toMatchObject({ kind: 'character', mode: 0o620, major: 5, minor: 0, size: 0 })
        expect(upper.stat(disk)).toMatchObject({ kind: 'block', mode: 0o660, major: 259, minor: 70000, size: 0 })
      })
    }

    promise('names are bytes, and lists are in byte order', (upper) => {
      for (const each of ['b', '\xff\xfe', 'a', '.wh.a', 'A', 'x'.repeat(255), ' \n'])
        upper.create(root(upper), each, file)
      upper.whiteout(root(upper), 'a.gone')
      expect([...upper.list(root(upper))].map((entry) => entry.name)).toEqual([
        ' \n',
        '.wh.a',
        'A',
        'a',
        'a.gone',
        'b',
        'x'.repeat(255),
        '\xff\xfe',
      ])
    })

    promise('content is written and read at any position, with holes', (upper) => {
      const ino = upper.create(root(upper), 'a', file)
      const writer = upper.writer(ino)
      expect(writer.write(bytesOf('world'), 200_000)).toBe(5)
      expect(writer.write(bytesOf('hello'), 0)).toBe(5)
      expect(writer.size).toBe(200_005)
      const back = Buffer.alloc(10)
      expect(writer.read(back, 199_999)).toBe(6)
      expect(back.toString('latin1', 0, 6)).toBe('\0world')
      expect(writer.read(back, 200_005)).toBe(0)
      writer.truncate(3)
      writer.truncate(6)
      writer.sync()
      writer.close()
      writer.close()
      expect(contentOf(upper.open(ino))).toBe('hel\0\0\0')
      expect(upper.stat(ino).size).toBe(6)
    })

    promise('an open handle follows what others write', (upper) => {
      const ino = upper.create(root(upper), 'a', file)
      const reader = upper.open(ino)
      write(upper, ino, 'abc')
      expect(reader.size).toBe(3)
      expect(contentOf(reader)).toBe('abc')
    })

    promise('a handle stays usable when the last name goes, and the number is not used again', (upper) => {
      const ino = upper.create(root(upper), 'a', file)
      const writer = upper.writer(ino)
      writer.write(bytesOf('abc'), 0)
      upper.forget(root(upper), 'a')
      expect(upper.has(ino)).toBe(false)
      writer.write(bytesOf('def'), 3)
      expect(writer.size).toBe(6)
      expect(contentOf(writer)).toBe('abcdef')
      expect(upper.create(root(upper), 'a', file)).not.toBe(ino)
    })

    promise('attributes change one by one', (upper) => {
      const ino = upper.create(root(upper), 'a', file)
      upper.setAttributes(ino, { mode: 0o2750 })
      upper.setAttributes(ino, { uid: 12, gid: 4_000_000_000 })
      upper.setAttributes(ino, { mtime: -1n })
      expect(upper.stat(ino)).toMatchObject({ mode: 0o2750, uid: 12, gid: 4_000_000_000, mtime: -1n })
      const sub = upper.create(root(upper), 'd', directory)
      upper.create(sub, 'x', file)
      upper.setAttributes(sub, { mode: 0, mtime: 5n })
      expect(upper.stat(sub)).toMatchObject({ mode: 0, mtime: 5n })
      upper.create(sub, 'y', file)
    })

    if (xattrs) {
      promise('xattrs are exact bytes, set, replaced and removed', (upper) => {
        const ino = upper.create(root(upper), 'a', { ...file, xattrs: new Map([['user.given', bytesOf('\0\xff')]]) })
        upper.setXattr(ino, 'user.a', bytesOf('1'))
        upper.setXattr(ino, 'user.b', bytesOf(''))
        upper.setXattr(ino, 'user.a', bytesOf('2'))
        upper.setXattr(ino, 'user.b', undefined)
        expect([...upper.xattrs(ino)].map(([key, value]) => [key, byteString(value)]).sort()).toEqual([
          ['user.a', '2'],
          ['user.given', '\0\xff'],
        ])
      })

      promise('marks that the form keeps in xattrs are not shown as xattrs', (upper) => {
        const sub = upper.create(root(upper), 'd', { ...directory, opaque: true })
        upper.copyUp(root(upper), 'lower', 77, directory)
        upper.rename(root(upper), 'lower', sub, 'moved', { leave: 'whiteout', redirect: 'lower' })
        if (upper.metadataOnly) upper.copyUp(root(upper), 'meta', 78, file)
        for (const ino of [sub, 77, ...(upper.metadataOnly ? [78] : [])]) expect([...upper.xattrs(ino)]).toEqual([])
      })
    }

    promise('a copied-up file keeps its number, its attributes and its content', (upper) => {
      upper.copyUp(root(upper), 'd', 50, { ...directory, mode: 0o700 })
      upper.copyUp(50, 'a', 77, { ...file, mode: 0o600, mtime: 5n }, text('below'))
      expect(upper.lookup(50, 'a')).toMatchObject({
        says: 'entry',
        ino: 77,
        directory: false,
        implied: false,
        opaque: false,
      })
      expect(upper.stat(77)).toMatchObject({ ino: 77, mode: 0o600, mtime: 5n, size: 5, links: 1 })
      expect(upper.has(77) && upper.hasContent(77)).toBe(true)
      expect(contentOf(upper.open(77))).toBe('below')
      expect(upper.stat(50)).toMatchObject({ ino: 50, kind: 'directory', mode: 0o700 })
    })

    promise('copying up leaves the times of the directory as they are', (upper) => {
      upper.copyUp(root(upper), 'd', 50, { ...directory, mtime: 5n })
      upper.copyUp(50, 'e', 51, { ...directory, mtime: 6n })
      upper.copyUp(50, 'a', 77, file, text('below'))
      expect(upper.stat(50).mtime).toBe(5n)
      expect(upper.stat(51).mtime).toBe(6n)
    })

    promise('where metadata can be copied up alone, the content can follow', (upper) => {
      if (!upper.metadataOnly) {
        expect(upper.metadataOnly).toBe(false)
        return
      }
      upper.copyUp(root(upper), 'a', 77, { ...file, mode: 0o600, mtime: 5n })
      expect(upper.has(77)).toBe(true)
      expect(upper.hasContent(77)).toBe(false)
      upper.setAttributes(77, { uid: 3 })
      upper.link(root(upper), 'b', 77)
      upper.copyUpContent(77, text('content'))
      expect(upper.hasContent(77)).toBe(true)
      expect(contentOf(upper.open(77))).toBe('content')
      expect(upper.stat(77)).toMatchObject({ mode: 0o600, mtime: 5n, uid: 3, size: 7, links: 2 })
    })

    promise('a metadata-only copy stays one', (upper) => {
      if (upper.metadataOnly) upper.copyUp(root(upper), 'a', 77, file)
      else upper.copyUp(root(upper), 'a', 77, file, text('x'))
      expect(upper.hasContent(77)).toBe(!upper.metadataOnly)
    })

    for (const [made, creation] of Object.entries({ 'with its times': file, 'just now': { ...file, now: true } }))
      promise(`links of what is made ${made} share one inode and are counted`, (upper) => {
        const links = (ino: number) => [upper.stat(ino).links, upper.links?.(ino) ?? upper.stat(ino).links]
        const sub = upper.create(root(upper), 'd', directory)
        const ino = upper.create(root(upper), 'a', creation)
        expect(links(ino)).toEqual([1, 1])
        upper.whiteout(sub, 'b')
        upper.link(sub, 'b', ino)
        write(upper, ino, 'shared')
        expect(inoAt(upper, sub, 'b')).toBe(ino)
        expect(links(ino)).toEqual([2, 2])
        upper.rename(sub, 'b', root(upper), 'c', { leave: 'nothing' })
        expect(links(ino)).toEqual([2, 2])
        upper.forget(root(upper), 'a')
        expect(upper.stat(ino).size).toBe(6)
        expect(links(ino)).toEqual([1, 1])
        upper.whiteout(root(upper), 'c')
        expect(upper.has(ino)).toBe(false)
      })

    promise('a whiteout takes the place of what stood there, and creation the place of a whiteout', (upper) => {
      const ino = upper.create(root(upper), 'a', file)
      upper.whiteout(root(upper), 'a')
      expect(upper.lookup(root(upper), 'a')).toEqual({ says: 'whiteout' })
      expect([...upper.list(root(upper))]).toEqual([{ name: 'a', verdict: { says: 'whiteout' } }])
      expect(upper.has(ino)).toBe(false)
      const sub = upper.create(root(upper), 'a', { ...directory, opaque: true })
      expect(upper.lookup(root(upper), 'a')).toMatchObject({
        says: 'entry',
        ino: sub,
        directory: true,
        implied: false,
        opaque: true,
      })
      upper.whiteout(sub, 'inside')
      upper.whiteout(root(upper), 'a')
      expect(upper.has(sub)).toBe(false)
      expect(upper.lookup(root(upper), 'a')).toEqual({ says: 'whiteout' })
      upper.whiteout(root(upper), 'a')
      upper.forget(root(upper), 'a')
      expect(upper.lookup(root(upper), 'a')).toEqual({ says: 'nothing' })
    })

    promise('two whiteouts are independent of each other', (upper) => {
      upper.whiteout(root(upper), 'a')
      upper.whiteout(root(upper), 'b')
      upper.create(root(upper), 'a', file)
      expect(upper.lookup(root(upper), 'b')).toEqual({ says: 'whiteout' })
    })

    promise('forgetting a directory takes its whiteouts along, but never its entries', (upper) => {
      const sub = upper.create(root(upper), 'd', directory)
      upper.whiteout(sub, 'w')
      upper.create(sub, 'x', file)
      expect(codeOf(caught(() => upper.forget(root(upper), 'd')))).toBe('ENOTEMPTY')
      upper.forget(sub, 'x')
      upper.forget(root(upper), 'd')
      expect(upper.lookup(root(upper), 'd')).toEqual({ says: 'nothing' })
    })

    promise('setOpaque makes a directory opaque, the root too', (upper) => {
      upper.copyUp(root(upper), 'd', 50, directory)
      upper.setOpaque(50)
      expect(upper.lookup(root(upper), 'd')).toMatchObject({ opaque: true })
      upper.setOpaque(root(upper))
      expect(upper.root.opaque).toBe(true)
    })

    promise('rename moves a file over nothing, a whiteout and a file, and leaves what it is told', (upper) => {
      const sub = upper.create(root(upper), 'd', directory)
      const ino = upper.create(root(upper), 'a', file)
      upper.rename(root(upper), 'a', sub, 'b', { leave: 'whiteout' })
      expect(upper.lookup(root(upper), 'a')).toEqual({ says: 'whiteout' })
      expect(inoAt(upper, sub, 'b')).toBe(ino)
      upper.rename(sub, 'b', root(upper), 'a', { leave: 'nothing' })
      expect(upper.lookup(sub, 'b')).toEqual({ says: 'nothing' })
      const other = upper.create(root(upper), 'c', file)
      upper.rename(root(upper), 'a', root(upper), 'c', { leave: 'whiteout' })
      expect(inoAt(upper, root(upper), 'c')).toBe(ino)
      expect(upper.lookup(root(upper), 'a')).toEqual({ says: 'whiteout' })
      expect(upper.has(other)).toBe(false)
      expect(upper.stat(ino).links).toBe(1)
    })

    promise('rename moves a directory with all that is in it, over a directory that holds only whiteouts', (upper) => {
      const from = upper.create(root(upper), 'from', directory)
      const deep = upper.create(from, 'deep', directory)
      const ino = upper.create(deep, 'x', file)
      const to = upper.create(root(upper), 'to', { ...directory, opaque: true })
      upper.whiteout(to, 'w')
      upper.rename(root(upper), 'from', root(upper), 'to', { leave: 'nothing', opaque: true })
      expect(upper.lookup(root(upper), 'to')).toMatchObject({
        says: 'entry',
        ino: from,
        directory: true,
        implied: false,
        opaque: true,
      })
      expect(upper.has(to)).toBe(false)
      expect(inoAt(upper, deep, 'x')).toBe(ino)
      upper.create(deep, 'y', file)
      expect([...upper.list(from)].map((entry) => entry.name)).toEqual(['deep'])
    })

    promise('rename keeps the redirect that it is given, until the next rename says otherwise', (upper) => {
      upper.copyUp(root(upper), 'usr', 50, directory)
      upper.copyUp(50, 'share', 51, directory)
      upper.rename(50, 'share', root(upper), 'moved', { leave: 'whiteout', redirect: 'usr/share' })
      expect(upper.lookup(root(upper), 'moved')).toMatchObject({
        says: 'entry',
        ino: 51,
        directory: true,
        implied: false,
        opaque: false,
        redirect: 'usr/share',
      })
      upper.rename(root(upper), 'moved', root(upper), 'again', { leave: 'nothing', redirect: 'usr/share' })
      expect(upper.lookup(root(upper), 'again')).toMatchObject({ ino: 51, redirect: 'usr/share' })
      upper.rename(root(upper), 'again', 50, 'share', { leave: 'nothing' })
      expect(upper.lookup(50, 'share')).not.toHaveProperty('redirect')
    })

    promise('a redirect may hold any bytes, and a directory inside a moved one has its own', (upper) => {
      upper.copyUp(root(upper), 'a', 50, directory)
      upper.copyUp(50, '\xe4\xff ', 51, directory)
      upper.rename(50, '\xe4\xff ', 50, 'n', { leave: 'whiteout', redirect: 'a/\xe4\xff ' })
      upper.rename(root(upper), 'a', root(upper), 'b', { leave: 'whiteout', redirect: 'a' })
      expect(upper.lookup(root(upper), 'b')).toMatchObject({ ino: 50, redirect: 'a' })
      expect(upper.lookup(50, 'n')).toMatchObject({ ino: 51, redirect: 'a/\xe4\xff ' })
    })

    promise('an opaque directory stays opaque when it moves', (upper) => {
      upper.create(root(upper), 'a', { ...directory, opaque: true })
      upper.rename(root(upper), 'a', root(upper), 'b', { leave: 'nothing' })
      expect(upper.lookup(root(upper), 'b')).toMatchObject({ opaque: true })
    })

    promise('exchange swaps what stands at two names, whatever kinds they are', (upper) => {
      const sub = upper.create(root(upper), 'd', directory)
      const inside = upper.create(sub, 'x', file)
      const ino = upper.create(root(upper), 'a', file)
      const link = upper.create(sub, 'l', { ...file, kind: 'symlink', mode: 0o777, target: 'x' })
      write(upper, ino, 'content')
      upper.exchange(root(upper), 'a', sub, 'l', { first: {}, second: {} })
      expect(inoAt(upper, root(upper), 'a')).toBe(link)
      expect(inoAt(upper, sub, 'l')).toBe(ino)
      upper.exchange(root(upper), 'a', root(upper), 'd', { first: {}, second: {} })
      expect(inoAt(upper, root(upper), 'a')).toBe(sub)
      expect(inoAt(upper, root(upper), 'd')).toBe(link)
      expect(inoAt(upper, sub, 'x')).toBe(inside)
      expect(upper.lookup(root(upper), 'a')).toMatchObject({ directory: true, opaque: false })
      expect(upper.stat(ino)).toMatchObject({ links: 1, size: 7 })
      upper.create(sub, 'y', file)
      expect([...upper.list(root(upper))].map((entry) => entry.name)).toEqual(['a', 'd'])
      expect([...upper.list(sub)].map((entry) => entry.name)).toEqual(['l', 'x', 'y'])
    })

    promise('exchange across directories moves the count of subdirectories with them', (upper) => {
      const one = upper.create(root(upper), 'one', directory)
      const other = upper.create(root(upper), 'other', directory)
      upper.create(one, 'd', directory)
      upper.create(other, 'f', file)
      upper.exchange(one, 'd', other, 'f', { first: {}, second: {} })
      expect(upper.stat(one).links).toBe(2)
      expect(upper.stat(other).links).toBe(3)
    })

    promise('exchange gives each directory the redirect that it is given, and keeps one opaque', (upper) => {
      upper.copyUp(root(upper), 'a', 50, directory)
      upper.copyUp(root(upper), 'b', 51, directory)
      const own = upper.create(root(upper), 'c', { ...directory, opaque: true })
      upper.exchange(root(upper), 'a', root(upper), 'b', { first: { redirect: 'b' }, second: { redirect: 'a' } })
      expect(upper.lookup(root(upper), 'a')).toMatchObject({ ino: 51, redirect: 'b', opaque: false })
      expect(upper.lookup(root(upper), 'b')).toMatchObject({ ino: 50, redirect: 'a', opaque: false })
      upper.exchange(root(upper), 'a', root(upper), 'b', { first: {}, second: {} })
      expect(upper.lookup(root(upper), 'a')).toMatchObject({ ino: 50, opaque: false })
      expect(upper.lookup(root(upper), 'a')).not.toHaveProperty('redirect')
      expect(upper.lookup(root(upper), 'b')).not.toHaveProperty('redirect')
      upper.exchange(root(upper), 'b', root(upper), 'c', { first: {}, second: { redirect: 'b' } })
      expect(upper.lookup(root(upper), 'b')).toMatchObject({ ino: own, opaque: true })
      expect(upper.lookup(root(upper), 'c')).toMatchObject({ ino: 51, redirect: 'b', opaque: false })
      const plain = upper.create(root(upper), 'p', directory)
      upper.exchange(root(upper), 'p', root(upper), 'c', { first: {}, second: { opaque: true } })
      expect(upper.lookup(root(upper), 'c')).toMatchObject({ ino: plain, opaque: true })
      expect(upper.lookup(root(upper), 'p')).toMatchObject({ ino: 51, opaque: false })
    })

    promise('exchange of a name that this upper has not is refused', (upper) => {
      upper.create(root(upper), 'a', file)
      upper.whiteout(root(upper), 'w')
      const standing = { first: {}, second: {} }
      expect(codeOf(caught(() => upper.exchange(root(upper), 'a', root(upper), 'b', standing)))).toBe('ENOENT')
      expect(codeOf(caught(() => upper.exchange(root(upper), 'w', root(upper), 'a', standing)))).toBe('ENOENT')
    })

    promise('a file without a name is nowhere, and gone when it is closed', (upper) => {
      const { ino, content } = upper.unnamed()
      expect(ino).toBeGreaterThanOrEqual(firstNewInode)
      content.write(bytesOf('abcdef'), 0)
      content.truncate(3)
      expect(content.size).toBe(3)
      expect(upper.has(ino)).toBe(false)
      expect([...upper.list(root(upper))]).toEqual([])
      expect(contentOf(content)).toBe('abc')
      expect(upper.create(root(upper), 'a', file)).not.toBe(ino)
      expect(upper.has(ino)).toBe(false)
    })

    promise('a file without a name is adopted under a name, with its content, and its handle stays', (upper) => {
      upper.whiteout(root(upper), 'w')
      const sub = upper.create(root(upper), 'd', directory)
      for (const [parent, name] of [
        [root(upper), 'w'],
        [sub, 'n'],
      ] as const) {
        const unnamed = upper.unnamed()
        unnamed.content.write(bytesOf('before '), 0)
        const creation = { ...file, kind: 'file', mode: 0o4711, uid: 3, gid: 4 } as const
        upper.adopt(parent, name, unnamed, creation)
        expect(inoAt(upper, parent, name)).toBe(unnamed.ino)
        expect(upper.stat(unnamed.ino)).toMatchObject({ mode: 0o4711, uid: 3, gid: 4, mtime: time, links: 1, size: 7 })
        unnamed.content.write(bytesOf('after'), 7)
        upper.link(root(upper), `${name}2`, unnamed.ino)
        unnamed.content.close()
        expect(contentOf(upper.open(unnamed.ino))).toBe('before after')
        write(upper, unnamed.ino, 'BEFORE')
        expect(contentOf(upper.open(unnamed.ino))).toBe('BEFORE after')
        expect(upper.stat(unnamed.ino).links).toBe(2)
      }
      const late = upper.unnamed()
      late.content.close()
      expect(caught(() => upper.adopt(root(upper), 'late', late, { ...file, kind: 'file' }))).toBeDefined()
      expect(upper.lookup(root(upper), 'late')).toEqual({ says: 'nothing' })
    })

    if (xattrs) {
      promise('a file is adopted with xattrs', (upper) => {
        const unnamed = upper.unnamed()
        const given = new Map([['user.a', bytesOf('1')]])
        upper.adopt(root(upper), 'a', unnamed, { ...file, kind: 'file', xattrs: given })
        unnamed.content.close()
        expect([...upper.xattrs(unnamed.ino)].map(([key, value]) => [key, byteString(value)])).toEqual([
          ['user.a', '1'],
        ])
      })
    }

    if (allocates) {
      promise('allocating grows the size only where it is told to, and leaves content alone', (upper) => {
        const ino = upper.create(root(upper), 'a', file)
        const writer = upper.writer(ino)
        writer.write(bytesOf('abc'), 0)
        writer.allocate('reserve', 0, 1_000_000)
        expect(writer.size).toBe(3)
        writer.allocate('extend', 1, 1)
        expect(writer.size).toBe(3)
        writer.allocate('extend', 0, 200_000)
        expect(writer.size).toBe(200_000)
        writer.close()
        expect(upper.stat(ino).size).toBe(200_000)
        expect(contentOf(upper.open(ino))).toBe(`abc${'\0'.repeat(199_997)}`)
      })

      promise('punching and zeroing make zeros of a range, and keep the size', (upper) => {
        for (const what of ['punch', 'zero'] as const) {
          const ino = upper.create(root(upper), what, file)
          const writer = upper.writer(ino)
          writer.write(Buffer.alloc(300_000, 'x'), 0)
          writer.allocate(what, 10, 200_000)
          writer.allocate(what, 299_990, 1_000_000)
          expect(writer.size).toBe(300_000)
          writer.truncate(300_100)
          writer.close()
          const expected = Buffer.alloc(300_100)
          expected.fill('x', 0, 10).fill('x', 200_010, 299_990)
          expect(contentOf(upper.open(ino)) === expected.toString('latin1')).toBe(true)
        }
      })
    }

    promise('what is said to be a hole reads as zeros, and all else is found', (upper) => {
      const ino = upper.create(root(upper), 'a', file)
      const writer = upper.writer(ino)
      writer.write(bytesOf('x'), 1_000_000)
      writer.write(bytesOf('y'), 3_000_000)
      writer.truncate(5_000_000)
      if (allocates) writer.allocate('punch', 0, 2_000_000)
      const found: number[] = []
      const zeros = Buffer.alloc(1 << 20)
      let at = 0
      for (let run = writer.nextData?.(0); run; run = run.end < writer.size ? writer.nextData!(run.end) : undefined) {
        expect(run.start).toBeGreaterThanOrEqual(at)
        expect(run.end).toBeGreaterThan(run.start)
        found.push(run.start, run.end)
        at = run.end
      }
      if (writer.nextData) {
        const holds = (position: number) =>
          found.some((start, i) => i % 2 === 0 && start <= position && position < found[i + 1]!)
        expect(holds(3_000_000)).toBe(true)
        expect(holds(1_000_000)).toBe(!allocates)
        expect(writer.nextData(5_000_000)).toBeUndefined()
      }
      writer.read(zeros, 3_500_000)
      expect(zeros.every((byte) => byte === 0)).toBe(true)
      writer.close()
    })

    promise('the access time changes when it is given, and not with the modify time', (upper) => {
      const ino = upper.create(root(upper), 'a', { ...file, atime: 7n })
      const accessed = (number: number) => upper.stat(number).atime ?? upper.stat(number).mtime
      expect(accessed(ino)).toBe(7n)
      upper.setAttributes(ino, { atime: -5n })
      expect(upper.stat(ino)).toMatchObject({ atime: -5n, mtime: time })
      upper.setAttributes(ino, { mtime: 9n })
      expect(upper.stat(ino)).toMatchObject({ atime: -5n, mtime: 9n })
      const other = upper.create(root(upper), 'b', file)
      upper.setAttributes(other, { mtime: 9n })
      expect(upper.stat(other)).toMatchObject({ atime: time, mtime: 9n })
      upper.copyUp(root(upper), 'lower', 77, { ...file, atime: 3n, mtime: 4n }, text('x'))
      expect(upper.stat(77)).toMatchObject({ atime: 3n, mtime: 4n })
      const unnamed = upper.unnamed()
      upper.adopt(root(upper), 'adopted', unnamed, { ...file, kind: 'file', atime: 8n })
      unnamed.content.close()
      expect(upper.stat(unnamed.ino)).toMatchObject({ atime: 8n, mtime: time })
    })

    promise('the change time moves with every change, whatever the modify time is set to', async (upper) => {
      const ino = upper.create(root(upper), 'a', file)
      const changed = () => upper.stat(ino).ctime ?? upper.stat(ino).mtime
      const changes: [string, () => void][] = [
        ['mode', () => upper.setAttributes(ino, { mode: 0o600 })],
        ['modify time', () => upper.setAttributes(ino, { mtime: 1n })],
        ['link', () => upper.link(root(upper), 'b', ino)],
        ['forget', () => upper.forget(root(upper), 'b')],
        ['rename', () => upper.rename(root(upper), 'a', root(upper), 'c', { leave: 'nothing' })],
      ]
      if (xattrs) changes.push(['xattr', () => upper.setXattr(ino, 'user.a', bytesOf('1'))])
      for (const [what, change] of changes) {
        const before = changed()
        // A disk's clock moves in ticks of up to 10 ms.
        await new Promise((resolve) => setTimeout(resolve, 12))
        change()
        expect(changed() > before, what).toBe(true)
      }
      expect(upper.stat(ino).mtime).toBe(1n)
    })

    promise('room is told, and there is some', (upper) => {
      const { blockSize, size, free, available, inodes, freeInodes } = upper.room()
      expect(blockSize).toBeGreaterThan(0)
      expect(size > 0n && free > 0n && free <= size && available <= free).toBe(true)
      expect(freeInodes <= inodes).toBe(true)
    })

    promise('sync returns', (upper) => {
      write(upper, upper.create(root(upper), 'a', file), 'x')
      upper.sync()
    })

    if (reopen) {
      test('numbers go on where they were after opening again', async () => {
        let upper = await create()
        try {
          const first = upper.create(root(upper), 'a', file)
          const second = upper.create(root(upper), 'b', file)
          upper.forget(root(upper), 'b')
          upper.close()
          upper = await reopen(upper)
          const third = upper.create(root(upper), 'c', file)
          expect(new Set([first, second, third]).size).toBe(3)
          expect(third).toBeGreaterThanOrEqual(firstNewInode)
          write(upper, first, 'still writable')
          expect(contentOf(upper.open(first))).toBe('still writable')
        } finally {
          upper.close()
        }
      })
    }
  })
}

/** What a call throws; `undefined` if it returns. */
export function caught(call: () => unknown): unknown {
  try {
    call()
  } catch (error) {
    return error
  }
  return undefined
}
