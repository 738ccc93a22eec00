import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { build } from '../../src/build/build.ts'
import { remoteOf } from '../../src/build/fetch/remote.ts'
import { layerFrom, memoryUpper, openStore, plainLayer, type Store, union } from '../../src/index.ts'
import { collect } from '../../src/stream/collect.ts'
import { gitServer } from '../e2e/git-server.ts'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'ply-test-'))
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

async function tarOf(files: Parameters<typeof layerFrom>[0]): Promise<Buffer> {
  const layer = layerFrom(files)
  return Buffer.from(await collect(layer.uncompressed(), 1 << 24, { what: 'a tar' }))
}

async function built(
  store: Store,
  dockerfile: string,
  context: Parameters<typeof plainLayer>[0] = {},
): Promise<string[]> {
  const files = union([plainLayer({ '/': { directory: true }, ...context })], memoryUpper())
  const image = await build(store, { dockerfile, context: files, platform: 'linux/amd64' })
  const tree = await store.tree(image)
  const lines: string[] = []
  const walk = (ino: number, path: string) => {
    for (const { name, ino: child, kind } of tree.list(ino)) {
      const { mode, uid, gid, size } = tree.stat(child)
      lines.push(`${path}${name} ${mode.toString(8)} ${uid}:${gid}${kind === 'file' ? ` ${size}` : ''}`)
      if (kind === 'directory') walk(child, `${path}${name}/`)
    }
  }
  walk(tree.root, '/')
  tree.close()
  return lines
}

