import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import {
  build,
  type OpenContextOptions,
  openContext,
  openStore,
  resolvePath,
  type Store,
  type Tree,
} from '../../src/index.ts'
import { noXattrs } from '../../src/model/entry.ts'
import { encodeHeader, endMarker, type MemberFields } from '../../src/tar/index.ts'
import { gitServer } from '../e2e/git-server.ts'
import { temporary } from '../support/temporary.ts'

function tar(members: Readonly<Record<string, string | { readonly link: string }>>): Buffer {
  const blocks: Uint8Array[] = []
  for (const [name, content] of Object.entries(members)) {
    const isLink = typeof content !== 'string'
    const bytes = Buffer.from(isLink ? '' : content)
    const fields: MemberFields = {
      type: isLink ? '2' : name.endsWith('/') ? '5' : '0',
      name,
      linkName: isLink ? content.link : '',
      mode: 0o600,
      uid: 7,
      gid: 8,
      size: bytes.length,
      mtime: 5_000_000_000n,
      major: 0,
      minor: 0,
      xattrs: noXattrs,
    }
    blocks.push(encodeHeader(fields), bytes, new Uint8Array((512 - (bytes.length % 512)) % 512))
  }
  return Buffer.concat([...blocks, endMarker])
}

async function* bytes(content: string | Buffer) {
  yield Buffer.from(content)
}

async function paths(tree: Tree): Promise<string[]> {
  const found: string[] = []
  const walk = (ino: number, path: string) => {
    for (const { name, ino: child, kind } of tree.list(ino)) {
      found.push(`${path}${name}`)
      if (kind === 'directory') walk(child, `${path}${name}/`)
    }
  }
  walk(tree.root, '')
  return found
}

async function built(store: Store, place: string, options: OpenContextOptions = {}): Promise<string[]> {
  await using context = await openContext(store, place, options)
  const { tree, dockerfile, file } = context
  const image = await build(store, { dockerfile, file, context: tree })
  const of = await store.tree(image)
  try {
    return await paths(of)
  } finally {
    of.close()
  }
}

const files = { Dockerfile: 'FROM scratch\nCOPY . /c/\n', '.dockerignore': 'no\n', 'd/': '', 'd/a': 'x', no: 'n' }

