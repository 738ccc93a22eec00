import { dir, file, gone, link, named, opaque, symlink, withXattrs } from '../../layer/parts.ts'
import { archive, base256, gnu, header, long, member, pax, zeroBlock } from '../../tar/raw.ts'

const capability = '\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0'
const device = (name: string, type: '3' | '4', major: number | string, minor: number | string) =>
  member({ name, type, major, minor })

/** Archives in which every form of header, name, link and marker occurs, each a few kilobytes. */
export function tarSeeds(): readonly Buffer[] {
  return [...plain(), ...namesAndMarkers(), ...extended(), ...endings()]
}

function plain(): readonly Buffer[] {
  return [
    archive(),
    archive(file('a', 'content')),
    archive(dir('d'), file('d/f', 'x'.repeat(513)), file('d/empty'), dir('d/e'), file('d/e/f', 'y'.repeat(512))),
    archive(dir('./'), dir('./d/'), file('./d/f', 'text'), file('/abs', 'text'), file('a//b/./c', '1')),
    archive(file('a', '1'), link('b', 'a'), link('c', './b'), file('a', '2'), link('later', 'z'), file('z', '3')),
    archive(dir('t'), symlink('l', 't'), file('l/x', 'x'), symlink('up', '../..'), file('l/../y', 'y')),
    archive(symlink('l', 't'), link('h', 'l'), link('below', 'not/here'), symlink('long', 't'.repeat(100))),
    archive(
      device('c', '3', 1, 3),
      device('b', '4', 8, 1),
      device('zero', '3', 0, 0),
      member({ name: 'p', type: '6' }),
    ),
    archive(device('c', '3', base256(4095n, 8), base256(1048575n, 8)), device('v7', '3', '', '')),
    archive(member({ name: 'old', magic: '', type: '\0' }, 'v7'), member({ name: 'dir/', magic: '', type: '\0' })),
    archive(member({ name: 'gnu', magic: gnu, tail: '00000000001\x0000000000002\0' }, 'times in the tail')),
    archive(member({ name: 'star', tail: `${'s/'.repeat(60)}\0${'\0'.repeat(36)}tar\0` }, 'star')),
    archive(member({ name: 'n'.repeat(100), prefix: 'p'.repeat(155) }, '1'), member({ name: 'x', prefix: 'a/b' })),
    archive(
      member({ name: 'big', uid: base256(4294967294n, 8), gid: base256(70_000n, 8), mtime: base256(-1n, 12) }, '1'),
    ),
    archive(
      member({ name: 'odd', mode: '  644 \0', uid: '', gid: ' 7 ', mtime: '77777777777\0', size: ' 3\0' }, 'abc'),
    ),
    archive(member({ name: 'set', mode: 0o6755, type: '7' }, 'contiguous'), dir('sticky', { mode: 0o1777 })),
    archive(header({ name: 'sum', checksum: 'signed' }), header({ name: '\xe9t\xe9', checksum: 'signed' })),
    archive(
      header({ name: 'link with a size', type: '2', linkName: 'x', size: 5 }),
      header({ name: 'd', type: '5', size: 9 }),
    ),
  ]
}

