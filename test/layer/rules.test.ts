import { describe, expect, test } from 'vitest'
import { codeOf } from '../../src/model/errors.ts'
import { archive, header, long, member, pax } from '../tar/raw.ts'
import { layerOf, sayings } from './layer.ts'
import { dir, file, gone, link, named, opaque, symlink, withXattrs } from './parts.ts'

interface Case {
  readonly is: string
  readonly parts: readonly Buffer[]
  /** What the layer says, but for the root where it is implied. */
  readonly says?: Readonly<Record<string, string>>
  readonly warns?: readonly string[]
  readonly refused?: string
  readonly lenient?: boolean
}

const x = (path: string) => file(path, 'x')
const n255 = 'n'.repeat(255)

const cases: readonly Case[] = [
  // Names
  {
    is: 'N-01: slashes and dots around a name mean nothing',
    parts: [dir('./d//'), x('/d/./f'), x('.//d//g')],
    says: { 'd/': 'directory', 'd/f': 'file "x"', 'd/g': 'file "x"' },
  },
  { is: 'N-02: a name that leads out of the root is refused', parts: [x('a/../../b')], refused: 'N-02' },
  { is: 'N-02: .. alone is refused', parts: [dir('..')], refused: 'N-02' },
  { is: 'N-03: an inner .. is resolved', parts: [x('a/../b')], says: { b: 'file "x"' }, warns: ['N-03'] },
  { is: 'N-04: only a directory is the root', parts: [x('./')], refused: 'N-04' },
  { is: 'N-04: a link is not the root either', parts: [symlink('/', 'x')], refused: 'N-04' },
  {
    is: 'N-05: the root has attributes if an entry says so',
    parts: [dir('./', { mode: 0o700, uid: 5 })],
    says: { '/': 'directory 700 5' },
  },
  { is: 'N-07: names are bytes', parts: [x('caf\xe9\xff')], says: { 'caf\xe9\xff': 'file "x"' } },
  {
    is: 'N-08: a component of 255 bytes is accepted',
    parts: [named(`${n255}/${n255}`, file('-', 'x'))],
    says: { [`${n255}/`]: 'implied directory', [`${n255}/${n255}`]: 'file "x"' },
  },
  { is: 'N-08: a last component of 256 bytes is refused', parts: [named(`${n255}n`, file('-'))], refused: 'N-08' },
  { is: 'N-08: an inner component of 256 bytes is refused', parts: [named(`${n255}n/a`, file('-'))], refused: 'N-08' },
  {
    is: 'N-08: a whiteout of a name of 255 bytes is accepted',
    parts: [named(`.wh.${n255}`, file('-'))],
    says: { [n255]: 'whiteout' },
  },
  { is: 'N-10: a marker in the middle of a path is refused', parts: [x('a/.wh.b/c')], refused: 'N-10' },
  {
    is: 'N-11: a symlink of the layer is followed',
    parts: [dir('t'), symlink('l', 't'), x('l/y')],
    says: { l: 'symlink to t', 't/': 'directory', 't/y': 'file "x"' },
  },
  {
    is: 'N-11: absolute and climbing symlinks stay inside the root',
    parts: [symlink('l', '/../../t'), symlink('d/m', '../../../u'), x('l/y'), x('d/m/z')],
    says: {
      'd/': 'implied directory',
      'd/m': 'symlink to ../../../u',
      l: 'symlink to /../../t',
      't/': 'implied directory',
      't/y': 'file "x"',
      'u/': 'implied directory',
      'u/z': 'file "x"',
    },
  },
  {
    is: 'N-11: a symlink made later is not followed, but replaces',
    parts: [x('l/y'), symlink('l', 't')],
    says: { l: 'symlink to t' },
  },
  { is: 'N-11: a loop is refused', parts: [symlink('a', 'b'), symlink('b', 'a'), x('a/y')], refused: 'N-11' },
  {
    is: 'N-11: markers go through symlinks too',
    parts: [dir('t'), symlink('l', 't'), gone('l/y')],
    says: { l: 'symlink to t', 't/': 'directory', 't/y': 'whiteout' },
  },
  {
    is: 'N-12: the later file wins',
    parts: [file('a', 'one'), file('a', 'two')],
    says: { a: 'file "two"' },
    warns: ['N-12'],
  },
  {
    is: 'N-12: of two directories the later attributes win and children stay',
    parts: [dir('d', { mode: 0o700 }), x('d/f'), dir('d', { mode: 0o750 })],
    says: { 'd/': 'directory 750 0', 'd/f': 'file "x"' },
    warns: ['N-12'],
  },
  {
    is: 'N-12: links made in between keep the inode they saw',
    parts: [file('a', 'one'), link('b', 'a'), file('a', 'two')],
    says: { a: 'file "two"', b: 'file "one"' },
    warns: ['N-12'],
  },
  { is: 'N-14: a file in the path is refused', parts: [x('a'), x('a/b')], refused: 'N-14' },
  { is: 'N-14: a file in the path of a whiteout is refused', parts: [x('a'), gone('a/b')], refused: 'N-14' },
  {
    is: 'N-14: with lenient a directory replaces it',
    parts: [x('a'), x('a/b')],
    lenient: true,
    says: { 'a/': 'opaque directory', 'a/b': 'file "x"' },
    warns: ['N-14'],
  },
  // Types
  {
    is: 'T-08: a device 0:0 as an entry is a device',
    parts: [member({ name: 'c', type: '3' }), dir('d')],
    says: { c: 'character 0:0', 'd/': 'directory' },
  },
  {
    is: 'T-01: devices and fifos',
    parts: [member({ name: 'b', type: '4', major: 8, minor: 17 }), member({ name: 'p', type: '6' })],
    says: { b: 'block 8:17', p: 'fifo' },
  },
  {
    is: 'T-10: layers for Windows are refused',
    parts: [pax({ 'MSWINDOWS.fileattr': '16' }), dir('Files')],
    refused: 'T-10',
  },
  { is: 'T-10: a directory called Files is none', parts: [dir('Files')], says: { 'Files/': 'directory' } },
  {
    is: 'O-07: sticky and set-id bits of directories are kept',
    parts: [dir('d', { mode: 0o7750 }), dir('t', { mode: 0o1777 })],
    says: { 'd/': 'directory 7750 0', 't/': 'directory 1777 0' },
  },
  {
    is: 'O-06, F-08: symlinks keep their text',
    parts: [symlink('l', './/a/../b/')],
    says: { l: 'symlink to .//a/../b/' },
  },
  { is: 'F-08: a symlink without text is refused', parts: [symlink('l', '')], refused: 'F-08' },
  // Whiteouts
  {
    is: 'W-01: a marker removes a name and is not seen',
    parts: [dir('d'), gone('d/x')],
    says: { 'd/': 'directory', 'd/x': 'whiteout' },
  },
  {
    is: 'A-01: a directory that a marker met leaves no trace of it in an opaque one, whatever came first',
    parts: [gone('d/e'), dir('d/e'), opaque('d')],
    says: { 'd/': 'opaque implied directory', 'd/e/': 'directory' },
  },
  {
    is: 'A-01: nor where the opaque marker came first',
    parts: [opaque('d'), gone('d/e'), dir('d/e')],
    says: { 'd/': 'opaque implied directory', 'd/e/': 'directory' },
  },
  {
    is: 'W-02: a marker of any other kind is one, with a warning',
    parts: [file('.wh.a', 'text'), dir('.wh.b'), link('.wh.c', 'nowhere')],
    says: { a: 'whiteout', b: 'whiteout', c: 'whiteout' },
    warns: ['W-02', 'W-02', 'W-02'],
  },
  {
    is: 'W-03: what the layer itself has under a removed name stays, before the marker and after it',
    parts: [dir('d'), x('d/a'), gone('d'), x('d/b'), x('c'), gone('c')],
    says: { c: 'file "x"', 'd/': 'opaque directory', 'd/a': 'file "x"', 'd/b': 'file "x"' },
  },
  { is: 'W-04: a file wins over a whiteout before it', parts: [gone('a'), x('a')], says: { a: 'file "x"' } },
  { is: 'W-04: and after it', parts: [x('a'), gone('a')], says: { a: 'file "x"' } },
  {
    is: 'W-05: a directory wins, and hides what is below: marker first',
    parts: [gone('d'), dir('d', { mode: 0o700 }), x('d/y')],
    says: { 'd/': 'opaque directory 700 0', 'd/y': 'file "x"' },
  },
  {
    is: 'W-05: marker last',
    parts: [dir('d', { mode: 0o700 }), x('d/y'), gone('d')],
    says: { 'd/': 'opaque directory 700 0', 'd/y': 'file "x"' },
  },
  {
    is: 'W-06: an implied directory becomes explicit: marker last',
    parts: [x('d/y'), gone('d')],
    says: { 'd/': 'opaque directory', 'd/y': 'file "x"' },
  },
  { is: 'W-06: marker first', parts: [gone('d'), x('d/y')], says: { 'd/': 'opaque directory', 'd/y': 'file "x"' } },
  {
    is: 'W-06: and an entry after both gives it attributes',
    parts: [gone('d'), x('d/y'), dir('d', { mode: 0o700 })],
    says: { 'd/': 'opaque directory 700 0', 'd/y': 'file "x"' },
  },
  {
    is: 'W-08: a whiteout makes ghosts, not directories',
    parts: [gone('q/r/z')],
    says: { 'q/': 'ghost', 'q/r/': 'ghost', 'q/r/z': 'whiteout' },
  },
  {
    is: 'W-08: an entry turns a ghost into a directory',
    parts: [gone('q/r/z'), x('q/f')],
    says: { 'q/': 'implied directory', 'q/f': 'file "x"', 'q/r/': 'ghost', 'q/r/z': 'whiteout' },
  },
  { is: 'W-08: a file takes the place of a ghost', parts: [gone('q/r/z'), x('q')], says: { q: 'file "x"' } },
  {
    is: 'W-09: under a whiteout nothing is left to remove',
    parts: [gone('a'), gone('a/b/c')],
    says: { a: 'whiteout' },
  },
  { is: 'W-09: nor above it', parts: [gone('a/b/c'), gone('a')], says: { a: 'whiteout' } },
  {
    is: 'W-09: nor in an opaque directory, marker first',
    parts: [opaque('d'), gone('d/a'), gone('d/e/b')],
    says: { 'd/': 'opaque implied directory' },
  },
  {
    is: 'W-09: nor marker last, at any depth',
    parts: [gone('d/a'), x('d/e/f'), gone('d/e/b'), gone('d/g/h'), opaque('d')],
    says: { 'd/': 'opaque implied directory', 'd/e/': 'implied directory', 'd/e/f': 'file "x"' },
  },
  {
    is: 'W-10: a marker with the name of a symlink means the symlink, not where it leads',
    parts: [dir('t'), x('t/f'), symlink('l', 't'), gone('l')],
    says: { l: 'symlink to t', 't/': 'directory', 't/f': 'file "x"' },
  },
  { is: 'W-11: .wh. with nothing after it is refused', parts: [file('.wh.')], refused: 'W-11' },
  { is: 'W-11: .wh.. is refused', parts: [file('d/.wh..')], refused: 'W-11' },
  { is: 'W-11: .wh... is refused', parts: [file('.wh...')], refused: 'W-11' },
  {
    is: 'W-12: an opaque marker keeps the directory and its attributes',
    parts: [opaque('d'), dir('d', { mode: 0o700 }), x('d/y')],
    says: { 'd/': 'opaque directory 700 0', 'd/y': 'file "x"' },
  },
  {
    is: 'W-12: an opaque marker late in the tar keeps earlier siblings',
    parts: [dir('d'), x('d/y'), opaque('d')],
    says: { 'd/': 'opaque directory', 'd/y': 'file "x"' },
  },
  {
    is: 'W-13: an opaque marker implies its directory',
    parts: [opaque('a/d')],
    says: { 'a/': 'implied directory', 'a/d/': 'opaque implied directory' },
  },
  { is: 'W-13: in a file of the layer it is refused', parts: [x('d'), opaque('d')], refused: 'W-13' },
  { is: 'W-13: also when the file comes later', parts: [opaque('d'), x('d')], refused: 'W-13' },
  {
    is: 'W-14: an opaque marker at the root',
    parts: [opaque(''), x('a')],
    says: { '/': 'opaque implied directory', a: 'file "x"' },
  },
  {
    is: 'W-15: housekeeping of aufs at the top is ignored',
    parts: [file('.wh..wh.aufs'), dir('.wh..wh.orph'), dir('.wh..wh.plnk')],
    says: {},
    warns: ['W-15', 'W-15', 'W-15'],
  },
  { is: 'W-15: deeper it is refused', parts: [file('d/.wh..wh.aufs')], refused: 'W-15' },
  {
    is: 'W-15: the first aufs had another opaque marker',
    parts: [file('d/.wh.__dir_opaque')],
    says: { 'd/': 'ghost', 'd/__dir_opaque': 'whiteout' },
    warns: ['W-15'],
  },
  {
    is: 'W-16: the link folder of aufs gives content and is not seen',
    parts: [
      dir('.wh..wh.plnk'),
      file('.wh..wh.plnk/1.2', 'x', { uid: 7 }),
      link('a', '.wh..wh.plnk/1.2', { uid: 7 }),
      link('b', '.wh..wh.plnk/1.2', { uid: 7 }),
    ],
    says: { a: 'file "x" of 7', b: 'same as a' },
    warns: ['W-15'],
  },
  {
    is: 'W-16: also when it comes later',
    parts: [link('a', '.wh..wh.plnk/1.2'), x('.wh..wh.plnk/1.2')],
    says: { a: 'file "x"' },
    warns: ['H-05'],
  },
  { is: 'W-16: but not when it never comes', parts: [link('a', '.wh..wh.plnk/1.2')], refused: 'H-06' },
  {
    is: 'W-18: the same marker twice',
    parts: [gone('a'), gone('a'), opaque('d'), opaque('d'), x('f'), gone('f'), gone('f'), gone('g'), x('g'), gone('g')],
    says: { a: 'whiteout', 'd/': 'opaque implied directory', f: 'file "x"', g: 'file "x"' },
    warns: ['W-18', 'W-18', 'W-18', 'W-18'],
  },
  // Hardlinks
  {
    is: 'H-01: a target is cleaned like a name',
    parts: [x('d/a'), link('b', '/./d//a'), link('c', 'd/e/../a')],
    says: { b: 'file "x"', c: 'same as b', 'd/': 'implied directory', 'd/a': 'same as b' },
    warns: ['N-03'],
  },
  { is: 'H-01: a target that leads out of the root is refused', parts: [link('b', '../a')], refused: 'H-01' },
  {
    is: 'H-02: symlinks among the parents of a target are followed',
    parts: [x('t/a'), symlink('l', 't'), link('b', 'l/a')],
    says: { b: 'file "x"', l: 'symlink to t', 't/': 'implied directory', 't/a': 'same as b' },
  },
  {
    is: 'H-02: a hardlink to a symlink shares it',
    parts: [symlink('l', 't'), link('m', 'l')],
    says: { l: 'symlink to t', m: 'same as l' },
  },
  { is: 'H-03: a directory is no target', parts: [dir('d'), link('b', 'd')], refused: 'H-03' },
  { is: 'H-03: nor is a directory that comes later', parts: [link('b', 'd'), dir('d')], refused: 'H-03' },
  { is: 'H-03: nor one that is only implied', parts: [link('b', 'd'), x('d/f')], refused: 'H-03' },
  { is: 'H-03: nor the root', parts: [link('b', '/')], refused: 'H-03' },
  { is: 'H-03: nor the link itself', parts: [x('b'), link('b', './b')], refused: 'H-03' },
  { is: 'H-03: nor links that point at each other', parts: [link('a', 'b'), link('b', 'a')], refused: 'H-03' },
  { is: 'H-03: nor three of them', parts: [link('a', 'b'), link('b', 'c'), link('c', 'a')], refused: 'H-03' },
  {
    is: 'H-04: a link binds to what its target is at that point of the archive',
    parts: [file('a', 'one'), link('b', 'a'), file('a', 'two'), link('c', 'a'), file('a', 'three')],
    says: { a: 'file "three"', b: 'file "one"', c: 'file "two"' },
    warns: ['N-12', 'N-12'],
  },
  {
    is: 'H-05: a target that comes later is bound to',
    parts: [link('b', 'a'), x('a')],
    says: { a: 'file "x"', b: 'same as a' },
    warns: ['H-05'],
  },
  {
    is: 'H-05: the first later occurrence counts',
    parts: [link('b', 'a'), file('a', 'one'), file('a', 'two')],
    says: { a: 'file "two"', b: 'file "one"' },
    warns: ['H-05', 'N-12'],
  },
  {
    is: 'H-05: chains of links are bound together',
    parts: [link('c', 'b'), link('b', 'a'), x('a')],
    says: { a: 'file "x"', b: 'same as a', c: 'same as a' },
    warns: ['H-05', 'H-05', 'H-05'],
  },
  {
    is: 'H-05: by way of a symlink that comes later',
    parts: [link('b', 'l/a'), x('t/a'), symlink('l', 't')],
    says: { b: 'file "x"', l: 'symlink to t', 't/': 'implied directory', 't/a': 'same as b' },
    warns: ['H-05'],
  },
  {
    is: 'H-05: a name taken by something else waits no longer',
    parts: [link('b', 'a'), file('b', 'own'), x('a')],
    says: { a: 'file "x"', b: 'file "own"' },
    warns: ['N-12'],
  },
  {
    is: 'H-06: a target that is not in the layer is below',
    parts: [link('d/b', 'e/a')],
    says: { 'd/': 'implied directory', 'd/b': 'link to e/a' },
  },
  {
    is: 'H-06: even when the layer removes it',
    parts: [gone('a'), link('b', 'a')],
    says: { a: 'whiteout', b: 'link to a' },
  },
  { is: 'H-06: or removes it later', parts: [link('b', 'a'), gone('a')], says: { a: 'whiteout', b: 'link to a' } },
  {
    is: 'H-06: a symlink of the layer on the way there is followed',
    parts: [symlink('l', 'usr/lib'), link('b', 'l/a')],
    says: { b: 'link to usr/lib/a', l: 'symlink to usr/lib' },
  },
  {
    is: 'H-06: a link that a whiteout names too stays a link',
    parts: [link('b', 'a'), gone('b')],
    says: { b: 'link to a' },
  },
  {
    is: 'H-06: a link that was replaced leaves nothing',
    parts: [link('d/b', 'a'), file('d', 'x')],
    says: { d: 'file "x"' },
  },
  {
    is: 'H-07: attributes of a link entry are ignored',
    parts: [file('u/f', 'x', { uid: 5 }), link('f', 'u/f', { uid: 9 })],
    says: { f: 'file "x" of 5', 'u/': 'implied directory', 'u/f': 'same as f' },
    warns: ['H-07'],
  },
  {
    is: 'H-08: what a link says of its size is not content',
    parts: [x('a'), header({ name: 'b', type: '1', linkName: 'a', size: 512 }), x('c')],
    says: { a: 'file "x"', b: 'same as a', c: 'file "x"' },
    warns: ['T-06'],
  },
  {
    is: 'H-09: replacing one name leaves the other the old inode',
    parts: [file('a', 'old'), link('b', 'a'), file('a', 'new')],
    says: { a: 'file "new"', b: 'file "old"' },
    warns: ['N-12'],
  },
  { is: 'H-12: a whiteout is no target', parts: [gone('a'), link('b', '.wh.a')], refused: 'H-12' },
  // Replacement
  {
    is: 'R-02: a file over a directory takes everything under it',
    parts: [dir('d'), x('d/e/f'), x('d')],
    says: { d: 'file "x"' },
    warns: ['N-12'],
  },
  {
    is: 'R-03: a directory over a file starts empty, below too',
    parts: [x('d'), dir('d')],
    says: { 'd/': 'opaque directory' },
    warns: ['N-12'],
  },
  {
    is: 'R-04: a symlink is replaced, not followed',
    parts: [dir('t'), symlink('l', 't'), x('l')],
    says: { l: 'file "x"', 't/': 'directory' },
    warns: ['N-12'],
  },
  {
    is: 'R-04: a directory turned into a symlink and back keeps nothing',
    parts: [dir('d'), x('d/a'), symlink('d', 't'), dir('d'), x('d/b')],
    says: { 'd/': 'opaque directory', 'd/b': 'file "x"' },
    warns: ['N-12', 'N-12'],
  },
  {
    is: 'R-04: what went through the symlink stays where it went',
    parts: [symlink('d', 't'), x('d/a'), dir('d'), x('d/b')],
    says: { 'd/': 'opaque directory', 'd/b': 'file "x"', 't/': 'implied directory', 't/a': 'file "x"' },
    warns: ['N-12'],
  },
  // Framing
  { is: 'Q-05: an archive without entries says nothing', parts: [], says: {} },
]

