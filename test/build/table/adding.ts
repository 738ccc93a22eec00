import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { rawTar } from '../../support/raw-tar.ts'
import { type Case, group } from './case.ts'

const tar = rawTar([
  { name: 'a/', type: '5', mode: 0o711, uid: 3, gid: 4 },
  { name: 'a/b', content: 'B', mode: 0o4750, uid: 7, gid: 8 },
  { name: 'l', type: '2', link: 'a/b', mode: 0o777 },
  { name: 'h', type: '1', link: 'a/b', mode: 0o4750, uid: 7, gid: 8 },
])
const unpacked = (at: string) => [
  `${at}/a/ 711 3:4`,
  `${at}/a/b 4750 7:8 = B`,
  `${at}/h => ${at}/a/b`,
  `${at}/l -> a/b`,
]
const text = 'from the network'
export const served: Readonly<Record<string, Uint8Array>> = {
  '/file': Buffer.from(text),
  '/dir/x.tar.gz': gzipSync(tar),
}
const sum = `sha256:${createHash('sha256').update(text).digest('hex')}`

/** ADD: archives, addresses and repositories. `@URL@` is a server that has what is served here, and the repository `r.git`. */
export const adding: readonly Case[] = [
  ...group(
    {
      see: 'Adding local tar archives',
      context: {
        'x.tar': tar,
        'x.tgz': gzipSync(tar),
        'x.txt': tar,
        'no.tar': 'no tar',
        'no.gz': gzipSync('no tar'),
        'empty.tar.gz': '',
        d: { directory: true },
        'd/x.tar': tar,
      },
    },
    [
      {
        says: 'a tar is unpacked, with its owners and modes',
        dockerfile: 'FROM scratch\nADD x.tar /t\n',
        tree: ['/t/', ...unpacked('/t')],
      },
      {
        says: 'a tar that is compressed is unpacked',
        dockerfile: 'FROM scratch\nADD x.tgz /t/\n',
        tree: ['/t/', ...unpacked('/t')],
      },
      {
        says: 'a tar is one by what it holds, whatever its name',
        dockerfile: 'FROM scratch\nADD x.txt /t\n',
        tree: ['/t/', ...unpacked('/t')],
      },
      {
        says: 'what only has the name of a tar is a file',
        dockerfile: 'FROM scratch\nADD no.tar empty.tar.gz /t/\n',
        tree: ['/t/', '/t/empty.tar.gz =', '/t/no.tar = no tar'],
      },
      { says: 'a tar is unpacked into the root', dockerfile: 'FROM scratch\nADD x.tar /\n', tree: unpacked('') },
      {
        says: 'a tar in a directory that is added is a file',
        dockerfile:
          'FROM scratch AS a\nADD d /t/\nFROM scratch\nCOPY --from=a --exclude=?/*/* /t /t/\nADD no.tar /t/d/\nCOPY --from=a --exclude=x.tar /t /u\n',
        tree: ['/t/', '/t/d/', '/t/d/no.tar = no tar', `/t/x.tar = ${tar.toString().replaceAll('\n', '|')}`, '/u/'],
      },
      {
        says: 'a tar is put together with what is there',
        dockerfile: 'FROM scratch\nCOPY <<EOF /t/a/c\nc\nEOF\nADD x.tar /t\n',
        tree: ['/t/', '/t/a/ 711 3:4', '/t/a/b 4750 7:8 = B', '/t/a/c = c|', '/t/h => /t/a/b', '/t/l -> a/b'],
      },
      {
        says: 'a tar gets an owner where one is said',
        dockerfile: 'FROM scratch\nADD --chown=1:2 x.tar /t\n',
        tree: ['/t/ 1:2', '/t/a/ 711 1:2', '/t/a/b 4750 1:2 = B', '/t/h => /t/a/b', '/t/l 1:2 -> a/b'],
      },
      {
        says: 'a tar stays one with --unpack=false',
        see: 'ADD --unpack',
        dockerfile: 'FROM scratch\nADD --unpack=false no.tar /t\nADD --unpack=false --chmod=600 no.tar /u\n',
        tree: ['/t = no tar', '/u 600 = no tar'],
      },
      {
        says: 'COPY unpacks nothing',
        dockerfile: 'FROM scratch\nCOPY no.gz no.tar /t/\nCOPY --exclude=*.gz --exclude=x.* --exclude=d . /u/\n',
        tree: [
          '/t/',
          `/t/no.gz = ${gzipSync('no tar').toString().replaceAll('\n', '|')}`,
          '/t/no.tar = no tar',
          '/u/',
          '/u/no.tar = no tar',
        ],
      },
      {
        says: 'ADD copies files and directories like COPY',
        dockerfile: 'FROM scratch\nADD --chown=5:6 --chmod=700 no.tar /t/\n',
        tree: ['/t/ 5:6', '/t/no.tar 700 5:6 = no tar'],
      },
      {
        says: 'ADD leaves out what it is told to',
        see: 'ADD --exclude',
        dockerfile: 'FROM scratch\nADD --exclude=x.* --exclude=*.gz --exclude=d . /t/\n',
        tree: ['/t/', '/t/no.tar = no tar'],
      },
      {
        says: 'ADD takes no --from',
        dockerfile: 'FROM scratch\nADD --from=x a b\n',
        fails: { line: 2, words: /ADD: there is no flag --from/ },
      },
      {
        says: 'ADD takes no source above the context',
        dockerfile: 'FROM scratch\nADD ../x /\n',
        fails: { line: 2, words: /outside of the context/ },
      },
      {
        says: 'a tar that is cut off is an error',
        dockerfile: 'FROM scratch\nADD cut.tar /\n',
        context: { 'cut.tar': rawTar([{ name: 'a', content: 'x'.repeat(3000) }]).subarray(0, 1500) },
        fails: { code: 'PLY_BAD_ARCHIVE', words: /./ },
      },
      {
        says: 'a checksum is of what is fetched alone',
        see: 'ADD --checksum',
        dockerfile: `FROM scratch\nADD --checksum=${sum} x.tar /\n`,
        fails: { line: 2, words: /a file of the context/ },
      },
    ],
  ),
  ...group({ see: 'Adding files from a URL' }, [
    {
      says: 'a file that is fetched has its own name in a directory, and is for its owner alone',
      dockerfile: 'FROM scratch\nADD @URL@/file?query=1 /d/\n',
      tree: ['/d/', `/d/file 600 = ${text}`],
    },
    {
      says: 'a file that is fetched has the name of the target',
      dockerfile: 'FROM scratch\nADD @URL@/file /f\n',
      tree: [`/f 600 = ${text}`],
    },
    {
      says: 'a file that is fetched gets the mode and the owner that are said',
      dockerfile: 'FROM scratch\nADD --chmod=755 --chown=5:6 @URL@/file /f\n',
      tree: [`/f 755 5:6 = ${text}`],
    },
    {
      says: 'an archive that is fetched is a file',
      dockerfile: 'FROM scratch\nADD @URL@/dir/x.tar.gz /d/\nFROM scratch\nCOPY --from=0 --exclude=*.gz /d /d\n',
      tree: ['/d/'],
    },
    {
      says: 'an archive that is fetched is unpacked with --unpack',
      see: 'ADD --unpack',
      dockerfile: 'FROM scratch\nADD --unpack=true @URL@/dir/x.tar.gz /t\n',
      tree: ['/t/', ...unpacked('/t')],
    },
    {
      says: 'a file that is fetched has the checksum that is said',
      see: 'ADD --checksum',
      dockerfile: `FROM scratch\nARG SUM\nADD --checksum=\${SUM} @URL@/file /f\n`,
      args: { SUM: sum },
      tree: [`/f 600 = ${text}`],
    },
    {
      says: 'a file with another checksum is an error',
      see: 'ADD --checksum',
      dockerfile: `FROM scratch\nADD --checksum=sha256:${'0'.repeat(64)} @URL@/file /f\n`,
      fails: { code: 'PLY_DIGEST_MISMATCH', words: /0000/ },
    },
    {
      says: 'a checksum that is none is an error',
      see: 'ADD --checksum',
      dockerfile: 'FROM scratch\nADD --checksum=md5:1 @URL@/file /f\n',
      fails: { line: 2, words: /sha256: and 64 digits/ },
    },
    {
      says: 'an address that has nothing is an error',
      dockerfile: 'FROM scratch\nADD @URL@/nothing /f\n',
      fails: { line: 2, words: /answers 404/ },
    },
    {
      says: 'an address may come from a variable',
      dockerfile: 'FROM scratch\nENV U=@URL@/file\nADD $U /f\n',
      tree: [`/f 600 = ${text}`],
      config: { Env: ['U=@URL@/file'] },
    },
  ]),
  ...group({ see: 'Adding files from a Git repository' }, [
    {
      says: 'a repository is added at its newest commit, without .git',
      dockerfile: 'FROM scratch\nADD @GIT@/r.git /r\n',
      tree: ['/r/', '/r/g = 2', '/r/sub/', '/r/sub/f 755 = 1'],
    },
    {
      says: 'a repository is added at a tag',
      dockerfile: 'FROM scratch\nADD @GIT@/r.git#v1 /r\n',
      tree: ['/r/', '/r/sub/', '/r/sub/f 755 = 1'],
    },
    {
      says: 'a directory of a repository is added',
      dockerfile: 'FROM scratch\nADD @GIT@/r.git#v1:sub /r/\n',
      tree: ['/r/', '/r/f 755 = 1'],
    },
    {
      says: 'a repository may keep its .git',
      see: 'ADD --keep-git-dir',
      dockerfile:
        'FROM scratch AS a\nADD --keep-git-dir=true @GIT@/r.git /r\nFROM scratch\nCOPY --from=a /r/.git/HEA* /r/\n',
      tree: ['/r/', '/r/HEAD = @HEAD@|'],
    },
    {
      says: 'a repository gets an owner where one is said',
      dockerfile: 'FROM scratch\nADD --chown=5:6 @GIT@/r.git#v1 /r\n',
      tree: ['/r/ 5:6', '/r/sub/ 5:6', '/r/sub/f 755 5:6 = 1'],
    },
    {
      says: 'a commit has the checksum that is said',
      see: 'ADD --checksum',
      dockerfile: 'FROM scratch\nADD --checksum=@HEAD@ @GIT@/r.git#main:sub /r\n',
      tree: ['/r/', '/r/f 755 = 1'],
    },
    {
      says: 'another commit than the checksum says is an error',
      see: 'ADD --checksum',
      dockerfile: 'FROM scratch\nADD --checksum=0123456 @GIT@/r.git /r\n',
      fails: { code: 'PLY_DIGEST_MISMATCH', words: /0123456/ },
    },
    {
      says: 'a branch that is not there is an error',
      dockerfile: 'FROM scratch\nADD @GIT@/r.git#nothing /r\n',
      fails: { line: 2, words: /nothing/ },
    },
    {
      says: 'a directory that leads out of a repository is an error',
      dockerfile: 'FROM scratch\nADD @GIT@/r.git#main:../x /r\n',
      fails: { line: 2, words: /leads out of the repository/ },
    },
  ]),
]
