import { dir, file, symlink, withXattrs } from '../layer/parts.ts'
import { member, pax } from '../tar/raw.ts'
import { type Case, refuses, says } from './case.ts'
import { told } from './lines.ts'

const x = (path: string) => file(path, 'x')
const base64 = (text: string) => Buffer.from(text, 'latin1').toString('base64')
/** Words of 32 bits: what is in `security.capability` and in lists of access rights. */
const words = (...values: number[]) => {
  const bytes = Buffer.alloc(values.length * 4)
  for (const [i, value] of values.entries()) bytes.writeUInt32LE(value, i * 4)
  return bytes.toString('latin1')
}
/** The top byte of the first word is the revision, the lowest bit says that the capabilities are effective. */
const capability = (revision: number, size: number) =>
  words(revision * 0x1000000 + 1, ...Array.from({ length: size / 4 - 1 }, () => 1000))
/** user::rw- user:1000:r-- group::r-- mask::r-- other::--- */
const accessList = words(2, 0x0006_0001, 0xffff_ffff, 0x0004_0002, 1000, 0x0004_0004, 0xffff_ffff).concat(
  words(0x0004_0010, 0xffff_ffff, 0x0000_0020, 0xffff_ffff),
)

/** Section 11. */
export const xattrs: readonly Case[] = [
  says(
    'X-01: both spellings, names and values decoded',
    [
      pax({
        'SCHILY.xattr.user.raw': 'a%20b=\n',
        'LIBARCHIVE.xattr.user.%61%3d%2520': base64('\0\xff'),
        'LIBARCHIVE.xattr.user.unpadded': base64('x').replace(/=/g, ''),
      }),
      x('f'),
    ],
    `f file 644 "x"
     f [user.a=%20] "\\x00\\xff"
     f [user.raw] "a%20b=\\x0a"
     f [user.unpadded] "x"`,
  ),
  refuses('X-01: a value that is not base64', [pax({ 'LIBARCHIVE.xattr.user.a': '***' }), x('f')]),
  refuses('X-01: an attribute without a name', [pax({ 'SCHILY.xattr.': '1' }), x('f')]),
  refuses('X-01: an attribute with a NUL in its name', [pax({ 'LIBARCHIVE.xattr.user.%00': base64('1') }), x('f')]),
  says(
    'X-02: both spellings of one name with one value',
    [pax({ 'SCHILY.xattr.user.a': '1', 'LIBARCHIVE.xattr.user.%61': base64('1') }), x('f')],
    `f file 644 "x"
     f [user.a] "1"`,
  ),
  refuses('X-02: both spellings of one name with two values', [
    pax({ 'SCHILY.xattr.user.a': '1', 'LIBARCHIVE.xattr.user.a': base64('2') }),
    x('f'),
  ]),
  says(
    'X-03, X-04: attributes of one machine and of tools are not imported',
    [
      withXattrs(
        {
          'security.selinux': 's',
          'security.evm': 's',
          'system.nfs4_acl': 's',
          'user.containers.override_stat': '0:0:0755',
          'user.containers.override_anything': 's',
          'user.fuseoverlayfs.opaque': 'y',
          'user.rootlesscontainers': 's',
          'user.ostreemeta': 's',
        },
        x('f'),
      ),
    ],
    'f file 644 "x"',
  ),
  says(
    'X-05: attributes of overlays are data',
    [
      withXattrs({ 'trusted.overlay.opaque': 'y', 'user.overlay.redirect': '/x' }, dir('d')),
      withXattrs({ 'trusted.overlay.metacopy': 'm' }, x('d/f')),
    ],
    `d/ directory 755
     d/ [trusted.overlay.opaque] "y"
     d/ [user.overlay.redirect] "/x"
     d/f file 644 "x"
     d/f [trusted.overlay.metacopy] "m"`,
  ),
  says(
    'X-06: the others are kept',
    [
      withXattrs(
        { 'trusted.a': '1', 'security.ima': '\x03\x04', 'system.posix_acl_access': accessList },
        file('f', 'x', { mode: 0o640 }),
      ),
      withXattrs({ 'system.posix_acl_default': accessList }, dir('d')),
    ],
    [
      'd/ directory 755',
      `d/ [system.posix_acl_default] ${told(accessList)}`,
      'f file 640 "x"',
      'f [security.ima] "\\x03\\x04"',
      `f [system.posix_acl_access] ${told(accessList)}`,
      'f [trusted.a] "1"',
    ],
  ),
  says(
    'X-06: of a kind that no index holds they are left out',
    [withXattrs({ 'system.other': '1' }, x('f'))],
    'f file 644 "x"',
    {
      warnings: ['X-06'],
    },
  ),
  ...(
    [
      [1, 12],
      [2, 20],
      [3, 24],
    ] as const
  ).map(([revision, size]) =>
    says(
      `X-07: a capability of revision ${revision} has ${size} bytes`,
      [withXattrs({ 'security.capability': capability(revision, size) }, x('f'))],
      ['f file 644 "x"', `f [security.capability] ${told(capability(revision, size))}`],
      revision === 1 ? { notInLinux: 'Linux does not show capabilities of revision 1' } : {},
    ),
  ),
  ...(
    [
      [0, 12],
      [1, 20],
      [2, 12],
      [2, 24],
      [3, 20],
      [4, 24],
      [2, 4],
    ] as const
  ).map(([revision, size]) =>
    refuses(`X-07: a capability of revision ${revision} and ${size} bytes`, [
      withXattrs({ 'security.capability': capability(revision, size) }, x('f')),
    ]),
  ),
  refuses('X-07: a capability of one byte', [withXattrs({ 'security.capability': '1' }, x('f'))]),
  says(
    'X-08: attributes for users on what is neither file nor directory are kept',
    [
      withXattrs({ 'user.a': '1', 'trusted.b': '2' }, symlink('l', 't')),
      withXattrs({ 'user.a': '1' }, member({ name: 'c', type: '3', major: 1, minor: 3 })),
      withXattrs({ 'trusted.a': '3' }, member({ name: 'p', type: '6' })),
    ],
    `c character 1:3 644
     c [user.a] "1"
     l symlink 777 -> t
     l [trusted.b] "2"
     l [user.a] "1"
     p fifo 644
     p [trusted.a] "3"`,
    { notInLinux: 'Linux has attributes for users on files and directories only' },
  ),
  says(
    'P-03, X-09: an empty value is none, in either spelling',
    [pax({ 'SCHILY.xattr.user.a': '', 'LIBARCHIVE.xattr.user.b': '', 'SCHILY.xattr.user.c': '1' }), x('f')],
    `f file 644 "x"
     f [user.c] "1"`,
  ),
  says(
    'X-11: in a table they stand by name, however they came',
    [withXattrs({ 'user.b': '2', 'trusted.z': '3', 'user.a': '1', 'user.aa': '1' }, x('f'))],
    `f file 644 "x"
     f [trusted.z] "3"
     f [user.a] "1"
     f [user.aa] "1"
     f [user.b] "2"`,
  ),
  says(
    'X-12: lists of rights as text, flags and labels in other keys are ignored',
    [
      pax({
        'SCHILY.acl.access': 'user::rw-',
        'SCHILY.acl.default': 'user::rw-',
        'SCHILY.fflags': 'nodump',
        'RHT.security.selinux': 's',
      }),
      x('f'),
    ],
    'f file 644 "x"',
  ),
  says(
    'X-01: attributes that several entries share, and one of 65,535 bytes',
    [
      withXattrs({ 'user.same': 'v'.repeat(300), 'user.large': 'w'.repeat(65_535) }, x('a')),
      withXattrs({ 'user.same': 'v'.repeat(300), 'user.own': 'b' }, x('b')),
    ],
    [
      'a file 644 "x"',
      `a [user.large] ${told('w'.repeat(65_535))}`,
      `a [user.same] ${told('v'.repeat(300))}`,
      'b file 644 "x"',
      'b [user.own] "b"',
      `b [user.same] ${told('v'.repeat(300))}`,
    ],
  ),
]