describe('what a layer says', () => {
  for (const { is, parts, says, warns = [], refused, lenient } of cases) {
    test(is, async () => {
      const tar = archive(...parts)
      if (refused !== undefined) {
        await expect(layerOf(tar)).rejects.toMatchObject({ code: 'PLY_BAD_LAYER', details: { rule: refused } })
        return
      }
      const { view, report } = await layerOf(tar, lenient ? { lenient } : {})
      const { '/': root, ...rest } = sayings(view)
      expect(root === 'implied directory' ? rest : { '/': root, ...rest }).toEqual(says)
      expect(report.warnings.map(({ rule }) => rule)).toEqual(warns)
      expect(report.warningCount).toBe(warns.length)
      if (warns.length > 0 && !lenient)
        await expect(layerOf(tar, { strict: true })).rejects.toMatchObject({ code: 'PLY_BAD_LAYER' })
    })
  }
})

describe('attributes', () => {
  test('R-01: a later directory replaces the whole xattr set', async () => {
    const { view } = await layerOf(
      archive(withXattrs({ 'user.a': '1' }, dir('d')), withXattrs({ 'user.b': '2' }, dir('d'))),
    )
    const verdict = view.lookup(view.root.ino, 'd')
    expect(verdict.says).toBe('entry')
    if (verdict.says === 'entry') expect([...view.xattrs(verdict.ino).keys()]).toEqual(['user.b'])
  })

  test('X-03, X-04, X-05, X-06, X-12: what goes into the index, and what never does', async () => {
    const given = {
      'security.selinux': 's',
      'security.evm': 's',
      'security.ima': 'kept',
      'system.nfs4_acl': 's',
      'system.posix_acl_access': 'kept',
      'system.other': 'not storable',
      'trusted.overlay.opaque': 'y',
      'trusted.other': 'kept',
      'user.containers.override_stat': 's',
      'user.fuseoverlayfs.opaque': 's',
      'user.overlay.opaque': 'y',
      'user.rootlesscontainers': 's',
      'user.ostreemeta': 's',
      'user.a': '\0\xff',
    }
    const ignored = pax({ 'SCHILY.acl.access': 'x', 'SCHILY.fflags': 'x', 'RHT.security.selinux': 'x' })
    const { view, report } = await layerOf(archive(withXattrs(given, file('f')), ignored, file('g')))
    const f = view.lookup(view.root.ino, 'f')
    const g = view.lookup(view.root.ino, 'g')
    if (f.says !== 'entry' || g.says !== 'entry') throw new Error('they are entries')
    expect([...view.xattrs(f.ino).keys()].sort()).toEqual([
      'security.ima',
      'system.posix_acl_access',
      'trusted.other',
      'trusted.overlay.opaque',
      'user.a',
      'user.overlay.opaque',
    ])
    expect([...view.xattrs(f.ino).get('user.a')!]).toEqual([0, 255])
    expect(view.xattrs(g.ino).size).toBe(0)
    expect(report.warnings.map(({ rule }) => rule)).toEqual(['X-06'])
  })

  test('X-07: a capability has the length of its revision', async () => {
    const capability = (revision: number, size: number) =>
      `\0\0\0${String.fromCharCode(revision)}${'\x01'.repeat(size - 4)}`
    for (const [revision, size, good] of [
      [1, 12, true],
      [2, 20, true],
      [3, 24, true],
      [2, 24, false],
      [1, 20, false],
      [4, 20, false],
    ] as const) {
      const layer = layerOf(archive(withXattrs({ 'security.capability': capability(revision, size) }, file('f'))))
      if (good) await layer
      else await expect(layer).rejects.toMatchObject({ details: { rule: 'X-07' } })
    }
    await expect(layerOf(archive(withXattrs({ 'security.capability': 'x' }, file('f'))))).rejects.toMatchObject({
      details: { rule: 'X-07' },
    })
  })

  test('O-01, M-01: owners, times and modes are those of the archive', async () => {
    const parts = [pax({ mtime: '-1.000000001', uid: '4000000000' }), file('f', 'x', { mode: 0o6755, gid: 7 })]
    const { view } = await layerOf(archive(...parts))
    const verdict = view.lookup(view.root.ino, 'f')
    if (verdict.says !== 'entry') throw new Error('it is an entry')
    expect(view.stat(verdict.ino)).toMatchObject({
      mode: 0o6755,
      uid: 4000000000,
      gid: 7,
      mtime: -1000000001n,
      links: 1,
    })
  })

  test('O-06: modes of symlinks are ignored', async () => {
    const parts = [0o777, 0o644, 0].map((mode) => member({ name: `l${mode}`, type: '2', linkName: 't', mode }))
    const { view } = await layerOf(archive(...parts))
    const modes = [...view.list(view.root.ino)].map(({ verdict }) => {
      if (verdict.says !== 'entry') throw new Error('they are entries')
      return view.stat(verdict.ino).mode
    })
    expect(modes).toEqual([0o777, 0o777, 0o777])
  })

  test('X-08: user attributes of anything stay in the index', async () => {
    const parts = [symlink('l', 't'), member({ name: 'p', type: '6' }), member({ name: 'c', type: '3' })]
    const { view, report } = await layerOf(archive(...parts.map((part) => withXattrs({ 'user.a': 'v' }, part))))
    expect(report.warnings).toEqual([])
    for (const { name, verdict } of view.list(view.root.ino)) {
      if (verdict.says !== 'entry') throw new Error('they are entries')
      expect([...view.xattrs(verdict.ino)], name).toEqual([['user.a', new Uint8Array(Buffer.from('v'))]])
    }
  })

  test('M-03: access and change times leave no trace in the index', async () => {
    const times = { atime: '1234567890', ctime: '1234567890' }
    const { view, index } = await layerOf(archive(pax(times), file('f', 'x', { mtime: 5 })))
    const verdict = view.lookup(view.root.ino, 'f')
    if (verdict.says !== 'entry') throw new Error('it is an entry')
    expect(view.stat(verdict.ino).mtime).toBe(5_000_000_000n)
    expect(view.xattrs(verdict.ino).size).toBe(0)
    const little = Buffer.alloc(8)
    little.writeBigInt64LE(1234567890n)
    expect(index.includes(little)).toBe(false)
    expect(index.includes('1234567890')).toBe(false)
  })

  test('M-06: a directory that no entry describes has the time 0, whatever the clock says', async () => {
    const made = async () => (await layerOf(archive(x('d/e/f'), gone('g/h'), x('i'), gone('j'), x('j/k')))).view
    const timesIn = (view: Awaited<ReturnType<typeof made>>, directory: number): [string, bigint][] =>
      [...view.list(directory)].flatMap(({ name, verdict }) => {
        if (verdict.says !== 'entry' && verdict.says !== 'ghost') return []
        const { kind, mtime } = view.stat(verdict.ino)
        const own: [string, bigint][] = [[name, mtime]]
        return kind === 'directory' ? [...own, ...timesIn(view, verdict.ino)] : own
      })
    const view = await made()
    expect(timesIn(view, view.root.ino)).toEqual(['d', 'e', 'f', 'g', 'i', 'j', 'k'].map((name) => [name, 0n]))
    expect(view.stat(view.root.ino).mtime).toBe(0n)
  })

  test('content, header and place of a file are found again', async () => {
    const tar = archive(dir('d'), pax({ mtime: '1.5' }), file('d/f', 'content'), file('empty'))
    const { view } = await layerOf(tar)
    const d = view.lookup(view.root.ino, 'd')
    if (d.says !== 'entry') throw new Error('it is an entry')
    const f = view.lookup(d.ino, 'f')
    const empty = view.lookup(view.root.ino, 'empty')
    if (f.says !== 'entry' || empty.says !== 'entry') throw new Error('they are entries')
    const layer = view.devices[0]!.diffId
    expect(view.devices).toEqual([{ diffId: layer, size: tar.length }])
    expect(view.provenance(f.ino)).toEqual({ layer, header: 512 })
    expect(view.place(f.ino)).toEqual({ layer, offset: 2048 })
    expect(view.place(empty.ino)).toBeUndefined()
    expect(view.open(empty.ino).size).toBe(0)
    expect(() => view.open(d.ino)).toThrow(expect.objectContaining({ code: 'EISDIR' }))
    expect(view.lookup(d.ino, 'none')).toEqual({ says: 'nothing' })
    view.close()
    view.close()
    expect(() => view.open(f.ino)).toThrow()
  })
})

