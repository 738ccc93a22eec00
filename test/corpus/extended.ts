import { dir, file, link, symlink } from '../layer/parts.ts'
import { archive, long, member, pax, record } from '../tar/raw.ts'
import { type Case, refuses, says } from './case.ts'
import { told } from './lines.ts'

const x = (path: string) => file(path, 'x')
const xattr = 'SCHILY.xattr.user.a'
const mebi = 1 << 20

/** A record with the length that it is told to have, right or wrong. */
const claimed = (length: number | string, rest: string) => `${length} ${rest}`

const malformed: readonly (readonly [string, string])[] = [
  ['without a length', ' path=x\n'],
  ['with a length of zero', '0 path=x\n'],
  ['with a negative length', '-9 path=x\n'],
  ['with a length in hexadecimal', '0x9 path=x\n'],
  ['with a length of one less', claimed(8, 'path=x\n')],
  ['with a length of one more', claimed(11, `path=x\n${record('uid', '5')}`)],
  ['with a length beyond the header', claimed(99, 'path=x\n')],
  ['with a length that ends before its key', claimed(3, 'path=x\n')],
  ['with a length of many digits', claimed('99999999999999999999', 'path=x\n')],
  ['without a blank', '9path=xy\n'],
  ['without an equals sign', claimed(8, 'pathx\n')],
  ['without a key', claimed(5, '=x\n')],
  ['without a newline', claimed(9, 'path=xy')],
  ['with a NUL for its newline', claimed(9, 'path=x\0')],
  ['behind a good one', `${record('mtime', '1')}9 path=xx`],
  ['of NULs behind a good one', `${record('mtime', '1')}\0\0\0`],
]

