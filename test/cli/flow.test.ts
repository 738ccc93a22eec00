import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { openStore } from '../../src/index.ts'
import { dockerArchive, ply, type Surroundings, sha256, tarOf, temporaryDirectory } from './run-ply.ts'

const directory = temporaryDirectory()
const root = join(directory, 'store')
const archive = join(directory, 'base.tar')
const at = (name: string) => join(directory, name)

/** Runs a command that must succeed, on the store of this file. */
async function run(argv: readonly string[], surroundings?: Surroundings): Promise<string> {
  const { code, out, err } = await ply([...argv, '--root', root], surroundings)
  expect(err).not.toMatch(/^ply:/m)
  expect(code, err).toBe(0)
  return out
}

// biome-ignore lint/suspicious/noExplicitAny: what JSON holds is what each test looks at.
async function json(argv: readonly string[]): Promise<any> {
  return JSON.parse(await run([...argv, '--json']))
}

async function fails(
  argv: readonly string[],
  code: number,
  text: string | RegExp,
  surroundings?: Surroundings,
): Promise<void> {
  const answer = await ply([...argv, '--root', root], surroundings)
  expect(answer.err).toMatch(text)
  expect(answer.err).toMatch(/^ply: [^\n]+\n( {5}[^\n]+\n)?$/)
  expect(answer.code).toBe(code)
}

beforeAll(async () => {
  await dockerArchive(archive, 'base:1', [
    { 'etc/': '', 'etc/motd': 'welcome\n', 'etc/issue': 'issue\n', 'etc/link': { to: '/etc/motd' }, 'bin/sh': 'shell' },
    { 'etc/issue': 'newer issue\n', 'opt/data/a': 'a', 'opt/data/b': 'b', 'caf\u00e9': 'unicode' },
  ])
})

