import { dir, file, gone, link, named, opaque, symlink } from '../layer/parts.ts'
import { archive, long, member, pax } from '../tar/raw.ts'
import { type Case, refuses, says } from './case.ts'
import { shown } from './lines.ts'

const x = (path: string) => file(path, 'x')
const n = (size: number) => 'n'.repeat(size)
const paxNamed = (path: string, part: Buffer) => Buffer.concat([pax({ path }), part])
const paxLinked = (linkpath: string, part: Buffer) => Buffer.concat([pax({ linkpath }), part])
const chain = (steps: number) => [
  ...Array.from({ length: steps }, (_, i) => symlink(`l${i}`, i + 1 < steps ? `l${i + 1}` : 't')),
  x('l0/f'),
]
const deepPath = `${`${'d'.repeat(200)}/`.repeat(25)}f`
const everyByte = String.fromCharCode(...Array.from({ length: 255 }, (_, i) => i + 1)).replace('/', '')

/** Section 2. */
export const names: readonly Case[] = [
  says(
    'N-01: slashes and dots around a name mean nothing',
    [dir('./d//'), x('/d/./f'), x('.//d//g'), x('///h'), dir('e/././')],
    `d/ directory 755
     d/f file 644 "x"
     d/g file 644 "x"
     e/ directory 755
     h file 644 "x"`,
  ),
  ...['a/../../b', '..', '../b', '/../b', './..//x', 'a/b/../../..'].map((name) =>
    refuses(`N-02: the name ${name} leads out of the root`, [x(name)]),
  ),
  says(
    'N-03: an inner .. is resolved, and makes no directory',
    [x('a/../b'), x('c/d/../e/./../f'), dir('g/..')],
    `/ directory 755
     b file 644 "x"
     c/ implied
     c/f file 644 "x"`,
    { warnings: ['N-03', 'N-03', 'N-03'] },
  ),
  refuses('N-04: a file cannot be the root', [x('.')]),
  refuses('N-04: a member without a name is the root, and no file', [x('')]),
  refuses('N-04: a symlink cannot be the root', [symlink('/', 'x')]),
  refuses('N-04: a hardlink cannot be the root', [x('a'), link('./', 'a')]),
  refuses('N-04: a fifo cannot be the root', [member({ name: './.', type: '6' })]),
  says(
    'N-05: an entry for the root gives it attributes',
    [dir('./', { mode: 0o700, uid: 5, gid: 6, mtime: 7 })],
    '/ directory 700 5:6 @7',
  ),
  says(
    'N-06: in fields of the header the first NUL ends the text',
    [file('a\0b', 'x'), symlink('l', 't\0u')],
    `a file 644 "x"
     l symlink 777 -> t`,
  ),
  refuses('N-06: a NUL inside an extended path', [paxNamed('a\0b', x('f'))]),
  refuses('N-06: a NUL inside an extended link text', [paxLinked('a\0b', symlink('l', 't'))]),
  refuses('N-06: a NUL inside a GNU long name', [named('a\0b', x('f'))]),
  refuses('N-06: a NUL inside a GNU long link text', [Buffer.concat([long('K', 'a\0b'), symlink('l', 't')])]),
  says('N-06: NULs after a GNU long name end it', [named('a\0\0\0', x('f'))], 'a file 644 "x"'),
  says(
    'N-07: names that are not UTF-8 are kept byte for byte',
    [x('caf\xe9\xff'), paxNamed('p\xc3\x28', x('f')), named('l\x80/\xfe', x('f')), symlink('s\xf8', '\xf8')],
    `caf\\xe9\\xff file 644 "x"
     l\\x80/ implied
     l\\x80/\\xfe file 644 "x"
     p\\xc3( file 644 "x"
     s\\xf8 symlink 777 -> \\xf8`,
  ),
  says(
    'N-08: components of 255 bytes are accepted',
    [named(`${n(255)}/${n(255)}`, x('-')), named(`.wh.w${n(254)}`, file('-'))],
    [`${n(255)}/ implied`, `${n(255)}/${n(255)} file 644 "x"`, `w${n(254)} whiteout`],
  ),
  refuses('N-08: a last component of 256 bytes', [named(n(256), x('-'))]),
  refuses('N-08: an inner component of 256 bytes', [named(`${n(256)}/a`, x('-'))]),
  refuses('N-08: a whiteout of a name of 256 bytes', [named(`.wh.${n(256)}`, file('-'))]),
  refuses('N-08: a directory of 256 bytes', [named(n(256), dir('-'))]),
  says(
    'N-08: a path of more than 4095 bytes is accepted in the index',
    [named(deepPath, x('-'))],
    [
      ...Array.from({ length: 25 }, (_, i) => `${`${'d'.repeat(200)}/`.repeat(i + 1)} implied`),
      `${deepPath} file 644 "x"`,
    ],
    { notInLinux: 'no path of more than 4095 bytes can be given to Linux' },
  ),
  says(
    'N-09: names that differ in case or normal form are different names',
    [x('README'), x('readme'), x('caf\xc3\xa9'), x('cafe\xcc\x81')],
    `README file 644 "x"
     cafe\\xcc\\x81 file 644 "x"
     caf\\xc3\\xa9 file 644 "x"
     readme file 644 "x"`,
  ),
  refuses('N-10: a whiteout in the middle of a path', [x('a/.wh.b/c')]),
  refuses('N-10: a whiteout at the start of a path', [x('.wh.b/c')]),
  refuses('N-10: an opaque marker in the middle of a path', [x('a/.wh..wh..opq/c')]),
  refuses('N-10: a whiteout in the middle of the path of a whiteout', [gone('a/.wh.b/c')]),
  says(
    'N-11: a symlink of the layer is followed to where it points',
    [dir('t', { mode: 0o700 }), symlink('l', 't'), x('l/y'), dir('l/z', { mode: 0o711 }), link('l/h', 't/y')],
    `l symlink 777 -> t
     t/ directory 700
     t/h file 644 "x"
     t/y = t/h
     t/z/ directory 711`,
  ),
  says(
    'N-11: where a symlink points to nothing, directories are implied there',
    [symlink('l', 'a/b'), x('l/y')],
    `a/ implied
     a/b/ implied
     a/b/y file 644 "x"
     l symlink 777 -> a/b`,
  ),
  says(
    'N-11: chains of symlinks are followed',
    [symlink('a', 'b'), symlink('b', './c//'), dir('c'), x('a/f')],
    `a symlink 777 -> b
     b symlink 777 -> ./c//
     c/ directory 755
     c/f file 644 "x"`,
  ),
  says(
    'N-11: markers go through symlinks too',
    [dir('t'), symlink('l', 't'), gone('l/y'), symlink('m', 'u'), opaque('m')],
    `l symlink 777 -> t
     m symlink 777 -> u
     t/ directory 755
     t/y whiteout
     u/ opaque implied`,
  ),
  says(
    'N-11: a symlink made later is not followed, and takes the place of the implied directory',
    [x('l/y'), symlink('l', 't')],
    'l symlink 777 -> t',
  ),
  refuses('N-11: two symlinks that point at each other', [symlink('a', 'b'), symlink('b', 'a'), x('a/y')]),
  refuses('N-11: a symlink that points at itself', [symlink('a', 'a'), x('a/y')]),
  says('N-11: a path of 255 symlinks is followed', chain(255), [
    ...Array.from({ length: 255 }, (_, i) => `l${i} symlink 777 -> ${i < 254 ? `l${i + 1}` : 't'}`).sort(),
    't/ implied',
    't/f file 644 "x"',
  ]),
  refuses('N-11: one of 256 is not', chain(256)),
  says('N-12: the later of two files wins', [file('a', 'one'), file('a', 'two', { mode: 0o600 })], 'a file 600 "two"', {
    warnings: ['N-12'],
  }),
  says(
    'N-12: the attributes of the later of two directories win, and children stay',
    [dir('d', { mode: 0o700, uid: 1 }), x('d/f'), dir('d', { mode: 0o750, mtime: 3 })],
    `d/ directory 750 @3
     d/f file 644 "x"`,
    { warnings: ['N-12'] },
  ),
  says(
    'N-12, H-04: links made in between keep the inode that they saw',
    [file('a', 'one'), link('b', 'a'), file('a', 'two'), link('c', 'a')],
    `a file 644 "two"
     b file 644 "one"
     c = a`,
    { warnings: ['N-12'] },
  ),
  says(
    'N-12: an entry for an implied directory is the first one, not the second',
    [x('d/f'), dir('d', { mode: 0o700 })],
    `d/ directory 700
     d/f file 644 "x"`,
  ),
  says(
    'N-13: a symlink that is only below is not followed: the layer implies a directory',
    [x('l/y')],
    `l/ implied
     l/y file 644 "x"`,
    { below: archive(symlink('l', 't'), dir('t'), x('t/x')), warningsOverBelow: ['N-13'] },
  ),
  refuses('N-14: a file in the path of a file', [x('a'), x('a/b')]),
  refuses('N-14: a file in the path of a directory', [x('a'), dir('a/b/c')]),
  refuses('N-14: a fifo in the path of a file', [member({ name: 'a', type: '6' }), x('a/b')]),
  refuses('N-14: a file in the path of a whiteout', [x('a'), gone('a/b')]),
  refuses('N-14: a file at the end of a symlink in the path', [x('a'), symlink('l', 'a'), x('l/b')]),
  says(
    'N-14: with lenient a directory takes the place of the file',
    [x('a'), x('a/b')],
    `a/ opaque directory 755
     a/b file 644 "x"`,
    { lenient: true, warnings: ['N-14'] },
  ),
]

