import { dir, file, link, named, symlink } from '../layer/parts.ts'
import { base256, gnu, header, long, member, pax, posix } from '../tar/raw.ts'
import { type Case, refuses, says } from './case.ts'

const x = (path: string) => file(path, 'x')
const p = (size: number) => 'p'.repeat(size)

/** Section 7, but for numbers and extended headers. */
export const headers: readonly Case[] = [
  says(
    'F-01: octal numbers may have blanks and NULs on both sides, and may be empty',
    [
      file('a', 'x', { mode: '   600 \0', uid: '     5 \0', gid: '      6 ', mtime: '         14 ' }),
      file('b', 'x', { mode: '\0\x00600\0\0\0', uid: '\0\0\0\0\x005\0\0', gid: '       ', mtime: ' '.repeat(12) }),
      file('c', 'x', { mode: '', uid: '', gid: '', mtime: '' }),
      file('d', 'x', { mode: '600\0junk', uid: '7      ' }),
    ],
    `a file 600 5:6 @12 "x"
     b file 600 5:0 "x"
     c file 0 "x"
     d file 600 7:0 "x"`,
  ),
  ...[
    ['a letter', '644x\0'],
    ['the digit 8', '0000648\0'],
    ['two numbers', '06 44\0'],
    ['a minus', '-644\0'],
  ].flatMap(([what, text]) =>
    (['mode', 'uid', 'gid', 'size', 'mtime'] as const).map((field) =>
      refuses(`F-01: ${what} in the field ${field}`, [member({ name: 'a', [field]: text })]),
    ),
  ),
  says('F-02: of a mode only the low 12 bits count', [file('a', 'x', { mode: 0o107755 })], 'a file 7755 "x"'),
  says(
    'F-03: the signed sum counts too',
    [member({ name: 'caf\xe9', checksum: 'signed' }, 'x'), member({ name: 'caf\xe8' }, 'y')],
    `caf\\xe8 file 644 "y"
     caf\\xe9 file 644 "x"`,
  ),
  refuses('F-03: a wrong checksum', [member({ name: 'a', checksum: 1234 })]),
  refuses('F-03: a wrong checksum in a later header', [x('a'), member({ name: 'b', checksum: 1 })]),
  refuses('F-03: no tar at all', Buffer.from('<html>not found</html>'.padEnd(1024))),
  says(
    'F-04: a v7 header has no prefix and no device numbers',
    [
      member({ name: 'a', magic: '', prefix: 'not/a/prefix' }, 'x'),
      member({ name: 'c', type: '3', magic: '', mode: 0o600 }),
      member({ name: 'd', type: '3', magic: 'ustaX\x0000', major: '0000001\0', minor: '0000003\0', prefix: 'n' }),
    ],
    `a file 644 "x"
     c character 0:0 600
     d character 0:0 644`,
  ),
  says(
    'F-04: an old GNU header has other things where the prefix would be',
    [member({ name: 'a', magic: gnu, tail: '00000001234\x0000000005678\0' }, 'x')],
    'a file 644 "x"',
  ),
  says(
    'F-04: ustar and PAX headers have a prefix, whatever their version',
    [
      member({ name: 'a', prefix: 'd' }, 'x'),
      member({ name: 'b', prefix: 'd', magic: 'ustar\0  ' }, 'x'),
      Buffer.concat([pax({ mtime: '1' }), member({ name: 'c', prefix: 'd/e' }, 'x')]),
    ],
    `d/ implied
     d/a file 644 "x"
     d/b file 644 "x"
     d/e/ implied
     d/e/c file 644 @1 "x"`,
  ),
  says(
    'F-04: a star header has a prefix of 131 bytes',
    [
      member(
        { name: 'a', magic: posix, tail: `${p(131)}00000001234\x0000000005678\0`.padEnd(163, '\0').concat('tar\0') },
        'x',
      ),
    ],
    [`${p(131)}/ implied`, `${p(131)}/a file 644 "x"`],
  ),
  says(
    'F-05: fields filled to their last byte',
    [member({ name: 'n'.repeat(100), prefix: p(155) }, 'x'), symlink('l', 't'.repeat(100))],
    [`l symlink 777 -> ${'t'.repeat(100)}`, `${p(155)}/ implied`, `${p(155)}/${'n'.repeat(100)} file 644 "x"`],
  ),
  says(
    'F-06: a GNU long name wins over an extended path, which wins over the header, prefix and all',
    [
      Buffer.concat([pax({ path: 'extended' }), named('long', x('header'))]),
      Buffer.concat([named('long2', pax({ path: 'extended' })), x('header')]),
      Buffer.concat([pax({ path: 'extended2' }), member({ name: 'header', prefix: 'prefix' }, 'x')]),
    ],
    `extended2 file 644 "x"
     long file 644 "x"
     long2 file 644 "x"`,
  ),
  says(
    'F-06: the same for link texts',
    [
      Buffer.concat([pax({ linkpath: 'extended' }), long('K', 'long'), symlink('a', 'header')]),
      Buffer.concat([long('K', 'long'), pax({ linkpath: 'extended' }), symlink('b', 'header')]),
      Buffer.concat([pax({ linkpath: 'extended' }), symlink('c', 'header')]),
      Buffer.concat([pax({ linkpath: 'a' }), link('d', 'header')]),
    ],
    `a symlink 777 -> long
     b symlink 777 -> long
     c symlink 777 -> extended
     d = a`,
  ),
  says(
    'F-07: user and group names are ignored',
    [
      header({ name: 'a', uid: 5, userName: 'root', groupName: 'wheel' }),
      Buffer.concat([pax({ uname: 'nobody', gname: 'nogroup' }), file('b', 'x', { gid: 6 })]),
    ],
    `a file 644 5:0 ""
     b file 644 0:6 "x"`,
  ),
  says(
    'F-08: the text of a symlink is kept byte for byte',
    [symlink('a', './/x/../y/'), symlink('b', '/'), symlink('c', '..'), symlink('d', ' \n'), symlink('e', '.wh.x')],
    `a symlink 777 -> .//x/../y/
     b symlink 777 -> /
     c symlink 777 -> ..
     d symlink 777 -> \\x20\\x0a
     e symlink 777 -> .wh.x`,
  ),
  says(
    'F-08: a symlink text of 4095 bytes',
    [Buffer.concat([long('K', 't'.repeat(4095)), symlink('l', '-')])],
    `l symlink 777 -> ${'t'.repeat(4095)}`,
  ),
  refuses('F-08: a symlink text of 4096 bytes, which no kernel takes', [
    Buffer.concat([long('K', 't'.repeat(4096)), symlink('l', '-')]),
  ]),
  refuses('F-08: a symlink without a text', [symlink('l', '')]),
  says(
    'M-01: a time of the header is in whole seconds',
    [file('a', 'x', { mtime: 1_700_000_000 })],
    ['a file 644 @1700000000 "x"'],
  ),
  says(
    'M-01: fractions have nine digits and are floored, further ones are cut',
    [
      ['a', '1.5'],
      ['b', '1.123456789999'],
      ['c', '-1.5'],
      ['d', '-0.000000001'],
      ['f', '000012.500'],
      ['g', '-0'],
      ['h', '-1.0000000009'],
    ].flatMap(([name, mtime]) => [pax({ mtime: mtime! }), file(name!)]),
    `a file 644 @1.5 ""
     b file 644 @1.123456789 ""
     c file 644 @-1.5 ""
     d file 644 @-0.000000001 ""
     f file 644 @12.5 ""
     g file 644 ""
     h file 644 @-1 ""`,
  ),
  ...[' ', 'x', '1e9', '+1', '1.5x', '--1', '.5', '0x10', '1,5', '1 '].map((mtime) =>
    refuses(`M-01: the time ${JSON.stringify(mtime)} is none`, [pax({ mtime }), x('a')]),
  ),
  says(
    'M-03: access and change times are not in the index',
    [pax({ atime: '5', ctime: '6.5', mtime: '7' }), x('a')],
    'a file 644 @7 "x"',
  ),
  says(
    'M-06: an implied directory has time 0, whatever time its content has and whatever the clock says',
    [file('d/e/f', 'x', { mtime: 1_700_000_000 })],
    `d/ implied
     d/e/ implied
     d/e/f file 644 @1700000000 "x"`,
  ),
  says(
    'O-01: owners are those of the archive',
    [file('a', 'x', { uid: 1000, gid: 100 }), pax({ uid: '4000000000', gid: '4294967294' }), dir('d')],
    `a file 644 1000:100 "x"
     d/ directory 755 4000000000:4294967294`,
  ),
  says(
    'O-06: modes of symlinks are ignored',
    [
      member({ name: 'l', type: '2', linkName: 't', mode: 0o600 }),
      member({ name: 'm', type: '2', linkName: 't', mode: 0 }),
    ],
    `l symlink 777 -> t
     m symlink 777 -> t`,
  ),
  says(
    'O-07: set-id and sticky bits are kept',
    [dir('d', { mode: 0o1777 }), dir('e', { mode: 0o2775 }), file('f', 'x', { mode: 0o6755 }), dir('g', { mode: 0 })],
    `d/ directory 1777
     e/ directory 2775
     f file 6755 "x"
     g/ directory 0`,
  ),
  refuses('F-02: a negative size', [member({ name: 'a', size: base256(-1n, 12) })]),
]
