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
    const stat = upper.stat(ino)
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
}

/** The promises of `Upper` as tests. `create` makes an empty upper; each is closed at the end of its test. */
export function upperContract(
  name: string,
  create: () => Upper | Promise<Upper>,
  { reopen, devices = true, xattrs = true }: UpperContractOptions = {},
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
      expect(upper.lookup(root(upper), 'a')).toEqual({
        says: 'entry',
        ino,
        directory: false,
        implied: false,
        opaque: false,
      })
      expect(upper.stat(ino)).toEqual({
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
      expect(upper.lookup(50, 'a')).toEqual({ says: 'entry', ino: 77, directory: false, implied: false, opaque: false })
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

    promise('links share one inode and are counted', (upper) => {
      const sub = upper.create(root(upper), 'd', directory)
      const ino = upper.create(root(upper), 'a', file)
      upper.whiteout(sub, 'b')
      upper.link(sub, 'b', ino)
      write(upper, ino, 'shared')
      expect(inoAt(upper, sub, 'b')).toBe(ino)
      expect(upper.stat(ino).links).toBe(2)
      upper.forget(root(upper), 'a')
      expect(upper.stat(ino)).toMatchObject({ links: 1, size: 6 })
      upper.whiteout(sub, 'b')
      expect(upper.has(ino)).toBe(false)
    })

    promise('a whiteout takes the place of what stood there, and creation the place of a whiteout', (upper) => {
      const ino = upper.create(root(upper), 'a', file)
      upper.whiteout(root(upper), 'a')
      expect(upper.lookup(root(upper), 'a')).toEqual({ says: 'whiteout' })
      expect([...upper.list(root(upper))]).toEqual([{ name: 'a', verdict: { says: 'whiteout' } }])
      expect(upper.has(ino)).toBe(false)
      const sub = upper.create(root(upper), 'a', { ...directory, opaque: true })
      expect(upper.lookup(root(upper), 'a')).toEqual({
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
      expect(upper.lookup(root(upper), 'to')).toEqual({
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
      expect(upper.lookup(root(upper), 'moved')).toEqual({
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