/** Section 7, extended headers. */
export const extended: readonly Case[] = [
  says(
    'P-01: values may hold newlines, equals signs, NULs and any other byte',
    [
      pax({ path: 'a\nb', [xattr]: 'one\ntwo=2\n\n' }),
      x('f'),
      pax({ path: 'c=d', [xattr]: '=\0=\xff' }),
      x('f'),
      pax({ path: 'e', linkpath: '11 path=zz\n' }),
      symlink('f', 't'),
      pax({ path: '11 path=zz\n' }),
      x('f'),
    ],
    `11\\x20path=zz\\x0a file 644 "x"
     a\\x0ab file 644 "x"
     a\\x0ab [user.a] "one\\x0atwo=2\\x0a\\x0a"
     c=d file 644 "x"
     c=d [user.a] "=\\x00=\\xff"
     e symlink 777 -> 11\\x20path=zz\\x0a`,
  ),
  says(
    'P-01: lengths of 9, 10 and 11 bytes',
    [pax('9 path=x\n'), file('f', '9'), pax('10 path=y\n'), file('f', '10'), pax('11 path=zz\n'), file('f', '11')],
    `x file 644 "9"
     y file 644 "10"
     zz file 644 "11"`,
  ),
  ...[99, 100, 101, 999, 1000, 1001].map((length) => {
    const value = 'v'.repeat(length - String(length).length - xattr.length - 3)
    return says(
      `P-01: a record of ${length} bytes`,
      [pax(`${length} ${xattr}=${value}\n${record('mtime', '1')}`), x('f')],
      ['f file 644 @1 "x"', `f [user.a] ${told(value)}`],
    )
  }),
  ...malformed.map(([what, text]) => refuses(`P-02: a record ${what}`, [pax(text), x('f')])),
  ...malformed
    .slice(0, 3)
    .map(([what, text]) => refuses(`P-02: a record ${what}, in a global header`, [pax(text, 'g'), x('f')])),
  says(
    'P-03: an empty value takes the attribute back, and the header counts again',
    [
      pax(
        record('path', 'a') +
          record('path', '') +
          record('size', '99') +
          record('size', '') +
          record('uid', '9') +
          record('uid', '') +
          record('gid', '9') +
          record('gid', '') +
          record('mtime', '9') +
          record('mtime', '') +
          record(xattr, '1') +
          record(xattr, ''),
      ),
      file('f', 'x', { uid: 1, gid: 2, mtime: 3 }),
      pax(record('linkpath', 'a') + record('linkpath', '')),
      symlink('l', 't'),
    ],
    `f file 644 1:2 @3 "x"
     l symlink 777 -> t`,
  ),
  says(
    'P-04: of a repeated key the last counts',
    [
      pax(
        record('path', 'a') +
          record('uid', '1') +
          record('path', 'b') +
          record('uid', '2') +
          record(xattr, '1') +
          record(xattr, '2'),
      ),
      x('f'),
    ],
    `b file 644 2:0 "x"
     b [user.a] "2"`,
  ),
  says(
    'P-05: a second extended header before one entry replaces the first completely',
    [pax({ path: 'a', uid: '5', [xattr]: '1' }), pax({ mtime: '7' }), x('f')],
    'f file 644 @7 "x"',
    { warnings: ['P-05'] },
  ),
  says('P-05: so does an empty one', [pax({ path: 'a' }), pax(''), x('f')], 'f file 644 "x"', { warnings: ['P-05'] }),
  says(
    'P-06: known keys count, unknown ones are ignored',
    [
      pax({
        path: 'a',
        uid: '1',
        gid: '2',
        size: '1',
        mtime: '3.5',
        atime: '4',
        ctime: '5',
        [xattr]: '6',
        comment: 'x',
        charset: 'x',
        realtime: 'x',
        uname: 'x',
        gname: 'x',
        'SCHILY.dev': '7',
        'SCHILY.devmajor': '8',
        'SCHILY.realsize': '9',
        'LIBARCHIVE.creationtime': '1',
        'VENDOR.key': 'x',
        PATH: 'x',
        'path ': 'x',
      }),
      file('f', 'x'),
    ],
    `a file 644 1:2 @3.5 "x"
     a [user.a] "6"`,
  ),
  says(
    'P-07: paths are bytes, whatever hdrcharset says',
    [
      pax({ hdrcharset: 'BINARY', path: '\xe9' }),
      x('f'),
      pax({ hdrcharset: 'ISO-IR 10646 2000 UTF-8', path: '\xff\xfe', linkpath: '\xc0' }),
      symlink('f', 't'),
    ],
    `\\xe9 file 644 "x"
     \\xff\\xfe symlink 777 -> \\xc0`,
  ),
  says(
    'P-08: global headers have no effect on entries',
    [pax({ path: 'a', mtime: '5', uid: '6' }, 'g'), x('f'), pax({ [xattr]: '1' }, 'g'), pax({ mtime: '7' }), x('g')],
    `f file 644 "x"
     g file 644 @7 "x"`,
    { warnings: ['P-08', 'P-08'] },
  ),
  says(
    'P-08: a global header between an extended header and its entry has no effect either',
    [pax({ mtime: '7' }), pax({ comment: 'between' }, 'g'), x('f')],
    'f file 644 @7 "x"',
  ),
  says(
    'P-08: a comment in a global header is nothing to warn of',
    [pax({ comment: 'a commit' }, 'g'), dir('d')],
    ['d/ directory 755'],
  ),
  says(
    'P-09: a long name, a long link text and an extended header of 1 MiB each',
    [
      member({ name: '././@LongLink', type: 'L' }, `${'./'.repeat(mebi / 2 - 1)}/a`),
      x('-'),
      member({ name: '././@LongLink', type: 'K' }, `${'./'.repeat(mebi / 2 - 1)}/a`),
      link('b', '-'),
      pax(record('mtime', '5') + filler(mebi - record('mtime', '5').length)),
      x('c'),
    ],
    `a file 644 "x"
     b = a
     c file 644 @5 "x"`,
  ),
  refuses('P-09: a long name of more than 1 MiB', [
    member({ name: '././@LongLink', type: 'L' }, `.${'./'.repeat(mebi / 2 - 1)}/a`),
    x('-'),
  ]),
  refuses('P-09: a long link text of more than 1 MiB', [
    member({ name: '././@LongLink', type: 'K' }, `.${'./'.repeat(mebi / 2 - 1)}/a`),
    link('b', '-'),
  ]),
  refuses('P-09: an extended header of more than 1 MiB', [pax(filler(mebi + 1)), x('c')]),
  refuses('P-09: a global header of more than 1 MiB', [pax(filler(mebi + 1), 'g'), x('c')]),
  refuses('P-10: an extended header before the end marker', [x('a'), pax({ path: 'b' })]),
  refuses('P-10: an extended header before the end of the archive', Buffer.concat([x('a'), pax({ path: 'b' })])),
  refuses('P-10: a long name before the end marker', [long('L', 'b')]),
  refuses('P-10: a long link text before the end marker', [long('K', 'b')]),
  says('P-10: a global header may stand last', [x('a'), pax({ comment: 'x' }, 'g')], 'a file 644 "x"'),
  refuses('Z-04: an archive that ends inside an extended header', archive(pax({ path: 'b' })).subarray(0, 515)),
]

/** One record of so many bytes that nobody knows. */
function filler(bytes: number): string {
  return `${bytes} ${'comment='}${'c'.repeat(bytes - String(bytes).length - 10)}\n`
}