describe('budgets', () => {
  const over = async (tar: Buffer, limits: object) => {
    try {
      await layerOf(tar, { limits })
    } catch (error) {
      expect(codeOf(error)).toBe('PLY_BUDGET')
      return (error as { details: { option?: string } }).details.option
    }
    return undefined
  }

  test.each([
    ['entries', [x('a'), x('b')], 2],
    ['depth', [x('a/b/c')], 3],
    ['depth', [x('a/b/c'), gone('a/b/d')], 3],
    ['logicalSize', [file('a', 'xxx'), file('b', 'xxx')], 6],
    ['xattrSize', [withXattrs({ 'user.a': 'xxxx' }, file('a'))], 4],
    ['xattrsSize', [withXattrs({ 'user.a': 'xxxx', 'user.b': 'xxxx' }, file('a'))], 32],
  ] as const)('section 17: %s is counted to the unit', async (option, parts, needed) => {
    const tar = archive(...parts)
    expect(await over(tar, { [option]: needed })).toBeUndefined()
    expect(await over(tar, { [option]: needed - 1 })).toBe(`limits.${option}`)
  })

  test('section 17: a path of 1024 components is accepted, one of 1025 is not', async () => {
    const deep = (depth: number) => archive(named(`${'d/'.repeat(depth - 1)}f`, file('-')))
    expect(await over(deep(1024), {})).toBeUndefined()
    expect(await over(deep(1025), {})).toBe('limits.depth')
  })

  test('section 17, N-08: the target of a hardlink is held to what a path may be', async () => {
    const to = (target: string) => archive(Buffer.concat([long('K', target), link('a', '-')]))
    expect(await over(to(`${'d/'.repeat(1023)}f`), {})).toBeUndefined()
    expect(await over(to(`${'d/'.repeat(1024)}f`), {})).toBe('limits.depth')
    await expect(layerOf(to(`d/${n255}n`))).rejects.toMatchObject({ details: { rule: 'N-08' } })
  })

  test('section 17: attributes above what an index holds are refused', async () => {
    expect(await over(archive(withXattrs({ 'user.a': 'x'.repeat(65_535) }, file('a'))), {})).toBeUndefined()
    expect(await over(archive(withXattrs({ 'user.a': 'x'.repeat(65_536) }, file('a'))), {})).toBe('limits.xattrSize')
    const four = Object.fromEntries(['a', 'b', 'c', 'd'].map((name) => [`user.${name}`, 'x'.repeat(65_500)]))
    expect(await over(archive(withXattrs(four, file('a'))), {})).toBe('limits.xattrsSize')
  })

  test('section 17: so many symlinks are followed and no more', async () => {
    const chain = (steps: number) =>
      archive(
        ...Array.from({ length: steps }, (_, i) => symlink(`l${i}`, i + 1 < steps ? `l${i + 1}` : 't')),
        x('l0/f'),
      )
    await layerOf(chain(255))
    await expect(layerOf(chain(256))).rejects.toMatchObject({ details: { rule: 'N-11' } })
  })

  test('the report stays small whatever the names are', async () => {
    const name = `a/../${'\x01'.repeat(500_000)}/../f`
    const { report } = await layerOf(archive(named(name, file('-'))))
    expect(report.warnings.map(({ rule, entry }) => [rule, entry.length < 5000])).toEqual([['N-03', true]])
  })

  test('warnings are capped and counted', async () => {
    const tar = archive(...Array.from({ length: 1500 }, () => gone('a')))
    const { report } = await layerOf(tar)
    expect(report).toMatchObject({ warningCount: 1499, entries: 1500 })
    expect(report.warnings).toHaveLength(1000)
  })
})
