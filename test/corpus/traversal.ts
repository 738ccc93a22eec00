import { dir, file, gone, link, opaque, symlink } from '../layer/parts.ts'
import { archive, pax } from '../tar/raw.ts'
import { type Case, refuses, says } from './case.ts'

const x = (path: string) => file(path, 'x')

/** Section 19: attempts to leave the root. */
export const traversal: readonly Case[] = [
  refuses('N-02: a name that climbs to /etc/passwd', [x('../../../../etc/passwd')]),
  refuses('N-02: an absolute name that climbs', [x('/../etc/passwd')]),
  refuses('N-02: a whiteout that climbs', [file('../.wh.etc')]),
  refuses('N-02: an extended path that climbs behind a harmless name', [pax({ path: '../../x' }), x('harmless')]),
  refuses('W-11: a whiteout of the parent, deeper', [file('a/b/.wh...')]),
  says(
    'N-01: an absolute name is one from the root of the layer',
    [x('/etc/passwd'), x('//root//.ssh/authorized_keys')],
    `etc/ implied
     etc/passwd file 644 "x"
     root/ implied
     root/.ssh/ implied
     root/.ssh/authorized_keys file 644 "x"`,
  ),
  says(
    'N-11: an absolute symlink is followed inside the layer',
    [symlink('l', '/etc'), x('l/passwd')],
    `etc/ implied
     etc/passwd file 644 "x"
     l symlink 777 -> /etc`,
  ),
  says(
    'N-11: a symlink that climbs stays at the root',
    [symlink('a/b/l', '../../../../../..'), x('a/b/l/etc/passwd'), gone('a/b/l/shadow')],
    `a/ implied
     a/b/ implied
     a/b/l symlink 777 -> ../../../../../..
     etc/ implied
     etc/passwd file 644 "x"
     shadow whiteout`,
  ),
  says(
    'N-11: .. in a symlink is taken where the symlinks before it led',
    [symlink('a/l', '/b/c'), symlink('m', 'a/l/../n'), x('m/f')],
    `a/ implied
     a/l symlink 777 -> /b/c
     b/ implied
     b/c/ implied
     b/n/ implied
     b/n/f file 644 "x"
     m symlink 777 -> a/l/../n`,
  ),
  says(
    'N-11: a marker behind a symlink that climbs makes the root opaque, and nothing else',
    [symlink('d/l', '../..'), opaque('d/l')],
    `/ opaque implied
     d/ implied
     d/l symlink 777 -> ../..`,
  ),
  says(
    'N-11, H-02: a hardlink to a symlink is followed like the symlink',
    [symlink('l', '/t'), link('m', 'l'), x('m/f')],
    `l symlink 777 -> /t
     m = l
     t/ implied
     t/f file 644 "x"`,
  ),
  refuses('H-01: a hardlink that climbs', [link('b', '../../etc/shadow')]),
  says(
    'H-06: an absolute target and a symlink to the root lead into the layer below, not to the machine',
    [link('a', '/etc/shadow'), symlink('l', '/'), link('b', 'l/etc/shadow')],
    `a = below etc/shadow
     b = below etc/shadow
     l symlink 777 -> /`,
    { below: archive(x('etc/shadow')) },
  ),
  says(
    'H-06: a symlink that climbs on the way to a target stays at the root',
    [symlink('d/l', '../../..'), link('b', 'd/l/etc/shadow')],
    `b = below etc/shadow
     d/ implied
     d/l symlink 777 -> ../../..`,
    { below: archive(x('etc/shadow')) },
  ),
  says(
    'R-04: a directory that turns into a symlink and back keeps nothing',
    [dir('d'), x('d/a'), symlink('d', '/etc'), x('d/b'), dir('d'), x('d/c')],
    `d/ opaque directory 755
     d/c file 644 "x"
     etc/ implied
     etc/b file 644 "x"`,
    { warnings: ['N-12', 'N-12'] },
  ),
  says(
    'R-04: a symlink that turns into a directory and back is followed as long as it is one',
    [symlink('d', '/t'), x('d/a'), dir('d'), x('d/b'), symlink('d', '/u'), x('d/c')],
    `d symlink 777 -> /u
     t/ implied
     t/a file 644 "x"
     u/ implied
     u/c file 644 "x"`,
    { warnings: ['N-12', 'N-12'] },
  ),
  says(
    'R-04: a parent of the parent that turns into a symlink leads elsewhere from then on',
    [x('a/b/f'), symlink('a', 'c'), x('a/b/g')],
    `a symlink 777 -> c
     c/ implied
     c/b/ implied
     c/b/g file 644 "x"`,
  ),
]