/** Section 19: names of all lengths that are a limit somewhere, spelled in all ways there are. */
const lengths = [99, 100, 101, 155, 156, 255, 256]

function inHeader(name: string): Buffer {
  if (name.length <= 100) return x(name)
  // Of a name of 102 bytes and more, the last 100 stand in the name field.
  const slash = name.indexOf('/')
  return member({ prefix: name.slice(0, slash), name: name.slice(slash + 1) }, 'x')
}

const whole = (first: string, size: number) => `${first}${n(size - 1)}`
const split = (first: string, size: number) => {
  const prefix = Math.max(1, size - 101)
  return `${first}${n(prefix - 1)}/${n(size - prefix - 1)}`
}

export const nameLengths: readonly Case[] = lengths.flatMap((size) => [
  ...(size === 256
    ? [
        refuses('N-08: a name of 256 bytes without a slash, as a GNU long name', [named(whole('l', size), x('-'))]),
        refuses('N-08: a name of 256 bytes without a slash, as an extended path', [paxNamed(whole('p', size), x('-'))]),
      ]
    : [
        says(
          `N-08, T-03: names of ${size} bytes without a slash`,
          [
            ...(size <= 100 ? [x(whole('h', size))] : []),
            named(whole('l', size), x('-')),
            paxNamed(whole('p', size), x('-')),
          ],
          [...(size <= 100 ? ['h'] : []), 'l', 'p'].map((first) => `${whole(first, size)} file 644 "x"`),
        ),
      ]),
  says(
    `F-04, F-05, T-03: names of ${size} bytes with a slash to split at`,
    [inHeader(split('h', size)), named(split('l', size), x('-')), paxNamed(split('p', size), x('-'))],
    ['h', 'l', 'p'].flatMap((first) => {
      const name = split(first, size)
      return [`${name.slice(0, name.indexOf('/') + 1)} implied`, `${name} file 644 "x"`]
    }),
  ),
])

export const nameBytes: readonly Case[] = [
  says(
    'N-07: every byte but NUL and slash may stand in a name',
    [...everyByte].map((byte) => file(`a${byte}b`)),
    [...everyByte].map((byte) => `a${shown(byte)}b file 644 ""`),
  ),
  says(
    'N-07: every byte but NUL and slash in one long name and in one extended path',
    [named(everyByte, file('-')), paxNamed([...everyByte].reverse().join(''), file('-'))],
    [`${shown(everyByte)} file 644 ""`, `${shown([...everyByte].reverse().join(''))} file 644 ""`],
  ),
  says(
    'F-08: every byte but NUL in the text of a symlink',
    [Buffer.concat([long('K', `${everyByte}/`), symlink('l', '-')]), paxLinked(`/${everyByte}`, symlink('p', '-'))],
    [`l symlink 777 -> ${shown(`${everyByte}/`)}`, `p symlink 777 -> ${shown(`/${everyByte}`)}`],
  ),
]
