import { execFileSync } from 'node:child_process'
import { chmodSync, linkSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { directoryTree } from '../../src/extract/directory-tree.ts'
import { accountsOf, find, parseFind, treeUsage } from '../../src/query/index.ts'
import { makePlace } from '../support/places.ts'
import { plainTree } from '../support/plain-tree.ts'

const day = 86_400_000

/** A directory with something of everything that an expression can ask about. */
function sample(root: string, now: number): void {
  const at = (path: string) => join(root, path)
  for (const path of ['etc', 'etc/deep', 'etc/deep/er', 'empty', 'usr', 'usr/bin', '.hidden']) mkdirSync(at(path))
  const files: readonly (readonly [string, number, number, number])[] = [
    ['etc/passwd', 100, 0o644, 0],
    ['etc/Shadow', 0, 0o600, 1.5 * day],
    ['etc/deep/a.txt', 512, 0o640, 40 * 60_000],
    ['etc/deep/b.TXT', 513, 0o755, 2.5 * day],
    ['etc/deep/er/[odd] name', 1024, 0o4755, 10 * day],
    ['usr/bin/tool', 70_000, 0o2755, 90 * 60_000],
    ['.hidden/caf\u00e9', 1, 0o1777, 0.5 * day],
    ['usr/z\\b*', 3, 0o444, 3 * day],
  ]
  for (const [path, size, mode, age] of files) {
    writeFileSync(at(path), Buffer.alloc(size, 'x'))
    chmodSync(at(path), mode)
    utimesSync(at(path), (now - age) / 1000, (now - age) / 1000)
  }
  linkSync(at('usr/bin/tool'), at('usr/bin/tool2'))
  symlinkSync('../etc/passwd', at('usr/link'))
  symlinkSync('nowhere', at('usr/dangling'))
}

const expressions = [
  '',
  '-name *.txt',
  '-iname *.txt',
  '-name *',
  '-name .*',
  '-name caf?',
  '-name [!a-z]*',
  '-name [[:upper:]]*',
  '-name \\[odd\\]*',
  '-name z\\\\b\\*',
  '-name [z-a]*',
  '-name [odd]*',
  '-path *deep*',
  '-path ./etc/*',
  '-ipath *DEEP*',
  '-type f',
  '-type d,l',
  '-type f -size +1',
  '-type f -size 1',
  '-type f -size -2k',
  '-type f -size 513c',
  '-type f -size +0',
  '-type f -size -1M',
  '-type f -newer ./usr/bin/tool',
  '-type f -mtime 1',
  '-type f -mtime +1',
  '-type f -mtime -1',
  '-type f -mtime 0',
  '-type f -mmin -60',
  '-type f -mmin +60',
  '-type f -mmin 41',
  '-type f -newermt 2020-01-01',
  '-newermt 2100-01-01T00:00:00Z',
  '-type f -newermt @1600000000',
  '-wholename ./etc/*',
  '-iwholename *DEEP*',
  '-perm 644',
  '-perm -111',
  '-perm /6000',
  '-perm -u=rwx,g=rx',
  '-perm /u+s,g+s',
  '-perm /0',
  '-links 2 -type f',
  '-links +1 -type f',
  '-empty',
  '-empty -type d',
  '-lname *passwd',
  '-samefile ./usr/bin/tool',
  '-maxdepth 1',
  '-mindepth 2 -type d',
  '-maxdepth 2 -mindepth 2',
  '-name deep -prune -o -print',
  '-name deep -prune',
  '-path ./etc -prune -o -type f -print',
  '-depth -name deep -prune -o -print',
  '-not -type f',
  '! -name *.txt -a -type f',
  '( -name *.txt -o -name pass* ) -type f',
  '-type f ( -size +1 -o ! ( -perm -100 -o -name c* ) )',
  '-type f -print , -name etc -print',
  '-true',
  '-false -o -name usr',
  '-uid 0',
  '-gid +0',
  '-uid -1',
  '-type d -print -o -name pass* -print',
]

describe('find', () => {
  test('answers what GNU find answers, on the same files', () => {
    using place = makePlace()
    const now = Date.now()
    sample(place.root, now)
    const tree = directoryTree(place.root)
    for (const text of expressions) {
      const words = text === '' ? [] : text.split(' ').map((word) => (word === '[odd]*' ? '[odd]*' : word))
      const theirs = execFileSync('find', ['.', ...words], {
        cwd: place.root,
        encoding: 'latin1',
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      const ours = [...find(tree, parseFind(words), { from: '.', now: Date.now() })].map(({ shown }) => shown)
      expect(ours.sort(), text).toEqual(theirs.split('\n').slice(0, -1).sort())
    }
    tree.close()
  })

  test('-newer compares with a symlink itself, wherever that leads', () => {
    const tree = plainTree({
      old: { content: '', mtime: 1n },
      link: { kind: 'symlink', target: 'none', mtime: 2n },
      young: { content: '', mtime: 3n },
    })
    const paths = [...find(tree, parseFind(['-type', 'f', '-newer', 'link']))].map(({ shown }) => shown)
    expect(paths).toEqual(['/young'])
  })

  test('print0 and ls are actions like print, and quit ends it', () => {
    const tree = plainTree({ a: '1', b: '2', 'c/d': '3' })
    const told = (...words: string[]) =>
      [...find(tree, parseFind(words))].map(({ action, shown }) => `${action} ${shown}`)
    expect(told('-name', 'a', '-print0', '-o', '-name', 'b', '-ls')).toEqual(['print0 /a', 'ls /b'])
    expect(told('-type', 'f', '-print', '-quit')).toEqual(['print /a'])
    expect(told('-depth')).toEqual(['print /a', 'print /b', 'print /c/d', 'print /c', 'print /'])
  })

  test('users and groups are those of the tree', () => {
    const tree = plainTree({
      'etc/passwd': 'root:x:0:0::/root:/bin/sh\nweb:x:33:33::/:/bin/false\n',
      'etc/group': 'root:x:0:\nweb:x:33:\n',
      a: { uid: 33, gid: 33 },
      b: { uid: 99, gid: 77 },
    })
    const shown = (...words: string[]) =>
      [...find(tree, parseFind(['-type', 'f', ...words]))].map((found) => found.shown)
    expect(shown('-user', 'web')).toEqual(['/a'])
    expect(shown('-group', 'web')).toEqual(['/a'])
    expect(shown('-user', '99')).toEqual(['/b'])
    expect(shown('-nouser')).toEqual(['/b'])
    expect(shown('-nogroup')).toEqual(['/b'])
    expect(() => shown('-user', 'nobody')).toThrow(expect.objectContaining({ code: 'PLY_USAGE' }))
    expect(accountsOf(tree).users.get(33)).toBe('web')
  })

  test('-newermt takes times to the nanosecond, in UTC unless they say otherwise, and -inum numbers', () => {
    const at = (text: string) => BigInt(Date.parse(text)) * 1_000_000n
    const tree = plainTree({
      old: { content: '', mtime: at('2026-01-31T11:59:59Z') },
      noon: { content: '', mtime: at('2026-01-31T12:00:00Z') },
      young: { content: '', mtime: at('2026-01-31T12:00:00Z') + 1n },
    })
    const shown = (...words: string[]) =>
      [...find(tree, parseFind(['-type', 'f', ...words]))].map((found) => found.shown)
    for (const noon of ['2026-01-31T12:00:00Z', '2026-01-31 12:00:00', '2026-01-31T14:00:00+02:00', '@1769860800'])
      expect(shown('-newermt', noon), noon).toEqual(['/young'])
    expect(shown('-newermt', '2026-01-31')).toEqual(['/noon', '/old', '/young'])
    const number = tree.lookup(tree.root, 'noon')!
    expect(shown('-inum', `${number}`)).toEqual(['/noon'])
    expect(shown('-not', '-inum', `${number}`)).toEqual(['/old', '/young'])
  })

  for (const words of [
    ['-name'],
    ['-not'],
    ['-newermt', 'yesterday'],
    ['-inum', 'x'],
    ['(', '-true'],
    ['-exec', 'rm'],
    ['-type', 'x'],
    ['-size', 'much'],
    ['-foo'],
    ['-o'],
    [')'],
  ]) {
    test(`refuses ${words.join(' ')}`, () => {
      expect(() => parseFind(words)).toThrow(expect.objectContaining({ code: 'PLY_USAGE' }))
    })
  }
})

describe('what a tree takes', () => {
  test('is what GNU du says of apparent sizes of files and links, a directory after what is in it', () => {
    using place = makePlace()
    sample(place.root, Date.now())
    const tree = directoryTree(place.root)
    const ours = [...treeUsage(tree, { files: true })]
    const sizes = new Map(ours.map(({ path, apparent }) => [path, apparent]))
    // GNU du counts what directories themselves take, too, up to version 9.1.
    const theirs = execFileSync('du', ['-ab', '.'], { cwd: place.root, encoding: 'latin1' }).split('\n').slice(0, -1)
    expect(theirs).toHaveLength(ours.length)
    const directories = execFileSync('find', ['.', '-type', 'd', '-printf', '%s %p\n'], {
      cwd: place.root,
      encoding: 'latin1',
    })
      .split('\n')
      .slice(0, -1)
      .map((line) => [Number(line.split(' ')[0]), line.slice(line.indexOf(' ') + 1)] as const)
    const linked = new Set(['usr/bin/tool', 'usr/bin/tool2'])
    for (const line of theirs) {
      const [size, path] = line.split('\t')
      const own = directories
        .filter(([, at]) => at === path || at.startsWith(`${path}/`))
        .reduce((sum, [bytes]) => sum + bytes, 0)
      const at = path!.slice(2)
      // Which of two names of a file is counted is a matter of order.
      if (!linked.has(at)) expect(sizes.get(path === '.' ? '' : at), path).toBe(Number(size) - own)
    }
    expect(ours.at(-1)).toMatchObject({ path: '', depth: 0, inodes: 18 })
    tree.close()
  })

  test('can be told to a depth, and of directories alone', () => {
    const tree = plainTree({ 'a/b/c': 'xx', 'a/d': 'yyy', e: '1' })
    expect([...treeUsage(tree)].map(({ path, apparent }) => `${path} ${apparent}`)).toEqual(['a/b 2', 'a 5', ' 6'])
    expect([...treeUsage(tree, { maxDepth: 0 })].map(({ path, stored }) => `${path} ${stored}`)).toEqual([' 1536'])
    expect([...treeUsage(tree, { from: 'a/d' })].map(({ path, apparent }) => `${path} ${apparent}`)).toEqual(['a/d 3'])
  })
})