describe('ADD', () => {
  const inside = { 'a/b': { content: 'b', mode: 0o750, uid: 7, gid: 8, mtime: 5_000_000_000n }, l: { symlink: 'a' } }
  const unpacked = ['/t 755 0:0', '/t/a 755 0:0', '/t/a/b 750 7:8 1', '/t/l 777 0:0']

  for (const [what, compress] of [
    ['plain', (tar: Buffer) => tar],
    ['compressed by gzip', (tar: Buffer) => gzipSync(tar)],
    ['compressed by xz', (tar: Buffer) => execFileSync('xz', ['-c'], { input: tar })],
    ['compressed by zstd', (tar: Buffer) => execFileSync('zstd', ['-qc'], { input: tar })],
  ] as const) {
    test(`unpacks a tar that is ${what}, with its owners and modes`, async () => {
      await using store = await openStore(':memory:')
      const tar = compress(await tarOf(inside))
      expect(await built(store, 'FROM scratch\nADD x.tar /t\n', { 'x.tar': tar })).toEqual(unpacked)
    })
  }

  test('gives what it unpacks an owner where one is said', async () => {
    await using store = await openStore(':memory:')
    const lines = await built(store, 'FROM scratch\nADD --chown=1:2 x.tar /t\n', {
      'x.tar': await tarOf({ 'a/b': 'b' }),
    })
    expect(lines).toEqual(['/t 755 1:2', '/t/a 755 1:2', '/t/a/b 644 1:2 1'])
  })

  test('copies what is no tar, a compressed file too, and a tar where that is wanted', async () => {
    await using store = await openStore(':memory:')
    const tar = await tarOf(inside)
    const context = { 'x.tar': tar, 'y.gz': gzipSync('no tar'), z: 'z', empty: '', big: 'x'.repeat(2000) }
    expect(
      await built(
        store,
        'FROM scratch\nADD --unpack=false x.tar /t\nADD y.gz z empty big /d/\nCOPY x.tar /c\n',
        context,
      ),
    ).toEqual([
      `/c 644 0:0 ${tar.length}`,
      '/d 755 0:0',
      '/d/big 644 0:0 2000',
      '/d/empty 644 0:0 0',
      `/d/y.gz 644 0:0 ${context['y.gz'].length}`,
      '/d/z 644 0:0 1',
      `/t 644 0:0 ${tar.length}`,
    ])
  })

  test('refuses a tar that is cut off, and lets one that is hostile write into the image only', async () => {
    await using store = await openStore(':memory:')
    const tar = await tarOf({ 'a/b': 'x'.repeat(5000) })
    await expect(
      built(store, 'FROM scratch\nADD x.tar /t\n', { 'x.tar': tar.subarray(0, 2500) }),
    ).rejects.toMatchObject({ code: 'PLY_BAD_ARCHIVE' })
    execFileSync('sh', [
      '-c',
      `cd ${directory} && mkdir -p hostile && cd hostile && ln -sf /etc l && echo x > f && tar -cf ../hostile.tar -P --transform 's,^f$,l/passwd,' l f`,
    ])
    const { readFileSync } = await import('node:fs')
    const hostile = readFileSync(join(directory, 'hostile.tar'))
    // What goes through a symlink of the archive stays in the image.
    expect(await built(store, 'FROM scratch\nCOPY <<E /etc/keep\nE\nADD x.tar /\n', { 'x.tar': hostile })).toEqual([
      '/etc 755 0:0',
      '/etc/keep 644 0:0 0',
      '/etc/passwd 644 0:0 2',
      '/l 777 0:0',
    ])
  })

  test('fetches a file, checks it, and gives it its own name or that of the target', async () => {
    await using store = await openStore(':memory:')
    const content = 'from the network'
    const tar = await tarOf({ 'a/b': 'b' })
    const server = createServer((request, response) => {
      if (request.url === '/gone') response.writeHead(404).end()
      else response.end(request.url === '/x.tar' ? tar : content)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const sum = `sha256:${createHash('sha256').update(content).digest('hex')}`
    try {
      expect(
        await built(
          store,
          `FROM scratch\nADD --checksum=${sum} ${url}/dir/file?x=1 /d/\nADD ${url}/f /g\nADD ${url}/x.tar /kept\nADD --unpack ${url}/x.tar /u\n`,
        ),
      ).toEqual([
        '/d 755 0:0',
        '/d/file 600 0:0 16',
        '/g 600 0:0 16',
        `/kept 600 0:0 ${tar.length}`,
        '/u 755 0:0',
        '/u/a 755 0:0',
        '/u/a/b 644 0:0 1',
      ])
      await expect(
        built(store, `FROM scratch\nADD --checksum=sha256:${'0'.repeat(64)} ${url}/f /g\n`),
      ).rejects.toMatchObject({ code: 'PLY_DIGEST_MISMATCH' })
      await expect(built(store, `FROM scratch\nADD --checksum=x ${url}/f /g\n`)).rejects.toThrow(
        /sha256: and 64 digits/,
      )
      await expect(built(store, `FROM scratch\nADD ${url}/gone /g\n`)).rejects.toThrow(/answers 404/)
    } finally {
      server.closeAllConnections()
      server.close()
    }
    await expect(built(store, `FROM scratch\nADD ${url}/f /g\n`)).rejects.toThrow(/cannot be reached/)
    await expect(built(store, 'FROM scratch\nADD --checksum=sha256:x f /g\n', { f: '' })).rejects.toThrow(
      /a file of the context/,
    )
  })

  test('fetches a git repository at a commit, or what is in a directory of it', async () => {
    await using store = await openStore(':memory:')
    const work = join(directory, 'work')
    mkdirSync(join(work, 'sub'), { recursive: true })
    const git = (...args: string[]) =>
      execFileSync('git', ['-C', work, '-c', 'user.name=a', '-c', 'user.email=a@b', ...args])
        .toString()
        .trim()
    execFileSync('git', ['init', '-q', '-b', 'main', work])
    writeFileSync(join(work, 'sub/f'), '1')
    git('add', '.')
    git('commit', '-qm', 'one')
    git('tag', 'v1')
    const first = git('rev-parse', 'HEAD')
    writeFileSync(join(work, 'g'), '2')
    git('add', '.')
    git('commit', '-qm', 'two')
    execFileSync('git', ['clone', '-q', '--bare', work, join(directory, 'repo.git')])
    await using server = await gitServer(directory)
    const url = `${server.url}/repo.git`
    expect(
      await built(store, `FROM scratch\nADD ${url} /r\nADD ${url}#v1 /v\nADD --checksum=${first} ${url}#v1:sub /s\n`),
    ).toEqual([
      '/r 755 0:0',
      '/r/g 644 0:0 1',
      '/r/sub 755 0:0',
      '/r/sub/f 644 0:0 1',
      '/s 755 0:0',
      '/s/f 644 0:0 1',
      '/v 755 0:0',
      '/v/sub 755 0:0',
      '/v/sub/f 644 0:0 1',
    ])
    expect(await built(store, `FROM scratch\nADD --keep-git-dir ${url} /r\n`)).toContain('/r/.git 755 0:0')
    await expect(built(store, `FROM scratch\nADD --checksum=0000000 ${url}#v1 /v\n`)).rejects.toMatchObject({
      code: 'PLY_DIGEST_MISMATCH',
    })
    await expect(built(store, `FROM scratch\nADD ${url}#nothing /v\n`)).rejects.toThrow(/git ends with/)
    await expect(built(store, `FROM scratch\nADD ${url}#v1:../x /v\n`)).rejects.toThrow(/leads out of the repository/)
  })

  test('knows what is on the network by how it is written', () => {
    expect(remoteOf('a/b')).toBeUndefined()
    expect(remoteOf('https:/a')).toBeUndefined()
    expect(remoteOf('https://h/a/b.txt?x#y')).toMatchObject({ is: 'file', name: 'b.txt' })
    expect(remoteOf('https://h/a.git#main:sub/dir')).toEqual({
      is: 'git',
      url: 'https://h/a.git',
      ref: 'main',
      directory: 'sub/dir',
    })
    expect(remoteOf('git@h:a/b')).toMatchObject({ is: 'git', url: 'git@h:a/b' })
    expect(remoteOf('git://h/a')).toMatchObject({ is: 'git' })
  })
})
