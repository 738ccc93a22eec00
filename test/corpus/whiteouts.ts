import { dir, file, gone, link, opaque, symlink } from '../layer/parts.ts'
import { archive, member } from '../tar/raw.ts'
import { type Case, refuses, says } from './case.ts'

const x = (path: string) => file(path, 'x')
const d700 = (path: string) => dir(path, { mode: 0o700, uid: 5 })

/** Section 4. */
export const whiteouts: readonly Case[] = [
  says(
    'W-01: a marker removes the name behind it and is not seen itself',
    [dir('d'), gone('d/x'), gone('y')],
    `d/ directory 755
     d/x whiteout
     y whiteout`,
  ),
  says(
    'W-02: type, owner, mode and payload of a marker mean nothing',
    [
      file('.wh.a', 'text'),
      dir('.wh.b'),
      link('.wh.c', 'nowhere'),
      symlink('.wh.d', 't'),
      member({ name: '.wh.e', type: '3', major: 1, minor: 3 }),
      file('.wh.f', '', { mode: 0o4755, uid: 7, gid: 8, mtime: 9 }),
      file('g/.wh..wh..opq', 'text'),
    ],
    `a whiteout
     b whiteout
     c whiteout
     d whiteout
     e whiteout
     f whiteout
     g/ opaque implied`,
    { warnings: ['W-02', 'W-02', 'W-02', 'W-02', 'W-02', 'W-02'] },
  ),
  says(
    'W-03: a whiteout does nothing to the entries of its own layer, whatever their order',
    [x('a/b'), gone('a/b'), gone('a/c'), x('a/c'), gone('a/d')],
    `a/ implied
     a/b file 644 "x"
     a/c file 644 "x"
     a/d whiteout`,
  ),
  says('W-04: a whiteout and a file of one name, marker first', [gone('a'), x('a')], 'a file 644 "x"'),
  says('W-04: a whiteout and a symlink of one name, marker last', [symlink('a', 't'), gone('a')], 'a symlink 777 -> t'),
  says(
    'W-05: a whiteout and a directory of one name, marker first: only the children of this layer',
    [gone('d'), d700('d'), x('d/y')],
    `d/ opaque directory 700 5:0
     d/y file 644 "x"`,
  ),
  says(
    'W-05: marker last',
    [d700('d'), x('d/y'), gone('d')],
    `d/ opaque directory 700 5:0
     d/y file 644 "x"`,
  ),
  says(
    'W-06: a whiteout and an implied directory of one name: it gets default attributes, not those of below',
    [x('d/y'), gone('d')],
    `d/ opaque directory 755
     d/y file 644 "x"`,
  ),
  says(
    'W-06: marker first',
    [gone('d'), x('d/e/y')],
    `d/ opaque directory 755
     d/e/ implied
     d/e/y file 644 "x"`,
  ),
  says(
    'W-06: an entry after both gives it attributes',
    [gone('d'), x('d/y'), d700('d')],
    `d/ opaque directory 700 5:0
     d/y file 644 "x"`,
  ),
  says('W-07: a whiteout of what is not below stays in the index', [gone('nothing')], 'nothing whiteout', {
    below: archive(x('something')),
  }),
  says(
    'W-08: a whiteout creates no directories',
    [gone('q/r/z')],
    `q/ ghost
     q/r/ ghost
     q/r/z whiteout`,
  ),
  says(
    'W-08: an entry turns a ghost into a directory',
    [gone('q/r/z'), x('q/f')],
    `q/ implied
     q/f file 644 "x"
     q/r/ ghost
     q/r/z whiteout`,
  ),
  says('W-08: a file takes the place of a ghost', [gone('q/r/z'), x('q')], 'q file 644 "x"'),
  says('W-09: under a whiteout nothing is left to remove', [gone('a'), gone('a/b/c')], 'a whiteout'),
  says('W-09: nor above it', [gone('a/b/c'), gone('a')], 'a whiteout'),
  says(
    'W-09: nor in an opaque directory, marker first',
    [opaque('d'), gone('d/a'), gone('d/e/b')],
    'd/ opaque implied',
  ),
  says(
    'W-09: nor marker last, at any depth',
    [gone('d/a'), x('d/e/f'), gone('d/e/b'), gone('d/g/h'), opaque('d')],
    `d/ opaque implied
     d/e/ implied
     d/e/f file 644 "x"`,
  ),
  says('W-10: a whiteout of a symlink is for the symlink', [gone('l')], 'l whiteout', {
    below: archive(symlink('l', 't'), x('t')),
  }),
  refuses('W-11: a whiteout of nothing', [file('.wh.')]),
  refuses('W-11: a whiteout of the directory itself', [file('d/.wh..')]),
  refuses('W-11: a whiteout of the directory above', [file('.wh...')]),
  says('W-11: a whiteout of a name of three dots is one', [file('.wh....')], '... whiteout'),
  says(
    'W-12: an opaque marker hides what is below and keeps the directory and its attributes, marker first',
    [opaque('d'), d700('d'), x('d/y')],
    `d/ opaque directory 700 5:0
     d/y file 644 "x"`,
  ),
  says(
    'W-12: marker last: what came before it stays',
    [d700('d'), x('d/y'), opaque('d')],
    `d/ opaque directory 700 5:0
     d/y file 644 "x"`,
  ),
  says(
    'W-13: an opaque marker implies its directory',
    [opaque('a/d')],
    `a/ implied
     a/d/ opaque implied`,
  ),
  refuses('W-13: an opaque marker in a file of the layer, marker last', [x('d'), opaque('d')]),
  refuses('W-13: an opaque marker in a file of the layer, marker first', [opaque('d'), x('d')]),
  refuses('W-13: an opaque marker in a fifo of the layer', [member({ name: 'd', type: '6' }), opaque('d')]),
  says(
    'W-14: an opaque marker at the root',
    [opaque(''), x('a')],
    `/ opaque implied
     a file 644 "x"`,
  ),
  says(
    'W-14: an opaque marker at a root with attributes',
    [x('a'), dir('./', { mode: 0o711 }), file('./.wh..wh..opq')],
    `/ opaque directory 711
     a file 644 "x"`,
  ),
  says(
    'W-15: housekeeping of aufs at the top is ignored',
    [file('.wh..wh.aufs'), dir('.wh..wh.orph'), dir('.wh..wh.plnk')],
    '',
    {
      warnings: ['W-15', 'W-15', 'W-15'],
    },
  ),
  refuses('W-15: deeper it is refused', [file('d/.wh..wh.aufs')]),
  says(
    'W-15: the opaque marker of the first aufs is an ordinary whiteout',
    [file('d/.wh.__dir_opaque')],
    `d/ ghost
     d/__dir_opaque whiteout`,
    { warnings: ['W-15'] },
  ),
  says(
    'W-16: files in the link folder of aufs give content and attributes, and are not seen',
    [
      dir('.wh..wh.plnk'),
      file('.wh..wh.plnk/1.2', 'x', { uid: 7, mode: 0o600 }),
      link('a', '.wh..wh.plnk/1.2', { uid: 7, mode: 0o600 }),
      link('d/b', '.wh..wh.plnk/1.2', { uid: 7, mode: 0o600 }),
    ],
    `a file 600 7:0 "x"
     d/ implied
     d/b = a`,
    { warnings: ['W-15'] },
  ),
  says(
    'W-16, H-05: also when the file comes later',
    [link('a', '.wh..wh.plnk/1.2'), x('.wh..wh.plnk/1.2')],
    'a file 644 "x"',
    {
      warnings: ['H-05'],
    },
  ),
  refuses('H-06, W-16: a link to what never comes there', [link('a', '.wh..wh.plnk/1.2')]),
  says(
    'W-18: the same marker twice',
    [gone('a'), gone('a'), opaque('d'), opaque('d'), x('f'), gone('f'), gone('f'), gone('g'), x('g'), gone('g')],
    `a whiteout
     d/ opaque implied
     f file 644 "x"
     g file 644 "x"`,
    { warnings: ['W-18', 'W-18', 'W-18', 'W-18'] },
  ),
]