describe('the context of a build', () => {
  test('is a tar from the input or a file, plain or compressed, by its own ignore file', async () => {
    await using store = await openStore(':memory:')
    const wanted = ['c', 'c/.dockerignore', 'c/Dockerfile', 'c/d', 'c/d/a']
    const plain = tar(files)
    const path = join(temporary(), 'context.tgz')
    writeFileSync(path, gzipSync(plain))
    expect(await built(store, '-', { input: bytes(plain) })).toEqual(wanted)
    expect(await built(store, '-', { input: bytes(gzipSync(plain)) })).toEqual(wanted)
    expect(await built(store, path)).toEqual(wanted)
    const other = tar({
      ...files,
      'deploy/': '',
      'deploy/File': 'FROM scratch\nCOPY d no /\n',
      'deploy/File.dockerignore': 'd\n!d/a\n',
    })
    expect(await built(store, '-', { input: bytes(other), file: 'deploy/File' })).toEqual(['a', 'no'])
    expect(await built(store, path, { input: bytes('FROM scratch\nCOPY d/a /\n'), file: '-' })).toEqual(['a'])
  })

  test('is the same from a tar as from a directory', async () => {
    await using store = await openStore(':memory:')
    const directory = temporary()
    mkdirSync(join(directory, 'd'), { mode: 0o755 })
    for (const [name, content] of Object.entries(files))
      if (!name.endsWith('/')) writeFileSync(join(directory, name), content)
    execFileSync('chmod', ['-R', 'u=rwX,go=', directory])
    execFileSync('chmod', ['600', join(directory, 'd/a')])
    const digests: string[] = []
    for (const place of [directory, '-']) {
      await using context = await openContext(store, place, {
        input: bytes(execFileSync('tar', ['-c', '-C', directory, '.'])),
      })
      const { tree, dockerfile } = context
      digests.push((await build(store, { dockerfile, context: tree, noCache: true })).digest)
    }
    expect(digests[1]).toBe(digests[0])
  })

  test('is nothing but a Dockerfile where that is the input', async () => {
    await using store = await openStore(':memory:')
    expect(await built(store, '-', { input: bytes('FROM scratch\nCOPY <<E /a\nE\n') })).toEqual(['a'])
    await expect(built(store, '-', { input: bytes('FROM scratch\nCOPY a /a\n') })).rejects.toMatchObject({
      message: expect.stringContaining('stdin:2: COPY: /a is not there to be copied'),
    })
    await expect(built(store, '-', { input: bytes('FROM scratch'), file: '-' })).rejects.toMatchObject({
      code: 'PLY_USAGE',
    })
    await expect(built(store, '-', { input: bytes('FROM scratch'), file: 'other' })).rejects.toMatchObject({
      code: 'PLY_USAGE',
    })
    await expect(built(store, '-', { input: bytes(tar({ a: 'x' })) })).rejects.toMatchObject({
      message: expect.stringContaining('there is no Dockerfile in the context'),
    })
    await expect(built(store, join(temporary(), 'none'))).rejects.toMatchObject({
      code: 'PLY_USAGE',
      message: expect.stringMatching(/there is no .*none to build from: name a directory/),
    })
  })

  test('gives nothing of this machine away by what a tar holds', async () => {
    await using store = await openStore(':memory:')
    const linked = tar({ Dockerfile: { link: '/etc/passwd' }, x: { link: '../../../etc/passwd' } })
    await expect(built(store, '-', { input: bytes(linked) })).rejects.toMatchObject({
      message: expect.stringContaining('there is no Dockerfile in the context'),
    })
    const away = tar({ Dockerfile: 'FROM scratch\nCOPY x /y\n', x: { link: '../../../etc/passwd' } })
    await expect(built(store, '-', { input: bytes(away) })).rejects.toMatchObject({
      message: expect.stringContaining('/x is not there to be copied'),
    })
    const climbing = tar({ Dockerfile: 'FROM scratch\nCOPY . /\n', '../../escaped': 'x' })
    await expect(built(store, '-', { input: bytes(climbing) })).rejects.toMatchObject({ code: 'PLY_BAD_LAYER' })
    await expect(built(store, '-', { input: bytes(tar(files).subarray(0, 1024 + 514)) })).rejects.toMatchObject({
      code: expect.stringMatching(/^PLY_BAD_/),
    })
    const ino = await openContext(store, '-', { input: bytes(tar({ Dockerfile: 'x', a: 'b' })) })
    expect(resolvePath(ino.tree, '/../../a', { follow: true }).ino).toBeDefined()
    await ino[Symbol.asyncDispose]()
  })

  test('is a git repository at a commit, and a directory of it, without what git keeps', async () => {
    const root = temporary()
    const work = join(root, 'work')
    const git = (...args: string[]) =>
      execFileSync('git', ['-C', work, '-c', 'user.name=a', '-c', 'user.email=a@b', ...args], { stdio: 'pipe' })
    mkdirSync(join(work, 'sub'), { recursive: true })
    execFileSync('git', ['init', '-q', '-b', 'main', work])
    writeFileSync(join(work, 'Dockerfile'), 'FROM scratch\nCOPY . /\n')
    writeFileSync(join(work, 'sub/Dockerfile'), 'FROM scratch\nCOPY . /s/\n')
    symlinkSync('/etc', join(work, 'out'))
    symlinkSync('sub', join(work, 'in'))
    git('add', '.')
    git('commit', '-q', '-m', 'x')
    execFileSync('git', ['clone', '-q', '--bare', work, join(root, 'app.git')])
    const lib = join(root, 'lib')
    execFileSync('git', ['clone', '-q', work, lib], { stdio: 'pipe' })
    execFileSync('git', ['clone', '-q', '--bare', lib, join(root, 'lib.git')], { stdio: 'pipe' })
    const inLib = (...args: string[]) => execFileSync('git', ['-C', join(root, 'lib.git'), ...args], { stdio: 'pipe' })
    git('checkout', '-q', '-b', 'modules')
    writeFileSync(join(work, '.gitmodules'), '[submodule "lib"]\n\tpath = vendor/lib\n\turl = ../lib.git\n')
    git('update-index', '--add', '--cacheinfo', `160000,${inLib('rev-parse', 'HEAD').toString().trim()},vendor/lib`)
    git('add', '.gitmodules')
    git('commit', '-q', '-m', 'with a submodule')
    git('push', '-q', join(root, 'app.git'), 'modules')
    writeFileSync(join(work, '.gitmodules'), `[submodule "lib"]\n\tpath = vendor/lib\n\turl = ${lib}\n`)
    git('add', '.gitmodules')
    git('commit', '-q', '-m', 'with one of this machine')
    git('push', '-q', join(root, 'app.git'), 'modules:away')
    git('checkout', '-q', '-f', 'main')
    rmSync(join(work, 'vendor'), { recursive: true, force: true })
    await using server = await gitServer(root)
    await using store = await openStore(':memory:')
    expect(await built(store, `${server.url}/app.git#modules`)).toEqual(
      expect.arrayContaining(['vendor/lib/Dockerfile', 'vendor/lib/sub/Dockerfile']),
    )
    expect(await built(store, `${server.url}/app.git#modules`)).not.toContain('vendor/lib/.git')
    await expect(built(store, `${server.url}/app.git#away`)).rejects.toMatchObject({
      message: expect.stringContaining("'file' not allowed"),
    })
    const address = `${server.url}/app.git`
    expect(await built(store, address)).toEqual(['Dockerfile', 'in', 'out', 'sub', 'sub/Dockerfile'])
    expect(await built(store, `${address}#main:sub`)).toEqual(['s', 's/Dockerfile'])
    expect(await built(store, `${address}#main:in`)).toEqual(['s', 's/Dockerfile'])
    expect(await built(store, address, { keepGitDirectory: true })).toContain('.git/HEAD')
    for (const wrong of ['#main:out', '#main:../x', '#main:none', '#none'])
      await expect(built(store, address + wrong)).rejects.toMatchObject({
        code: expect.stringMatching(/^(?:PLY_USAGE|ENOENT)$/),
      })
    // A directory of this machine is taken as it is.
    expect(await built(store, work)).toContain('.git/HEAD')
  })
})
