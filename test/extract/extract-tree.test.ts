import { execFileSync } from 'node:child_process'
import { lstatSync, mkdirSync, readFileSync, realpathSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import fc from 'fast-check'
import { extract as tarExtract } from 'tar-stream'
import { describe, expect, test } from 'vitest'
import { directoryTree, extractTree } from '../../src/extract/index.ts'
import { planExtraction } from '../../src/extract/plan.ts'
import type { Tree } from '../../src/stack/tree.ts'
import { setXattr } from '../../src/sys/xattr.ts'
import { edited, edits } from '../diff/edits.ts'
import { type PlainNode, type PlainSpec, plainTree, treeEntries } from '../support/plain-tree.ts'
import { altered, inside, isRoot, mountRamfs, mountTmpfs, scratchDirectory } from './scratch.ts'

/** Everything that an ordinary user may make too. */
const everybodys: PlainSpec = {
  '': own({ mode: 0o751, mtime: 1_234_567_890_123_456_789n }),
  'dir/': own({ mode: 0o555, mtime: -3_000_000_001n }),
  'dir/file': own({ content: 'hello', mode: 0o640, mtime: 999_999_999n }),
  'dir/empty': own({ mode: 0 }),
  'dir/deep/': own({ mode: 0 }),
  'dir/deep/er/x': own({ content: 'x' }),
  'dir/deep/er/': own({ mode: 0o1777 }),
  link: own({ target: '../../etc/passwd', mode: 0o777, mtime: 5_000_000_007n }),
  dangling: own({ target: '\xff\xfe', mode: 0o777 }),
  '\xff\xfe not utf-8 \xc3': own({ content: 'bytes' }),
  '\xc3\xa9': own({ content: 'utf-8' }),
  hard: { hardlink: 'dir/file' },
  'z/soft': { hardlink: 'link' },
  'z/': own({}),
  fifo: own({ kind: 'fifo', mode: 0o600 }),
  'z/fifo': { hardlink: 'fifo' },
}

function own(node: PlainNode): PlainNode {
  return { uid: process.geteuid!(), gid: process.getegid!(), ...node }
}

/** An option that tar-stream has and its types do not. */
const latin1: object = { filenameEncoding: 'latin1' }

const reasonForRoot = 'only root may make devices, change owners and mount'

describe('extractTree', () => {
  test('D-02: what is written reads back as the same tree, entry by entry', async () => {
    const target = join(scratchDirectory(), 'out')
    const tree = plainTree(everybodys)
    const report = await extractTree(tree, target)
    expect(report).toMatchObject({ target, directories: 5, files: 5, symlinks: 2, nodes: 1, links: 3, bytes: 16 })
    expect(report.compromises).toEqual({})
    // Without rights over it, what lies behind mode 0 cannot be read back.
    if (!isRoot) execFileSync('chmod', ['700', join(target, 'dir/deep'), join(target, 'dir/empty')])
    const expected = isRoot
      ? tree
      : plainTree({ ...everybodys, 'dir/deep/': own({ mode: 0o700 }), 'dir/empty': own({ mode: 0o700 }) })
    expect(treeEntries(directoryTree(target))).toEqual(treeEntries(expected))
    expect(inside(join(target, '..'))).toEqual(['out'])
  })

  test('D-01: an empty directory is a target too, a full one is not, nor is a file', async () => {
    const base = scratchDirectory()
    mkdirSync(join(base, 'empty'))
    await extractTree(plainTree({ a: '1' }), join(base, 'empty'))
    expect(inside(join(base, 'empty'))).toEqual(['a'])
    await expect(extractTree(plainTree(), join(base, 'empty'))).rejects.toMatchObject({ code: 'PLY_EXISTS' })
    await expect(extractTree(plainTree(), join(base, 'empty/a'))).rejects.toMatchObject({ code: 'ENOTDIR' })
    await expect(extractTree(plainTree(), join(base, 'no/such'))).rejects.toMatchObject({ code: 'ENOENT' })
    expect(inside(base)).toEqual(['empty'])
  })

  test('D-01: a symlink to an empty directory leads to it', async () => {
    const base = scratchDirectory()
    mkdirSync(join(base, 'real'))
    symlinkSync('real', join(base, 'link'))
    expect((await extractTree(plainTree({ a: '1' }), join(base, 'link'))).target).toBe(join(base, 'real'))
    expect(readFileSync(join(base, 'link/a'), 'utf8')).toBe('1')
  })

  test('S-06: zeros become holes, and the content stays the same', async () => {
    const target = join(scratchDirectory(), 'out')
    const size = 32 << 20
    const content = Buffer.alloc(size)
    content.write('start', 0)
    content.write('middle', (9 << 20) + 5)
    const tree = plainTree({ sparse: { content }, tail: { content: Buffer.concat([content, Buffer.from('end')]) } })
    await extractTree(tree, target)
    const { size: written, blocks } = statSync(join(target, 'sparse'))
    expect(written).toBe(size)
    expect(blocks * 512).toBeLessThanOrEqual(64 << 10)
    expect(readFileSync(join(target, 'sparse')).equals(content)).toBe(true)
    expect(readFileSync(join(target, 'tail')).subarray(size).toString()).toBe('end')
  })

  test('D-04: content that lies in a file is copied from there, holes kept, and from the right place', async () => {
    const base = scratchDirectory()
    const content = Buffer.alloc(5 << 20)
    for (let at = 0; at < content.length; at += 1 << 20) content.fill(at / (1 << 20) + 1, at + 100, at + 300_000)
    writeFileSync(join(base, 'tar'), Buffer.concat([Buffer.alloc(512, 'h'), content, Buffer.alloc(512, 't')]))
    const source = directoryTree(base)
    const whole = source.open(source.lookup(source.root, 'tar')!)
    const tree = altered(plainTree({ big: { content } }), {
      open: () => ({
        size: content.length,
        read: (into, position) => whole.read(into, position + 512),
        close() {},
        extent: { fd: whole.extent!.fd, offset: 512 },
      }),
    })
    await extractTree(tree, join(base, 'out'))
    whole.close()
    expect(readFileSync(join(base, 'out/big')).equals(content)).toBe(true)
    expect(statSync(join(base, 'out/big')).blocks * 512).toBeLessThan(content.length / 2)
  })

  test('an extent of a disk that is in memory is not taken for one of the real disk', async () => {
    const content = Buffer.alloc(3 << 20, 'm')
    const plain = plainTree({ big: { content } })
    const tree = altered(plain, { open: (ino) => ({ ...plain.open(ino), extent: { fd: 0x7ffffffe, offset: 0 } }) })
    const target = join(scratchDirectory(), 'out')
    await extractTree(tree, target)
    expect(readFileSync(join(target, 'big')).equals(content)).toBe(true)
  })

  test('X-08, X-05, X-06: user attributes reach files and directories; what does not is counted', async (context) => {
    const target = join(scratchDirectory(), 'out')
    const xattrs = {
      'user.a': '\0\xff',
      'user.b': 'x'.repeat(1000),
      'user.overlay.opaque': 'y',
      'trusted.overlay.redirect': 'z',
      'trusted.other': 'w',
      'security.ima': 'i',
    }
    const tree = plainTree({
      f: { xattrs },
      'd/': { xattrs: { 'user.a': '1' } },
      l: { target: 'x', xattrs: { 'user.a': '1' } },
    })
    const { compromises } = await extractTree(tree, target)
    if (compromises.xattr?.examples.includes('/f (user.a)')) {
      return context.skip('the file system of the temporary directory keeps no user attributes')
    }
    expect(compromises.xattr?.count).toBe(5)
    expect([...compromises.xattr!.examples].sort()).toEqual([
      '/f (security.ima)',
      '/f (trusted.other)',
      '/f (trusted.overlay.redirect)',
      '/f (user.overlay.opaque)',
      '/l (user.a)',
    ])
    const back = directoryTree(target)
    const names = (name: string) =>
      [...back.xattrs(back.lookup(back.root, name)!)].map(([key, value]) => `${key}=${value.length}`)
    expect(names('f').sort()).toEqual(['user.a=2', 'user.b=1000'])
    expect(names('d')).toEqual(['user.a=1'])
  })

  test('M-02: a time that the disk cannot hold is the nearest one, and counted', async (context) => {
    const target = join(scratchDirectory(), 'out')
    const mtime = 200_000_000_000n * 1_000_000_000n + 5n
    const { compromises } = await extractTree(plainTree({ far: own({ mtime }), near: own({ mtime: -1n }) }), target)
    const held = lstatSync(join(target, 'far'), { bigint: true }).mtimeNs
    expect(lstatSync(join(target, 'near'), { bigint: true }).mtimeNs).toBe(-1n)
    if (held === mtime) {
      expect(compromises.time).toBeUndefined()
      return context.skip('the temporary directory is on a disk that holds every time')
    }
    expect(compromises.time).toEqual({ count: 1, examples: ['/far'] })
  })

  test('X-06: access control lists that the place gives to what is made there do not reach the tree', async (context) => {
    const base = scratchDirectory()
    // Version 2; owner, user 1000, group, mask, others: tag, rights, id.
    const list = Buffer.from(
      '02000000 01000700ffffffff 02000700e8030000 04000500ffffffff 10000700ffffffff 20000500ffffffff'.replaceAll(
        ' ',
        '',
      ),
      'hex',
    )
    try {
      setXattr(base, 'system.posix_acl_default', list)
    } catch (error) {
      return context.skip(`no access control lists in the temporary directory: ${error}`)
    }
    const tree = plainTree({ '': own({}), 'd/': own({}), 'd/f': own({ content: 'x', mode: 0o640 }) })
    await extractTree(tree, join(base, 'out'))
    expect(treeEntries(directoryTree(join(base, 'out')))).toEqual(treeEntries(tree))
  })

  test('M-05: directories have their times after all that was put into them, and links to them have their own', async () => {
    const target = join(scratchDirectory(), 'out')
    const at = (seconds: number) => BigInt(seconds) * 1_000_000_000n
    const times = { '': 11, a: 12, 'a/b': 13, 'a/b/c': 14, 'a/b/f': 15, 'a/l': 16, z: 17, 'z/m': 18 }
    const spec: PlainSpec = {
      '': own({ mtime: at(times['']) }),
      'a/': own({ mtime: at(times.a) }),
      'a/b/': own({ mtime: at(times['a/b']) }),
      'a/b/c/': own({ mtime: at(times['a/b/c']) }),
      'a/b/f': own({ content: 'x', mtime: at(times['a/b/f']) }),
      'a/l': own({ target: 'b', mtime: at(times['a/l']) }),
      'z/': own({ mtime: at(times.z) }),
      'z/hard': { hardlink: 'a/b/f' },
      'z/m': own({ target: '../a', mtime: at(times['z/m']) }),
    }
    await extractTree(plainTree(spec), target)
    const found = Object.keys(times).map((path) => [path, Number(lstatSync(join(target, path)).mtimeMs) / 1000])
    expect(Object.fromEntries(found)).toEqual(times)
  })

  test('X-10: a disk without attributes is one finding with a few examples, and the content is all there', async () => {
    const base = scratchDirectory()
    // Whoever may not mount one has attributes that no disk gives to an ordinary user.
    if (isRoot) mountRamfs(base)
    const name = isRoot ? 'user.a' : 'trusted.a'
    const files = Array.from({ length: 50 }, (_, i) => `f${String(i).padStart(2, '0')}`)
    const tree = plainTree({
      '': own({}),
      ...Object.fromEntries(files.map((file) => [file, own({ content: file, xattrs: { [name]: 'v' } })])),
    })
    const { compromises } = await extractTree(tree, join(base, 'out'))
    const examples = files.slice(0, 5).map((file) => `/${file} (${name})`)
    expect(compromises).toEqual({ xattr: { count: 50, examples } })
    expect(files.map((file) => readFileSync(join(base, 'out', file), 'utf8'))).toEqual(files)
  })

  test('M-04: access times are the modify times', async () => {
    const target = join(scratchDirectory(), 'out')
    await extractTree(plainTree({ f: own({ mtime: 1_500_000_000_000_000_001n }) }), target)
    expect(lstatSync(join(target, 'f'), { bigint: true }).atimeNs).toBe(1_500_000_000_000_000_001n)
  })

  test('T-09: sockets are left out and counted', async () => {
    const target = join(scratchDirectory(), 'out')
    const { compromises } = await extractTree(
      plainTree({ 'run/s': { kind: 'socket' }, t: { hardlink: 'run/s' } }),
      target,
    )
    expect(compromises.socket).toEqual({ count: 2, examples: ['/t', '/run/s'] })
    expect(inside(target)).toEqual(['run'])
  })

  test('progress counts the bytes of the contents up to their sum', async () => {
    const seen: [number, number | undefined][] = []
    const onProgress = ({ done, total }: { done: number; total?: number }) => seen.push([done, total])
    await extractTree(plainTree({ a: '123', b: '4567' }), join(scratchDirectory(), 'out'), { onProgress })
    expect(seen.at(-1)).toEqual([7, 7])
  })

  test('whatever tree it is, it reads back the same', async (context) => {
    if (!isRoot) return context.skip(reasonForRoot)
    await fc.assert(
      fc.asyncProperty(edits, async (made) => {
        const base = scratchDirectory()
        const tree = edited(made)
        await extractTree(tree, join(base, 'out'), { xattrs: 'all' })
        // Linux has user attributes on files and directories only.
        const entries = (tree: Tree) =>
          treeEntries(tree).map((entry) => {
            const kept = ([name]: [string, string]) =>
              entry.kind === 'file' || entry.kind === 'directory' || !name.startsWith('user.')
            return { ...entry, xattrs: Object.fromEntries(Object.entries(entry.xattrs).filter(kept)) }
          })
        expect(entries(directoryTree(join(base, 'out')))).toEqual(entries(tree))
      }),
      { numRuns: 60 },
    )
  })

  test('O-03, O-07: root keeps owners, set-id bits, devices and capabilities', async (context) => {
    if (!isRoot) return context.skip(reasonForRoot)
    const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex')
    const tree = plainTree({
      su: { content: 'x', mode: 0o6755, uid: 1000, gid: 2000 },
      ping: { content: 'x', mode: 0o755, uid: 5, gid: 5, xattrs: { 'security.capability': capability } },
      'mail/': { mode: 0o3770, uid: 8, gid: 12 },
      null: { kind: 'character', major: 1, minor: 3, mode: 0o666 },
      big: { kind: 'block', major: 4095, minor: 1048575, mode: 0o660, gid: 6 },
      'big too': { hardlink: 'big' },
      l: { target: 'x', uid: 1000, gid: 1000 },
    })
    const target = join(scratchDirectory(), 'out')
    expect((await extractTree(tree, target)).compromises).toEqual({})
    expect(treeEntries(directoryTree(target))).toEqual(treeEntries(tree))
  })

  test('owner: current gives everything to the writer, without the rights of others', async () => {
    const uid = process.geteuid!()
    const gid = process.getegid!()
    const tree = plainTree({
      su: { content: 'x', mode: 0o6755, uid: uid + 7, gid: gid + 7 },
      mine: own({ mode: 0o4755 }),
    })
    const target = join(scratchDirectory(), 'out')
    const { compromises } = await extractTree(tree, target, { owner: 'current' })
    expect(compromises).toEqual({ 'set-id': { count: 1, examples: ['/su'] } })
    const { mode, uid: owner, gid: group } = lstatSync(join(target, 'su'))
    expect([mode & 0o7777, owner, group]).toEqual([0o755, uid, gid])
    expect(lstatSync(join(target, 'mine')).mode & 0o7777).toBe(0o4755)
  })

  test('GNU tar archives the directory as the same entries', async () => {
    const target = join(scratchDirectory(), 'out')
    const spec: PlainSpec = {
      ...everybodys,
      // tar-stream misreads times before 1970.
      'dir/': own({ mode: 0o555, mtime: 3_999_999_999n }),
      'dir/deep/': own({ mode: 0o700 }),
      'dir/empty': own({ mode: 0o600 }),
      ...(isRoot && {
        null: { kind: 'character', major: 1, minor: 3 },
        owned: { content: 'o', uid: 1000, gid: 70000 },
      }),
    }
    const tree = plainTree(spec)
    await extractTree(tree, target)
    const archive = execFileSync('tar', ['-c', '--sort=name', '--format=gnu', '--numeric-owner', '-C', target, '.'])
    const listed: string[] = []
    const reader = tarExtract(latin1)
    reader.on('entry', (header, stream, next) => {
      const { name, mode, uid, gid, mtime, type, linkname, size } = header
      const seconds = Math.floor(mtime!.getTime() / 1000)
      const path = name.replace(/^\.\//, '').replace(/\/$/, '')
      const what = type === 'symlink' ? linkname : type === 'link' ? 'link' : `${size}`
      listed.push([path, type, mode, uid, gid, seconds, what].join(' '))
      stream.resume()
      stream.on('end', next)
    })
    await finished(Readable.from([archive]).pipe(reader))
    const types = {
      file: 'file',
      directory: 'directory',
      symlink: 'symlink',
      character: 'character-device',
      block: 'block-device',
      fifo: 'fifo',
      socket: '',
    }
    const seen = new Set<string>()
    const expected = treeEntries(tree).map((entry) => {
      const seconds = entry.mtime / 1_000_000_000n - (entry.mtime % 1_000_000_000n < 0n ? 1n : 0n)
      const again = entry.linkedTo !== undefined && entry.linkedTo !== entry.path
      const type = again ? 'link' : types[entry.kind]
      const what = again
        ? 'link'
        : entry.kind === 'symlink'
          ? entry.target
          : `${entry.kind === 'file' ? entry.size : 0}`
      seen.add(entry.path)
      return [entry.path, type, entry.mode, entry.uid, entry.gid, seconds, what].join(' ')
    })
    // Which name of a group comes first is tar's own affair: its order is that of a locale.
    const comparable = (lines: string[]) =>
      lines.map((line) => line.replace(/^(hard|dir\/file|link|z\/soft|fifo|z\/fifo) .*/, '$1')).sort()
    expect(comparable(listed)).toEqual(comparable(expected))
  })
})

describe('a tree that cannot be written', () => {
  test('D-03: what cannot be written is found before anything is read or written, at the end of the tree as well', async () => {
    const base = scratchDirectory()
    const odd = {
      'a name that is too long': { ['z'.repeat(256)]: 'x' },
      'a name of dots': { 'z/..': 'x' },
      'a symlink to nothing': { z: { target: '' } },
      'a symlink that is too long': { z: { target: 't'.repeat(4096) } },
    }
    for (const [what, spec] of Object.entries(odd)) {
      const tree = altered(plainTree({ a: 'content', ...spec }), {
        open: () => {
          throw new Error('it was read')
        },
      })
      const extraction = extractTree(tree, join(base, 'out'))
      await expect(extraction, what).rejects.toMatchObject({ code: 'PLY_UNREPRESENTABLE' })
    }
    expect(inside(base)).toEqual([])
  })

  test('D-05: of a file with more names than the disk allows there is a copy, which is reported', async () => {
    const target = join(scratchDirectory(), 'out')
    // One more than ext4 takes; others may take all of them.
    const count = 65_001
    const names = Array.from({ length: count }, (_, at) => [`n${at}`, { hardlink: 'a' }] as const)
    const { compromises } = await extractTree(plainTree({ a: 'content', ...Object.fromEntries(names) }), target)
    const { nlink } = statSync(join(target, 'a'))
    expect(nlink + (compromises.link?.count ?? 0)).toBe(count + 1)
    expect(readFileSync(join(target, `n${count - 1}`), 'utf8')).toBe('content')
  })

  test('N-08: a path that is too long is found before anything is written', async () => {
    const base = scratchDirectory()
    const part = 'p'.repeat(250)
    const long = Array.from({ length: 17 }, () => part).join('/')
    const tree = altered(plainTree({ [long]: 'x', a: 'y' }), { open: () => expect.fail('written') })
    await expect(extractTree(tree, join(base, 'out'))).rejects.toMatchObject({
      code: 'PLY_UNREPRESENTABLE',
      message: expect.stringContaining('N-08'),
    })
    expect(inside(base)).toEqual([])
  })

  test('N-09: names that the disk takes for one are found, with both names', async () => {
    const limits = { where: '/mnt', longestPath: 4000, foldsNames: true }
    for (const [one, other] of [
      ['d/README', 'd/readme'],
      ['d/\xc3\xa9', 'd/e\xcc\x81'],
      ['stra\xc3\x9fe', 'STRASSE'],
    ]) {
      const planned = planExtraction(plainTree({ [one!]: '', [other!]: '', 'else/README': '' }), limits)
      await expect(planned).rejects.toMatchObject({
        code: 'PLY_UNREPRESENTABLE',
        message: expect.stringContaining('N-09'),
      })
    }
    await expect(planExtraction(plainTree({ 'a/x': '', 'b/X': '' }), limits)).resolves.toMatchObject({ inodes: 5 })
  })

  for (const [what, name] of [
    ['parent directories', '..'],
    ['separators', '../evil'],
    ['NUL', 'a\0b'],
    ['nothing', ''],
  ]) {
    test(`D-02: names of ${what} are refused`, async () => {
      const base = scratchDirectory()
      const plain = plainTree({ evil: 'x' })
      const tree = altered(plain, {
        list: () => [{ name: name!, ino: plain.lookup(plain.root, 'evil')!, kind: 'file' }],
      })
      await expect(extractTree(tree, join(base, 'out'))).rejects.toMatchObject({ code: 'PLY_UNREPRESENTABLE' })
      expect(inside(base)).toEqual([])
    })
  }

  test('a directory that is inside itself is refused', async () => {
    const base = scratchDirectory()
    const plain = plainTree({ 'a/b': '' })
    const a = plain.lookup(plain.root, 'a')!
    const tree = altered(plain, { list: () => [{ name: 'a', ino: a, kind: 'directory' }] })
    await expect(extractTree(tree, join(base, 'out'))).rejects.toMatchObject({ code: 'PLY_UNREPRESENTABLE' })
  })

  test('D-02: a symlink and a directory of the same name: nothing lands behind the symlink', async () => {
    const base = scratchDirectory()
    const outside = join(base, 'outside')
    mkdirSync(outside)
    const plain = plainTree({ l: { target: outside }, 'd/x': 'evil' })
    const [d, l] = [plain.lookup(plain.root, 'd')!, plain.lookup(plain.root, 'l')!]
    const tree = altered(plain, {
      *list(ino) {
        if (ino !== plain.root) return yield* plain.list(ino)
        yield { name: 'n', ino: l, kind: 'symlink' }
        yield { name: 'n', ino: d, kind: 'directory' }
      },
    })
    await expect(extractTree(tree, join(base, 'out'))).rejects.toMatchObject({ code: 'EEXIST', path: '/n' })
    expect(inside(outside)).toEqual([])
    expect(inside(base)).toEqual(['outside'])
  })

  test('symlinks out of the tree are written as they are, and nothing follows them', async () => {
    const base = scratchDirectory()
    writeFileSync(join(base, 'victim'), 'safe', { mode: 0o644 })
    const before = lstatSync(join(base, 'victim'), { bigint: true })
    const victim = own({ target: join(base, 'victim'), mode: 0o777, mtime: 1n })
    await extractTree(plainTree({ a: victim, 'd/b': { hardlink: 'a' } }), join(base, 'out'))
    expect(lstatSync(join(base, 'victim'), { bigint: true })).toEqual(before)
    expect(realpathSync(join(base, 'out/d/b'))).toBe(join(base, 'victim'))
  })

  test('a content that is shorter than its size says fails with its path, and nothing stays', async () => {
    const base = scratchDirectory()
    const plain = plainTree({ 'd/f': 'content' })
    const tree = altered(plain, { open: (ino) => ({ ...plain.open(ino), read: () => 3 }) })
    await expect(extractTree(tree, join(base, 'out'))).rejects.toMatchObject({ code: 'EIO', path: '/d/f' })
    expect(inside(base)).toEqual([])
  })

  test('D-06: being stopped leaves nothing, and an empty target stays empty', async () => {
    const base = scratchDirectory()
    mkdirSync(join(base, 'target'))
    const stop = new AbortController()
    const spec: PlainSpec = Object.fromEntries(
      Array.from({ length: 3000 }, (_, i) => [`d${i % 50}/f${i}`, 'x'.repeat(i)]),
    )
    const onProgress = ({ done }: { done: number }) => {
      if (done > 100_000) stop.abort()
    }
    const tree = plainTree({ ...spec, 'd0/': { mode: 0 } })
    const writing = extractTree(tree, join(base, 'target'), { signal: stop.signal, onProgress })
    await expect(writing).rejects.toMatchObject({ code: 'PLY_ABORTED' })
    expect(inside(base)).toEqual(['target'])
    expect(inside(join(base, 'target'))).toEqual([])
  })
})

describe('a file system that is too small, or is the target itself', () => {
  test('B-02: too little room is found before anything is written', async (context) => {
    if (!isRoot) return context.skip(reasonForRoot)
    const base = scratchDirectory()
    mountTmpfs(base, 'size=1m')
    const tree = altered(plainTree({ a: { content: Buffer.alloc(2 << 20, 1) } }), {})
    await expect(extractTree(tree, join(base, 'out'))).rejects.toMatchObject({
      code: 'ENOSPC',
      details: { what: 'bytes' },
    })
    expect(inside(base)).toEqual([])
  })

  test('B-02, S-06: holes need no room', async (context) => {
    if (!isRoot) return context.skip(reasonForRoot)
    const base = scratchDirectory()
    mountTmpfs(base, 'size=1m')
    await extractTree(plainTree({ a: { content: Buffer.alloc(20 << 20) } }), join(base, 'out'))
    expect(statSync(join(base, 'out/a')).size).toBe(20 << 20)
  })

  test('B-02: too few inodes are found before anything is written', async (context) => {
    if (!isRoot) return context.skip(reasonForRoot)
    const base = scratchDirectory()
    mountTmpfs(base, 'nr_inodes=10')
    const tree = plainTree(Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`f${i}`, ''])))
    await expect(extractTree(tree, join(base, 'out'))).rejects.toMatchObject({
      code: 'ENOSPC',
      details: { what: 'inodes' },
    })
    expect(inside(base)).toEqual([])
  })

  test('D-06: a disk that fills up meanwhile leaves nothing', async (context) => {
    if (!isRoot) return context.skip(reasonForRoot)
    const base = scratchDirectory()
    mountTmpfs(base, 'size=4m')
    const plain = plainTree({ a: { content: Buffer.alloc(1 << 20, 1) }, b: { content: Buffer.alloc(1 << 20, 2) } })
    const tree = altered(plain, {
      open(ino) {
        if (ino === plain.lookup(plain.root, 'b')) writeFileSync(join(base, 'filler'), Buffer.alloc(5 << 19, 3))
        return plain.open(ino)
      },
    })
    await expect(extractTree(tree, join(base, 'out'))).rejects.toMatchObject({ code: 'ENOSPC', path: '/b' })
    expect(inside(base)).toEqual(['filler'])
  })

  test('D-01: an empty mount point is a target', async (context) => {
    if (!isRoot) return context.skip(reasonForRoot)
    const base = scratchDirectory()
    const target = join(base, 'mount point')
    mkdirSync(target)
    mountTmpfs(target, 'size=4m')
    const tree = plainTree({ ...everybodys, null: { kind: 'character', major: 1, minor: 3 } })
    expect((await extractTree(tree, target)).compromises).toEqual({})
    expect(treeEntries(directoryTree(target))).toEqual(treeEntries(tree))
    expect(inside(base)).toEqual(['mount point'])
  })

  test('D-06: a mount point stays empty where something fails', async (context) => {
    if (!isRoot) return context.skip(reasonForRoot)
    const target = scratchDirectory()
    mountTmpfs(target, 'size=4m')
    const plain = plainTree({ a: '1', b: '2', '\xff': '3' })
    const tree = altered(plain, { open: (ino) => ({ ...plain.open(ino), read: () => 0 }) })
    await expect(extractTree(tree, target)).rejects.toMatchObject({ code: 'EIO' })
    expect(inside(target)).toEqual([])
  })
})
