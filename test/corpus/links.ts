import { dir, file, gone, link, symlink, withXattrs } from '../layer/parts.ts'
import { archive, long, member } from '../tar/raw.ts'
import { type Case, refuses, says } from './case.ts'

const x = (path: string) => file(path, 'x')
const device = (name: string) => member({ name, type: '3', major: 1, minor: 3 })

/** Sections 5 and 6. */
export const links: readonly Case[] = [
  says(
    'H-01: a target is cleaned like a name',
    [x('d/a'), link('b', '/./d//a'), link('c', 'd/e/../a')],
    `b file 644 "x"
     c = b
     d/ implied
     d/a = b`,
    { warnings: ['N-03'] },
  ),
  refuses('H-01: a target that leads out of the root', [link('b', '../a')]),
  refuses('H-01: a target that leads out of the root further in', [x('a'), link('b', 'd/../../a')]),
  says(
    'H-02: symlinks among the parents of a target are followed',
    [x('t/a'), symlink('l', '/t'), link('b', 'l/a')],
    `b file 644 "x"
     l symlink 777 -> /t
     t/ implied
     t/a = b`,
  ),
  says(
    'H-02: a hardlink to a symlink shares the symlink',
    [symlink('l', 't'), link('m', 'l')],
    `l symlink 777 -> t
     m = l`,
    { warnings: [] },
  ),
  says(
    'H-02: devices and fifos can have two names',
    [device('c'), link('d', 'c'), member({ name: 'p', type: '6' }), link('q', 'p')],
    `c character 1:3 644
     d = c
     p fifo 644
     q = p`,
  ),
  refuses('H-03: a directory is no target', [dir('d'), link('b', 'd')]),
  refuses('H-03: nor is a directory that comes later', [link('b', 'd'), dir('d')]),
  refuses('H-03: nor one that is only implied', [link('b', 'd'), x('d/f')]),
  refuses('H-03: nor the root', [link('b', '/')]),
  refuses('H-03: nor the link itself', [x('b'), link('b', './b')]),
  refuses('H-03: nor the link itself by way of a symlink', [symlink('l', '.'), x('b'), link('b', 'l/b')]),
  refuses('H-03: nor links that point at each other', [link('a', 'b'), link('b', 'a')]),
  refuses('H-03: nor three of them', [link('a', 'b'), link('b', 'c'), link('c', 'a')]),
  says(
    'H-04: a link binds to what its target is at that point of the archive',
    [file('a', 'one'), link('b', 'a'), file('a', 'two'), link('c', 'a'), link('d', 'b')],
    `a file 644 "two"
     b file 644 "one"
     c = a
     d = b`,
    { warnings: ['N-12'] },
  ),
  says(
    'H-05: a target that comes later is bound to',
    [link('b', 'a'), x('a')],
    `a file 644 "x"
     b = a`,
    { warnings: ['H-05'] },
  ),
  says(
    'H-05: the first later occurrence counts',
    [link('b', 'a'), file('a', 'one'), file('a', 'two')],
    `a file 644 "two"
     b file 644 "one"`,
    { warnings: ['H-05', 'N-12'] },
  ),
  says(
    'H-05: a chain of links is bound together',
    [link('c', 'b'), link('b', 'a'), x('a')],
    `a file 644 "x"
     b = a
     c = a`,
    { warnings: ['H-05', 'H-05', 'H-05'] },
  ),
  says(
    'H-05: by way of a symlink that comes later',
    [link('b', 'l/a'), x('t/a'), symlink('l', 't')],
    `b file 644 "x"
     l symlink 777 -> t
     t/ implied
     t/a = b`,
    { warnings: ['H-05'] },
  ),
  says(
    'H-05: a name that something else took waits no longer',
    [link('b', 'a'), file('b', 'own'), x('a')],
    `a file 644 "x"
     b file 644 "own"`,
    { warnings: ['N-12'] },
  ),
  says(
    'H-06: a target that is not in the layer is below',
    [link('d/b', 'e/a')],
    `d/ implied
     d/b = below e/a`,
    { below: archive(x('e/a')) },
  ),
  says(
    'H-06: even when the layer removes it, before or after',
    [gone('a'), link('b', 'a'), link('d', 'c'), gone('c')],
    `a whiteout
     b = below a
     c whiteout
     d = below c`,
    { below: archive(x('a'), x('c')) },
  ),
  says(
    'H-06: a symlink of the layer on the way there is followed',
    [symlink('l', 'usr/lib'), link('b', 'l/a')],
    `b = below usr/lib/a
     l symlink 777 -> usr/lib`,
    { below: archive(x('usr/lib/a')) },
  ),
  says('H-06: a link that a whiteout names too stays one', [link('b', 'a'), gone('b')], 'b = below a', {
    below: archive(x('a'), x('b')),
  }),
  says('H-06: a link that was replaced leaves nothing', [link('d/b', 'a'), file('d', 'x')], 'd file 644 "x"'),
  says(
    'H-06: several links to one file below',
    [link('b', 'a'), link('c/d', 'a'), x('c/e')],
    `b = below a
     c/ implied
     c/d = below a
     c/e file 644 "x"`,
    { below: archive(x('a')) },
  ),
  says(
    'H-07: attributes on a link entry are ignored',
    [
      file('u/f', 'x', { uid: 5 }),
      withXattrs({ 'user.a': '1' }, link('f', 'u/f', { uid: 9, mode: 0o777, mtime: 3 })),
      link('g', 'u/f', { uid: 5 }),
    ],
    `f file 644 5:0 "x"
     g = f
     u/ implied
     u/f = f`,
    { warnings: ['H-07'] },
  ),
  says(
    'H-09: a later entry for one name leaves the other the old inode',
    [file('a', 'old', { uid: 3 }), link('b', 'a', { uid: 3 }), file('a', 'new')],
    `a file 644 "new"
     b file 644 3:0 "old"`,
    { warnings: ['N-12'] },
  ),
  says(
    'H-10: every name of a group is counted',
    [x('a'), link('b', 'a'), link('c/d', 'b'), link('e', 'c/d')],
    `a file 644 "x"
     b = a
     c/ implied
     c/d = a
     e = a`,
  ),
  refuses('H-12: a whiteout is no target', [gone('a'), link('b', '.wh.a')]),
  refuses('N-08, H-01: a target with a component of 256 bytes', [
    Buffer.concat([long('K', 'a'.repeat(256)), link('b', '-')]),
  ]),

  says(
    'R-01: a directory over a directory replaces all attributes, the whole set of extended ones too',
    [
      withXattrs({ 'user.a': '1', 'user.b': '1' }, dir('d', { mode: 0o700, uid: 1, gid: 2, mtime: 3 })),
      x('d/f'),
      withXattrs({ 'user.b': '2', 'user.c': '2' }, dir('d', { mode: 0o711 })),
    ],
    `d/ directory 711
     d/ [user.b] "2"
     d/ [user.c] "2"
     d/f file 644 "x"`,
    { warnings: ['N-12'] },
  ),
  says(
    'R-02: a file over a directory takes everything under it',
    [dir('d'), x('d/e/f'), link('g', 'd/e/f'), x('d')],
    `d file 644 "x"
     g file 644 "x"`,
    { warnings: ['N-12'] },
  ),
  says(
    'R-02: a device over a symlink over a fifo',
    [member({ name: 'a', type: '6' }), symlink('a', 't'), device('a')],
    ['a character 1:3 644'],
    { warnings: ['N-12', 'N-12'] },
  ),
  says(
    'R-03: a directory over a file starts empty, and what is below does not reappear',
    [x('d'), dir('d', { mode: 0o700 }), x('d/y')],
    `d/ opaque directory 700
     d/y file 644 "x"`,
    { warnings: ['N-12'] },
  ),
  says(
    'R-04: a symlink is replaced, never followed',
    [dir('t'), symlink('l', 't'), x('l'), symlink('m', 't'), dir('m'), symlink('n', 't'), symlink('n', 'u')],
    `l file 644 "x"
     m/ opaque directory 755
     n symlink 777 -> u
     t/ directory 755`,
    { warnings: ['N-12', 'N-12', 'N-12'] },
  ),
  says(
    'R-05: a replaced file gets a new inode, and names of the old one keep their content',
    [file('a', 'old'), link('b', 'a'), file('a', 'new'), link('c', 'a'), link('b', 'c')],
    `a file 644 "new"
     b = a
     c = a`,
    { warnings: ['N-12', 'N-12'] },
  ),
]