describe('the main job from the shell', () => {
  test('load finds the kind of the archive and prints name and digest', async () => {
    const out = await run(['load', archive])
    expect(out).toMatch(/^base:1 sha256:[0-9a-f]{64}\n$/)
    expect(await run(['load', '-q', '-i', archive])).toMatch(/^sha256:[0-9a-f]{64}\n$/)
  })

  test('load reads stdin, and gives another name', async () => {
    expect(await run(['load', '-', '-t', 'piped'], { stdin: readFileSync(archive) })).toMatch(
      /^piped(:latest)? sha256:/,
    )
    const [a, b] = await json(['images'])
    expect(a.digest).toBe(b.digest)
  })

  test('images is a table for people, and the library value with --json', async () => {
    expect(await run(['images'])).toMatch(/^NAME +IMAGE ID +PLATFORM +LAYERS +CREATED +SIZE\nbase:1 +[0-9a-f]{12} /)
    await using store = await openStore(root)
    expect(await json(['images'])).toEqual(JSON.parse(JSON.stringify(await store.images())))
    expect(await run(['images', '-q', '--no-trunc'])).toMatch(/^(sha256:[0-9a-f]{64}\n){2}$/)
  })

  test('tag and rmi move names', async () => {
    const digest = (await run(['tag', 'base:1', 'other:2'])).trim()
    expect((await json(['images'])).find((image: { name: string }) => image.name === 'other:2').digest).toBe(digest)
    expect(await run(['rmi', 'other:2', 'piped'])).toBe('other:2\npiped\n')
    expect((await json(['images'])).map((image: { name: string }) => image.name)).toEqual(['base:1'])
    await fails(['rmi', 'other:2'], 3, 'no image named')
  })

  test('inspect shows an array; --raw and --config the documents byte for byte', async () => {
    const [one, two] = await json(['inspect', 'base:1', `docker-archive:${archive}`])
    expect(one.layers).toHaveLength(2)
    expect(two.id).toBe(one.id)
    const raw = await ply(['inspect', '--raw', 'base:1', '--root', root])
    expect(`sha256:${sha256(raw.bytes)}`).toBe(one.digest)
    const config = await ply(['inspect', '--config', 'base:1', '--root', root])
    expect(`sha256:${sha256(config.bytes)}`).toBe(one.id)
    expect(JSON.parse(await run(['inspect', 'base:1']))).toEqual([one])
  })

  test('an id of images, or its start, is as good as a name; a full one too', async () => {
    const [one] = await json(['inspect', 'base:1'])
    const [short] = (await run(['images', '-q'])).split('\n')
    expect(one.id).toContain(short)
    for (const id of [short!, one.id, one.id.slice(7)]) expect(await json(['inspect', id])).toEqual([one])
    expect(await run(['cat', short!, '/etc/issue'])).toBe('newer issue\n')
    await fails(['inspect', '0123456789ab'], 3, 'no image named')
  })

  test('rmi takes the id or the digest of an image with one name; of one with several it lists them', async () => {
    const [{ id, digest }] = await json(['inspect', 'base:1'])
    await run(['tag', 'base:1', 'second:1'])
    await fails(['rmi', id.slice(7, 19)], 2, /has several names; say which to remove: base:1 second:1/)
    await run(['rmi', 'second:1'])
    for (const text of [id.slice(7, 19), id, digest, digest.slice(7, 19)]) {
      expect(await run(['rmi', text])).toBe('base:1\n')
      await fails(['rmi', text], 3, 'no image named')
      await run(['load', archive])
    }
  })

  test('save takes the name that its reference says', async () => {
    await run(['save', 'base:1', '-o', `docker-archive:${at('renamed.tar')}:foo:bar`])
    expect(await run(['load', at('renamed.tar')])).toMatch(/^foo:bar /)
    await run(['rmi', 'foo:bar'])
    await fails(['save', 'base:1', 'base:1', '-o', `oci:${at('twice')}:x`], 2, 'names one image')
    const before = await json(['images'])
    for (const output of ['xx:yy', 'store:xx', 'container:xx', at('x:y')])
      await fails(['save', 'base:1', '-o', output], 2, 'a file name with a colon')
    expect(await json(['images'])).toEqual(before)
  })

  test('what was done before a failure is told', async () => {
    await run(['tag', 'base:1', 'gone:1'])
    const { code, out } = await ply(['rmi', 'gone:1', 'missing:1', '--root', root])
    expect([code, out]).toEqual([3, 'gone:1\n'])
  })

  test('history is newest first, in docker’s columns', async () => {
    const lines = (await run(['history', 'base:1'])).trimEnd().split('\n')
    expect(lines[0]).toMatch(/^IMAGE +CREATED +CREATED BY +SIZE( +COMMENT)?$/)
    expect(lines[1]).toMatch(/^[0-9a-f]{12} .*step 1/)
    expect(lines[2]).toMatch(/^<missing> .*step 0/)
  })

  test('ls, cat, stat and tree read without unpacking, from the store and from the archive', async () => {
    for (const tree of ['base:1', `docker-archive:${archive}`]) {
      expect(await run(['ls', tree])).toBe('bin\ncafé\netc\nopt\n')
      expect(await run(['ls', tree, '/etc', '-l'])).toMatch(
        /^-rw-r--r-- 1 0 0 12 2020-09-13 12:26 issue\nlrwx.* link -> \/etc\/motd\n/,
      )
      expect(await run(['ls', tree, 'opt', '-R'])).toBe('/opt/data\n/opt/data/a\n/opt/data/b\n')
      expect(await run(['cat', tree, '/etc/issue'])).toBe('newer issue\n')
      expect(await run(['cat', tree, 'etc/link'])).toBe('welcome\n')
      expect(await run(['stat', tree, '/etc/link'])).toMatch(
        /^path +\/etc\/link\nkind +symlink\n(.*\n)*target +\/etc\/motd\n/,
      )
      expect(await json(['stat', tree, '/café'])).toMatchObject({
        path: '/café',
        kind: 'file',
        size: 7,
        mtime: '2020-09-13T12:26:40Z',
      })
      const digest = `sha256:${sha256('newer issue\n')}`
      expect(await run(['stat', tree, '/etc/issue'])).toMatch(`\ndigest    ${digest}\n`)
      expect(await json(['stat', tree, '/etc/issue'])).toMatchObject({ digest })
      expect(await json(['stat', tree, '/etc'])).not.toHaveProperty('digest')
      expect(await run(['tree', tree, '/opt'])).toBe('/opt\n└── data/\n    ├── a\n    └── b\n')
      expect(await run(['tree', tree, '/', '--depth', '1'])).toBe('/\n├── bin/\n├── café\n├── etc/\n└── opt/\n')
    }
    await fails(['cat', 'base:1', '/missing'], 3, 'ENOENT')
    await fails(['cat', 'base:1', '/etc'], 9, /EISDIR.*'\/etc'/)
    expect(await run(['ls', 'base:1', 'etc/motd'])).toBe('etc/motd\n')
    expect(await run(['ls', 'base:1', '/etc/', '-d'])).toBe('/etc/\n')
    await fails(['ls', 'ftp:./x'], 2, /known: oci, oci-archive, docker-archive, dir, tar, rootfs, .*container/)
    await fails(['ls', 'base:1', '/bin/sh/x'], 3, 'ENOTDIR')
    await fails(['ls', 'missing:1'], 3, 'no image named')
  })

  test('create, cp in, rm, changes: what a container changed', async () => {
    expect(await run(['create', 'base:1', '--name', 'work'])).toBe('work\n')
    await fails(['create', 'base:1', '--name', 'work'], 6, 'already a container')
    await fails(['create', 'missing:1', '--name', 'x'], 3, 'no image named')
    writeFileSync(at('motd'), 'hello\n', { mode: 0o640 })
    utimesSync(at('motd'), 1_700_000_000, 1_700_000_000)
    await run(['cp', at('motd'), 'work:/etc/motd'])
    await run(['cp', '-', 'work:/etc/piped'], { stdin: 'from a pipe' })
    utimesSync(at('motd'), new Date(-5_000), new Date(-5_000))
    await run(['cp', at('motd'), 'work:/etc/old'])
    await run(['cp', 'work:/etc/old', at('old')])
    expect(statSync(at('old')).mtimeMs).toBe(-5_000)
    await run(['rm', 'work:/etc/old'])
    await run(['rm', 'work:/etc/issue'])
    await fails(['rm', 'work:/etc/issue'], 3, 'ENOENT')
    await fails(['rm', 'work:/opt'], 2, 'remove it with -r')
    await run(['rm', '-r', 'work:/opt'])
    expect(await run(['changes', 'work'])).toBe(
      'D /opt\nC /etc\nD /etc/issue\nC /etc/motd\nA /etc/piped\n'.replace('C /etc\n', ''),
    )
    expect(await json(['stat', 'container:work', '/etc/motd'])).toMatchObject({
      mode: 0o640,
      size: 6,
      mtime: '2023-11-14T22:13:20Z',
    })
    expect(await run(['cat', 'work:/etc/motd'])).toBe('hello\n')
    expect(await run(['ls', 'work:/etc'])).toBe('link\nmotd\npiped\n')
    expect(await run(['tree', 'work:/bin'])).toBe('/bin\n└── sh\n')
    expect((await json(['stat', 'work:/etc/motd'])).path).toBe('/etc/motd')
    await fails(['cat', 'work:/etc/motd', '/etc/motd'], 2, 'is a path already')
    await fails(['cat', 'base:1'], 2, 'missing: PATH')
    await fails(['cat', 'nobody:/etc'], 3, 'no container named')
    await fails(['cp', 'work:/etc', '-'], 9, /EISDIR.*'\/etc'/)
    expect(await json(['changes', 'work'])).toContainEqual(
      expect.objectContaining({ kind: 'delete', path: '/etc/issue' }),
    )
    expect(await run(['ps'])).toMatch(
      /^NAME +IMAGE +MANIFEST +SNAPSHOTS +MOUNTED +CREATED\nwork +base:1 +[0-9a-f]{12} +- /,
    )
  })

  test('snapshot, rollback, clone: states of a container, which are read and removed like one', async () => {
    await run(['create', 'base:1', '--name', 'kept'])
    await run(['cp', '-', 'kept:/etc/motd'], { stdin: 'first' })
    expect(await run(['snapshot', 'kept', 'before'])).toBe('kept@before\n')
    await fails(['snapshot', 'kept', 'before'], 6, 'has a snapshot before already')
    await run(['cp', '-', 'kept:/etc/motd'], { stdin: 'second' })
    expect(await run(['cat', 'kept@before:/etc/motd'])).toBe('first')
    expect(await run(['cat', 'container:kept@before', '/etc/motd'])).toBe('first')
    expect(await run(['cp', 'kept@before:/etc/motd', '-'])).toBe('first')
    await fails(['cp', '-', 'kept@before:/etc/motd'], 2, 'never changes', { stdin: 'x' })
    expect(await run(['changes', 'kept@before'])).toBe('C /etc/motd\n')
    expect(await run(['changes', 'kept', '--since', 'before'])).toBe('C /etc/motd\n')
    await fails(['changes', 'kept', '--since', 'x'], 3, 'has no snapshot x; it has: before')
    expect(await json(['snapshot', 'kept'])).toMatchObject({ container: 'kept', name: 's2' })
    expect(await run(['changes', 'kept', '--since', 's2'])).toBe('')
    expect(await run(['ps'])).toMatch(/\nkept .* before s2 /)
    expect(await json(['inspect', 'container:kept'])).toMatchObject([
      { snapshots: [{ name: 'before' }, { name: 's2' }] },
    ])
    expect(await run(['clone', 'kept@before', 'old'])).toBe('old\n')
    expect(await run(['clone', 'kept', 'twin'])).toBe('twin\n')
    await fails(['clone', 'kept', 'twin'], 6, 'already a container')
    await run(['cp', '-', 'twin:/etc/motd'], { stdin: 'third' })
    expect(await run(['rollback', 'kept', 'before'])).toBe('kept@before\n')
    await fails(['rollback', 'kept', 'x'], 3, 'has no snapshot x')
    for (const [name, holds] of Object.entries({ kept: 'first', old: 'first', 'kept@s2': 'second', twin: 'third' }))
      expect(await run(['cat', `${name}:/etc/motd`])).toBe(holds)
    await run(['commit', 'kept@s2', 'kept:2'])
    expect(await run(['cat', 'kept:2', '/etc/motd'])).toBe('second')
    await run(['rm', 'kept@before', 'kept', 'old', 'twin'])
    await fails(['rm', 'kept@before'], 3, 'no container named')
    await run(['rm', '-f', 'kept@before'])
    await run(['rmi', 'kept:2'])
    expect(await run(['gc', '-q'])).not.toContain('uppers')
  })

  test('cp copies directories both ways, with modes, times, links and symlinks', async () => {
    mkdirSync(at('in/sub'), { recursive: true })
    writeFileSync(at('in/sub/script'), '#!/bin/sh\n', { mode: 0o755 })
    symlinkSync('sub/script', at('in/link'))
    execFileSync('ln', [at('in/sub/script'), at('in/hard')])
    utimesSync(at('in/sub'), 1_600_000_000, 1_600_000_000)
    await run(['cp', at('in'), 'work:/srv'])
    expect(await run(['ls', 'container:work', '/srv', '-R'])).toBe('/srv/hard\n/srv/link\n/srv/sub\n/srv/sub/script\n')
    expect((await json(['stat', 'container:work', '/srv/hard'])).links).toBe(2)
    await run(['cp', at('in'), 'work:/srv'])
    expect(await run(['ls', 'container:work', '/srv/in'])).toBe('hard\nlink\nsub\n')
    await run(['rm', '-r', 'work:/srv/in'])

    await run(['cp', 'work:/srv', at('out')])
    expect(readdirSync(at('out')).sort()).toEqual(['hard', 'link', 'sub'])
    expect(statSync(at('out/hard')).ino).toBe(statSync(at('out/sub/script')).ino)
    expect(statSync(at('out/sub/script')).mode & 0o7777).toBe(0o755)
    expect(statSync(at('out/sub')).mtimeMs).toBe(1_600_000_000_000)
    await run(['cp', 'work:/etc/motd', at('out')])
    expect(readFileSync(at('out/motd'), 'utf8')).toBe('hello\n')
    expect(await run(['cp', 'work:/etc/motd', '-'])).toBe('hello\n')
    await fails(['cp', at('nowhere'), 'work:/x'], 3, 'ENOENT')
    await fails(['cp', 'work:/nowhere', at('x')], 3, 'ENOENT')
    await fails(['cp', at('motd'), 'nobody:/x'], 3, 'no container named')
    await run(['rm', '-r', 'work:/srv'])
  })

  test('commit prints the digest of the new image, and diff compares any two trees', async () => {
    const digest = (await run(['commit', 'work', 'base:2', '-m', 'say hello', '--author', 'me'])).trim()
    const [image] = await json(['inspect', 'base:2'])
    expect(image.digest).toBe(digest)
    expect(image.layers).toHaveLength(3)
    expect(image.history.at(-1)).toMatchObject({ comment: 'say hello', author: 'me' })
    expect(await run(['diff', 'container:work', 'base:2'])).toBe('')
    const { code, out } = await ply(['diff', 'base:1', 'base:2', '--root', root])
    expect(code).toBe(1)
    expect(out).toBe(await run(['changes', 'work']))
    const quiet = await ply(['diff', '-q', 'base:1', 'base:2', '--root', root])
    expect([quiet.code, quiet.out]).toEqual([1, ''])
    await fails(['diff', 'base:1', 'missing'], 3, 'no image named')
  })

  for (const [format, reference] of [
    ['docker-archive', (path: string) => `docker-archive:${path}`],
    ['oci-archive', (path: string) => `oci-archive:${path}`],
    ['oci', (path: string) => `oci:${path}`],
  ] as const) {
    test(`save --format ${format} writes what load takes back`, async () => {
      const path = at(`saved-${format}`)
      const out = await run(['save', 'base:2', '-o', path, '--format', format])
      expect(out).toMatch(/^sha256:[0-9a-f]{64}\n$/)
      expect(await run(['diff', 'base:2', reference(path)])).toBe('')
      const other = at(`store-${format}`)
      const loaded = await ply(['load', path, '--root', other])
      expect(loaded.err).not.toContain('ply:')
      expect(loaded.out).toMatch(/^base:2 /)
      expect((await ply(['inspect', '--config', 'base:2', '--root', other])).bytes).toEqual(
        (await ply(['inspect', '--config', 'base:2', '--root', root])).bytes,
      )
    })
  }

  test('save to stdout is the archive and nothing else; a terminal is refused', async () => {
    const { bytes, code } = await ply(['save', 'base:2', '--root', root])
    expect(code).toBe(0)
    writeFileSync(at('stdout.tar'), bytes)
    expect(await run(['diff', 'base:2', `docker-archive:${at('stdout.tar')}`])).toBe('')
    await fails(['save', 'base:2'], 2, 'terminal', { terminal: true })
    await fails(['export', 'base:2'], 2, 'terminal', { terminal: true })
  })

  test('export is one tar of the merged tree, the same to a file and to stdout; import takes it back', async () => {
    await run(['export', 'container:work', '-o', at('rootfs.tar')])
    const { bytes } = await ply(['export', 'container:work', '--root', root])
    expect(bytes.equals(readFileSync(at('rootfs.tar')))).toBe(true)
    expect(execFileSync('tar', ['-tf', at('rootfs.tar')], { encoding: 'utf8' })).toContain('etc/piped')
    expect(await run(['import', at('rootfs.tar'), 'flat'])).toMatch(/^sha256:[0-9a-f]{64}\n$/)
    expect(await run(['diff', 'container:work', 'flat'])).toBe('')
    await run(['import', '-', 'piped:rootfs'], { stdin: await tarOf({ a: 'x' }) })
    expect(await run(['cat', 'piped:rootfs', 'a'])).toBe('x')
  })

  test('names that are not UTF-8 or hold control characters are shown reversibly, and exactly with --json', async () => {
    const odd = at('odd')
    mkdirSync(odd)
    writeFileSync(Buffer.from(`${odd}/caf\xe9`, 'latin1'), 'latin')
    writeFileSync(`${odd}/a\nb\x1b[2J`, 'control')
    writeFileSync(`${odd}/back\\slash`, '')
    await run(['import', odd, 'odd'])
    expect(await run(['ls', 'odd'])).toBe('a\\x0ab\\x1b[2J\nback\\\\slash\ncaf\\xe9\n')
    const [control, slash, latin] = await json(['ls', 'odd'])
    expect(control.path).toBe('/a\nb\x1b[2J')
    expect(slash).toMatchObject({ path: '/back\\slash' })
    expect(Buffer.from(latin.pathBytes, 'base64').toString('latin1')).toBe('/caf\xe9')
    expect(await run(['cat', 'odd', 'a\nb\x1b[2J'])).toBe('control')
    await run(['create', 'odd', '--name', 'odd'])
    await run(['cp', 'odd:/', at('odd-out')])
    expect(readdirSync(at('odd-out'), 'latin1').sort()).toEqual(['a\nb\x1b[2J', 'back\\slash', 'caf\xe9'])
    await run(['cp', `${at('odd-out')}/.`, 'odd:/again/'])
    expect(await run(['ls', 'container:odd', '/again'])).toBe(await run(['ls', 'odd']))
    await run(['rm', 'odd'])
    await run(['rmi', 'odd'])
  })

  test('copy goes from anywhere to anywhere and prints the digest', async () => {
    const digest = (await run(['copy', 'base:2', `oci:${at('layout')}:two`])).trim()
    expect(digest).toBe((await json(['inspect', 'base:2']))[0].digest)
    expect(await run(['copy', `oci:${at('layout')}:two`, 'again:1'])).toBe(`${digest}\n`)
    expect((await json(['inspect', 'again:1']))[0].digest).toBe(digest)
    await fails(['copy', 'base:2', 'nothing:/x'], 2, /ply: /)
  })

  test('rm, rmi, gc and df: what nobody needs is freed', async () => {
    const { total } = await json(['df'])
    expect(total.bytes).toBeGreaterThan(0)
    expect(await run(['df'])).toMatch(/^PART +FILES +SIZE\nblobs /)
    expect(await run(['rm', 'work'])).toBe('work\n')
    await fails(['rm', 'work'], 3, 'no container named')
    await run(['rm', '-f', 'work'])
    await run(['rmi', 'base:2', 'again:1', 'flat', 'piped:rootfs'])
    const dry = await json(['gc', '--dry-run'])
    expect(dry.blobs.length).toBeGreaterThan(0)
    expect((await json(['gc'])).blobs.sort()).toEqual(dry.blobs.sort())
    expect((await json(['gc'])).blobs).toEqual([])
    expect(await run(['cat', 'base:1', '/etc/issue'])).toBe('newer issue\n')
  })
})