function namesAndMarkers(): readonly Buffer[] {
  const deep = Array.from({ length: 9 }, (_, i) => 'd/'.repeat(i + 1)).map((name) => dir(name))
  return [
    archive(dir('d'), gone('d/x'), gone('y'), opaque('d'), file('d/z', 'z')),
    archive(gone('d'), dir('d'), file('d/y', 'y'), gone('d/e/g'), opaque('o/p'), gone('q/r/s')),
    archive(file('d/y', 'y'), gone('d'), file('f', '1'), gone('f'), gone('gone'), gone('gone'), opaque(''), opaque('')),
    archive(
      dir('.wh..wh.plnk'),
      file('.wh..wh.plnk/1.2', 'linked'),
      link('a', '.wh..wh.plnk/1.2'),
      file('.wh..wh.aufs'),
    ),
    archive(file('d/.wh.__dir_opaque'), file('.wh.f', 'a marker with content', { mode: 0o777 })),
    archive(file('d', 'a file'), dir('d'), file('d/x', 'x'), file('d', 'again'), symlink('d', 'x'), dir('d')),
    archive(
      dir('d', { mode: 0o700, uid: 1 }),
      dir('d', { mode: 0o755 }),
      file('d/../e', 'e'),
      file('a/b/../../c', 'c'),
    ),
    archive(symlink('a', 'b'), symlink('b', 'c/d'), dir('c'), symlink('c/d', '/t'), dir('t'), file('a/in', 'through')),
    archive(symlink('s1', 's2'), symlink('s2', 's1'), dir('ok')),
    archive(...deep, file(`${'d/'.repeat(9)}f`, 'deep'), file('n'.repeat(99), '99'), file('\xff\xfe\x80', 'bytes')),
    archive(dir('Files'), file('Files/x', 'no windows'), dir('UtilityVM')),
    archive(...Array.from({ length: 40 }, (_, i) => file(`many/${'n'.repeat(i)}${i}`, 'm'))),
    archive(...Array.from({ length: 14 }, (_, i) => link(`h${i}`, i === 0 ? 'late' : `h${i - 1}`)), file('late', 'l')),
  ]
}

function extended(): readonly Buffer[] {
  const path = 'p/'.repeat(70)
  return [
    archive(pax({ path: `${path}f`, mtime: '1.5', uid: '70000', gid: '4294967294' }), file('f', 'text')),
    archive(
      pax({ path: '', size: '3', mtime: '-1.000000001', linkpath: 'x', atime: '1', ctime: '2' }),
      file('f', 'abc'),
    ),
    archive(pax({ linkpath: 't'.repeat(120) }), symlink('l', 'short'), pax({ linkpath: 'f' }), link('h', '')),
    archive(long('L', 'n'.repeat(140)), file('short', 'x'), long('K', 't'.repeat(300)), symlink('k', '')),
    archive(
      long('L', 'g'),
      pax({ path: 'p' }),
      pax({ path: 'q', mtime: '7' }),
      file('h', 'x'),
      named('w'.repeat(255), file('x')),
    ),
    archive(withXattrs({ 'user.a': 'value', 'user.b': '\0\xff\n=', 'trusted.overlay.opaque': 'y' }, file('f', 'x'))),
    archive(
      withXattrs({ 'security.capability': capability, 'security.selinux': 'label\0', 'user.empty': '' }, file('f')),
    ),
    archive(
      withXattrs({ 'system.posix_acl_access': '\x02\0\0\0', 'user.containers.override_stat': '0:0:0644' }, dir('d')),
    ),
    archive(
      withXattrs({ 'user.shared': 's'.repeat(40) }, file('a', '1')),
      withXattrs({ 'user.shared': 's'.repeat(40) }, file('b')),
    ),
    archive(pax({ 'LIBARCHIVE.xattr.user.a%20b': 'dmFsdWU=', 'SCHILY.xattr.user.a b': 'value' }), file('f')),
    archive(
      pax({ 'SCHILY.acl.access': 'user::rw-', 'RHT.security.selinux': 'x', comment: 'none', 'vendor.key': '1' }),
      dir('d'),
    ),
    archive(pax({ comment: 'global', path: 'ignored' }, 'g'), file('f', 'x'), pax('', 'g'), pax(''), file('g')),
    archive(pax({ 'MSWINDOWS.rawsd': 'AQ==' }), dir('Files'), file('Files/x')),
    archive(pax({ path: 'a\nb=c' }), file('newline'), member({ name: 'volume', type: 'V' }), file('after')),
  ]
}

function endings(): readonly Buffer[] {
  const one = file('f', 'text')
  return [
    Buffer.alloc(0),
    one,
    one.subarray(0, 516),
    Buffer.concat([one, zeroBlock]),
    Buffer.concat([archive(one), Buffer.alloc(20 * 512)]),
    Buffer.concat([archive(one), Buffer.from('something after the end')]),
    Buffer.concat([one, zeroBlock, one]),
  ]
}
