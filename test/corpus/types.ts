import { dir, file, link, symlink } from '../layer/parts.ts'
import { base256, header, long, member, pax } from '../tar/raw.ts'
import { type Case, refuses, says } from './case.ts'

const x = (path: string) => file(path, 'x')
const device = (name: string, type: '3' | '4', major: string | number, minor: string | number) =>
  member({ name, type, major, minor })

/** Section 3. */
export const types: readonly Case[] = [
  says(
    'T-01: the type flags of POSIX, with NUL and 7 for files',
    [
      member({ name: 'a', type: '0' }, 'x'),
      member({ name: 'b', type: '\0' }, 'y'),
      member({ name: 'c', type: '7' }, 'z'),
      link('d', 'a'),
      symlink('e', 't'),
      device('f', '3', 1, 3),
      device('g', '4', 8, 17),
      dir('h'),
      member({ name: 'i', type: '6' }),
    ],
    `a file 644 "x"
     b file 644 "y"
     c file 644 "z"
     d = a
     e symlink 777 -> t
     f character 1:3 644
     g block 8:17 644
     h/ directory 755
     i fifo 644`,
  ),
  says(
    'T-02: an old directory is a NUL type and a slash',
    [member({ name: 'd/', type: '\0', mode: 0o700 }), member({ name: 'd/e/', type: '\0', magic: '', mode: 0o711 })],
    `d/ directory 700
     d/e/ directory 711`,
  ),
  says('T-02: a regular file with a slash stays a file', [x('f/')], 'f file 644 "x"', { warnings: ['T-02'] }),
  says(
    'T-03: long name, long link text and attributes are for the next entry only',
    [
      long('K', 't'.repeat(120)),
      pax({ mtime: '5', 'SCHILY.xattr.trusted.a': '1' }),
      long('L', `${'n'.repeat(120)}`),
      symlink('-', '-'),
      symlink('p', 'q'),
    ],
    `${'n'.repeat(120)} symlink 777 @5 -> ${'t'.repeat(120)}
     ${'n'.repeat(120)} [trusted.a] "1"
     p symlink 777 -> q`,
  ),
  says(
    'T-05: a volume header of size zero is ignored',
    [member({ name: 'backup', type: 'V' }), x('a')],
    'a file 644 "x"',
    {
      warnings: ['T-05'],
    },
  ),
  refuses('T-05: a volume header with content', [member({ name: 'backup', type: 'V' }, 'x'), x('a')]),
  ...['8', '9', 'A', 'D', 'I', 'M', 'N', 'X', 's', ' ', '\xff'].map((type) =>
    refuses(`T-05: the entry type ${JSON.stringify(type)} is unknown`, [member({ name: 'a', type })]),
  ),
  says(
    'T-06: entries without payload consume none, whatever the size field says',
    [
      x('a'),
      ...(['1', '2', '3', '4', '5', '6'] as const).map((type) =>
        header({ name: `t${type}`, type, size: 700, linkName: type === '1' || type === '2' ? 'a' : '', mode: 0o644 }),
      ),
      x('z'),
    ],
    `a file 644 "x"
     t1 = a
     t2 symlink 777 -> a
     t3 character 0:0 644
     t4 block 0:0 644
     t5/ directory 644
     t6 fifo 644
     z file 644 "x"`,
    { warnings: ['T-06', 'T-06', 'T-06', 'T-06', 'T-06', 'T-06'] },
  ),
  refuses('F-03, T-06, H-08: payload after a link entry is read as the next header', [
    x('a'),
    member({ name: 'b', type: '1', linkName: 'a' }, 'payload'),
  ]),
  says(
    'T-07: the largest device numbers there are',
    [device('b', '4', 4095, 1048575), device('c', '3', 4095, 1048575), device('d', '3', 0, 1048575)],
    `b block 4095:1048575 644
     c character 4095:1048575 644
     d character 0:1048575 644`,
  ),
  refuses('T-07: a major number of 4096', [device('c', '3', 4096, 0)]),
  refuses('T-07: a minor number of 1048576', [device('c', '4', 0, 1048576)]),
  refuses('T-07: a negative major number', [device('c', '3', base256(-1n, 8), 0)]),
  refuses('T-07: a negative minor number', [device('c', '4', 0, base256(-5n, 8))]),
  says(
    'T-07: numbers of devices mean nothing on other entries',
    [member({ name: 'f', major: 9999, minor: 9 })],
    ['f file 644 ""'],
  ),
  says(
    'T-08: a device 0:0 is a device, and no whiteout',
    [device('c', '3', 0, 0), device('d/b', '4', 0, 0)],
    `c character 0:0 644
     d/ implied
     d/b block 0:0 644`,
  ),
  ...['Files', 'Hives/x', 'UtilityVM/Files/x'].map((name) =>
    refuses(`T-10: ${name} with attributes of Windows is refused`, [pax({ 'MSWINDOWS.fileattr': '16' }), dir(name)]),
  ),
  says(
    'T-10: names of Windows layers without those attributes, and those attributes elsewhere, mean nothing',
    [dir('Files'), dir('Hives'), pax({ 'MSWINDOWS.fileattr': '16' }), dir('d/Files'), dir('Filesystem')],
    `Files/ directory 755
     Filesystem/ directory 755
     Hives/ directory 755
     d/ implied
     d/Files/ directory 755`,
  ),
]