describe('wrong input gives one clear message and leaves nothing behind', () => {
  const wrong = join(directory, 'wrong')

  async function refuses(argv: readonly string[], code: number, text: RegExp): Promise<void> {
    const answer = await ply([...argv, '--root', wrong])
    expect(answer.err).toMatch(text)
    expect(answer.err).toMatch(/^ply: [^\n]+\n( {5}[^\n]+\n)?$/)
    expect(answer.code, answer.err).toBe(code)
    for (const empty of ['tmp', 'blobs/sha256', 'names']) {
      expect(existsSync(wrong) ? readdirSync(join(wrong, empty)) : []).toEqual([])
    }
    expect((await ply(['images', '-q', '--root', wrong])).out).toBe('')
  }

  test('a truncated archive', async () => {
    writeFileSync(at('truncated.tar'), readFileSync(archive).subarray(0, 3000))
    await refuses(['load', at('truncated.tar')], 4, /./)
  })

  test('a text file', async () => {
    writeFileSync(at('text'), 'this is no archive\n'.repeat(100))
    await refuses(['load', at('text')], 4, /not an image archive/)
  })

  test('an empty file', async () => {
    writeFileSync(at('empty'), '')
    await refuses(['load', at('empty')], 4, /not an image archive/)
  })

  test('stdin that is no archive is called by its name', async () => {
    const { code, err } = await ply(['load', '-', '--root', wrong], { stdin: 'no archive' })
    expect(err).toMatch(/^ply: not an image archive: standard input: /)
    expect(code).toBe(4)
  })

  test('a directory that is no layout', async () => {
    mkdirSync(at('plain'), { recursive: true })
    await refuses(['load', at('plain')], 4, /./)
  })

  test('a file that is not there', () => refuses(['load', at('nowhere')], 3, /ENOENT/))

  test('a name that an archive does not have: what it has is listed, not the store', async () => {
    await refuses(['load', `docker-archive:${archive}:other:1`], 3, /no image named other:1 in .*; it has: base:1/)
    await ply(['copy', `docker-archive:${archive}`, `oci:${at('named')}:one`, '--root', root])
    await refuses(['load', `oci:${at('named')}:two`], 3, /no image named two in .*; it has: one/)
  })

  test('an unknown transport', () => refuses(['load', 'ftp:/x'], 2, /ftp/))

  test('a layer that was changed: the digest is wrong', async () => {
    const bytes = readFileSync(archive)
    const found = bytes.indexOf('newer issue')
    bytes.write('NEWER', found)
    writeFileSync(at('forged.tar'), bytes)
    await refuses(['load', at('forged.tar')], 4, /expected sha256:/)
  })

  test('a missing blob of a layout', async () => {
    await ply(['copy', `docker-archive:${archive}`, `oci:${at('holes')}:1`, '--root', root])
    const blobs = join(at('holes'), 'blobs', 'sha256')
    const largest = readdirSync(blobs).sort((a, b) => statSync(join(blobs, b)).size - statSync(join(blobs, a)).size)[0]!
    execFileSync('rm', [join(blobs, largest)])
    await refuses(['load', at('holes')], 3, /no blob sha256:/)
  })
})

test('an aborted load ends with 130 and leaves nothing behind', async () => {
  const aborted = join(directory, 'aborted')
  await ply(['images', '--root', aborted])
  const controller = new AbortController()
  controller.abort('SIGINT')
  const { code, err } = await ply(['load', archive, '--root', aborted], { signal: controller.signal })
  expect(code).toBe(130)
  expect(err).toBe('ply: stopped on request (PLY_ABORTED)\n')
  expect((await ply(['images', '-q', '--root', aborted])).out).toBe('')
})
