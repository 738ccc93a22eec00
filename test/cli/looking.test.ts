import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { contentDigest, copy, diff, openSink, openSource, openTree } from '../../src/index.ts'
import { valuesOf } from '../support/collect.ts'
import { dockerArchive, ply, temporaryDirectory } from './run-ply.ts'

const directory = temporaryDirectory()
const root = join(directory, 'store')
const archive = join(directory, 'three.tar')

async function run(...argv: string[]): Promise<string> {
  const { code, out, err } = await ply([...argv, '--root', root])
  expect(code, err).toBe(0)
  return out
}

beforeAll(async () => {
  await dockerArchive(archive, 'three:1', [
    {
      'etc/': '',
      'etc/passwd': 'root:x:0:0::/:\n',
      'etc/group': 'root:x:0:\n',
      'etc/motd': 'one\n',
      'bin/sh': 'x'.repeat(3000),
    },
    { 'etc/motd': 'second\n', 'etc/.wh.group': '', 'opt/a': 'a', bin2: { to: 'bin' } },
    { 'etc/motd': 'second\n', '.wh.opt': '', 'caf\u00e9': '\0\xff' },
  ])
  await run('load', archive)
})

describe('looking into images', () => {
  test('a tree as of a layer, and a layer alone, whatever asks', async () => {
    expect(await run('cat', 'three:1@0', '/etc/motd')).toBe('one\n')
    expect(await run('cat', 'three:1', '/etc/motd', '--layer', '1')).toBe('second\n')
    expect(await run('cat', `docker-archive:${archive}`, '/etc/motd', '/etc/passwd', '--layer', '0')).toBe(
      'one\nroot:x:0:0::/:\n',
    )
    expect(await run('ls', 'three:1@1')).toBe('bin\nbin2\netc\nopt\n')
    expect(await run('ls', 'three:1@1', '--alone', '-R')).toBe('/bin2\n/etc\n/etc/.wh.group\n/etc/motd\n/opt\n/opt/a\n')
    expect(await run('tree', 'three:1@2', '--alone', '-d')).toBe('/\n└── etc/\n')
    expect(await run('find', 'three:1', '--layer', '0', '-name', 'p*')).toBe('/etc/passwd\n')
    expect(JSON.parse(await run('stat', 'three:1@0', '/etc/motd', '--json')).size).toBe(4)
    for (const argv of [
      ['ls', 'three:1@3'],
      ['ls', `rootfs:${directory}`, '--layer', '0'],
      ['ls', 'three:1', '--layer', '7', '--alone'],
    ]) {
      const { code, err } = await ply([...argv, '--root', root])
      expect([code, err]).toEqual([2, expect.stringContaining('layer')])
    }
  })

  test('ls has the usual orders and sizes, with owners by name', async () => {
    expect(await run('ls', 'three:1', '/etc', '-S')).toBe('passwd\nmotd\n')
    expect(await run('ls', 'three:1', '/etc', '-Sr')).toBe('motd\npasswd\n')
    expect(await run('ls', 'three:1', '/etc', '-a')).toBe('.\n..\nmotd\npasswd\n')
    expect(await run('ls', 'three:1', '/bin', '-lh')).toMatch(/^-rw-r--r-- 1 root 0 3\.0K 2020-09-13 12:26 sh\n$/)
    expect(await run('ls', 'three:1', '/bin', '-n')).toMatch(/^-rw-r--r-- 1 0 0 3000 /)
  })

  test('long answers come as an array or as lines of JSON', async () => {
    const lines = (await run('ls', 'three:1', '-R', '--ndjson'))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(JSON.parse(await run('ls', 'three:1', '-R', '--json'))).toEqual(lines)
    expect(lines.map(({ path }) => path)).toEqual([
      '/bin',
      '/bin/sh',
      '/bin2',
      '/caf\u00e9',
      '/etc',
      '/etc/motd',
      '/etc/passwd',
    ])
    expect(JSON.parse(await run('find', 'three:1', '-name', 'nothing', '--json'))).toEqual([])
    expect(JSON.parse(await run('du', 'three:1', '-s', '--json'))).toMatchObject([{ path: '/', apparent: 3028 }])
  })

  test('find takes expressions among flags, and writes exact names', async () => {
    expect(
      await run('find', 'three:1', '/etc', '(', '-name', 'm*', '-o', '-type', 'd', ')', '!', '-newer', '/etc/motd'),
    ).toBe('/etc\n/etc/motd\n')
    expect(await run('find', 'three:1', '-type', 'f', '-size', '-2', '-print0')).toBe(
      '/caf\u00e9\0/etc/motd\0/etc/passwd\0',
    )
    expect(await run('find', 'three:1', '-user', 'root', '-name', 'sh', '-ls')).toMatch(
      / -rw-r--r-- +1 root +0 +3000 .* \/bin\/sh\n$/,
    )
    const { code, err } = await ply(['find', 'three:1', '-delete', '--root', root])
    expect([code, err]).toEqual([2, expect.stringContaining('only looked at')])
  })

  test('inspect has the fields of docker, and tells what a template asks', async () => {
    const [image] = JSON.parse(await run('inspect', 'three:1'))
    expect(image).toMatchObject({
      Id: image.id,
      RepoTags: ['three:1'],
      Os: 'linux',
      Size: image.size,
      Config: { Cmd: ['/bin/sh'] },
    })
    expect(image.RootFS).toEqual({
      Type: 'layers',
      Layers: image.layers.map(({ diffId }: { diffId: string }) => diffId),
    })
    expect(image.RepoDigests).toEqual([`three@${image.digest}`])
    expect(await run('inspect', 'three:1', '-f', '{{.Config.Cmd}} {{len .RootFS.Layers}}')).toBe('[/bin/sh] 3\n')
    expect(await run('history', 'three:1', '--format', 'table {{.CreatedBy}}\\t{{.Comment}}x')).toBe(
      'CREATED BY   COMMENTx\nstep 2       x\nstep 1       x\nstep 0       x\n',
    )
    const { code, err } = await ply(['inspect', 'three:1', '--format', '{{.', '--root', root])
    expect([code, err]).toEqual([2, expect.stringContaining('not closed')])
  })

  test('diff -p tells what changed line by line, and marks what no patch can tell', async () => {
    const { code, out } = await ply(['diff', 'three:1@0', 'three:1', '-p', '--root', root])
    expect(code).toBe(1)
    expect(out).toContain('--- a/etc/motd\n+++ b/etc/motd\n@@ -1 +1 @@\n-one\n+second\n')
    expect(out).toContain('diff --git a/bin2 b/bin2\nnew file mode 120000\n')
    expect((await ply(['diff', 'three:1', 'three:1', '-p', '--root', root])).code).toBe(0)
  })

  test('du sums directories up', async () => {
    expect(await run('du', 'three:1', '-ab')).toBe(
      '3000\t/bin/sh\n3000\t/bin\n3\t/bin2\n3\t/caf\u00e9\n7\t/etc/motd\n15\t/etc/passwd\n22\t/etc\n3028\t/\n',
    )
    expect(await run('du', 'three:1', '-h', '-d', '1')).toBe('3.0K\t/bin\n1.0K\t/etc\n5.0K\t/\n')
    expect(await run('du', 'three:1', '/etc', '-s')).toBe('1\t/etc\n')
  })

  test('blame tells the layers of a path, with their instructions', async () => {
    const lines = (await run('blame', 'three:1', '/etc/motd')).split('\n')
    expect(lines[0]).toMatch(/^LAYER +DID +BY +CHANGED +SIZE +CREATED BY$/)
    expect(lines[1]).toMatch(/^ +0 +added +entry +4 +step 0$/)
    expect(lines[2]).toMatch(/^ +1 +modified +entry +content +7 +step 1$/)
    expect(lines[3]).toMatch(/^ +2 +repeated +entry +7 +step 2$/)
    expect(await run('blame', 'three:1', '/opt/a')).toMatch(/ 2 +deleted +whiteout \/opt +step 2\n$/)
    expect(await run('blame', 'three:1', '/bin2/sh')).toMatch(/ 0 +added +entry .*step 0\n$/)
    expect(await run('blame', 'three:1', '-r', '/etc', '--deleted')).toMatch(
      /^ {4}0 added {6}\/etc\n {4}1 deleted {4}\/etc\/group\n/,
    )
    const { code } = await ply(['blame', 'three:1', '/nowhere', '--root', root])
    expect(code).toBe(1)
    expect(JSON.parse(await run('blame', 'three:1', '/etc/motd', '--json')).steps).toHaveLength(3)
  })

  test('du --waste tells what layers hold in vain, and for whom', async () => {
    const out = await run('du', 'three:1', '--waste')
    expect(out).toMatch(/^efficiency +99\.\d\d % +dive: 99\.\d\d %\ncontents +\d+(\.\d+)?kB +in 3 layers\n/)
    expect(out).toMatch(/\n +10B +0 +deleted +1 +\/etc\/group\n/)
    const found = JSON.parse(await run('du', 'three:1', '--waste', '--json', '--by', 'layer', '--range', '0..1'))
    expect(found.causes).toEqual({ overwritten: 4, deleted: 11, attributes: 0, repeated: 7, duplicate: 0 })
    expect(found.squash).toEqual({ from: 0, to: 1, saves: 14 })
    expect(found.groups).toEqual([
      { name: '0', bytes: 14, files: 2 },
      { name: '1', bytes: 8, files: 2 },
    ])
    const { code } = await ply(['du', 'three:1', '--waste', '--range', '2..9', '--root', root])
    expect(code).toBe(2)
  })

  test('diff finds renames, sums up, ignores what it is told, and compares images layer by layer', async () => {
    await dockerArchive(join(directory, 'other.tar'), 'other:1', [
      {
        'etc/': '',
        'etc/passwd': 'root:x:0:0::/:\n',
        'etc/group': 'root:x:0:\n',
        'etc/motd': 'one\n',
        'bin/sh': 'x'.repeat(3000),
      },
      { 'etc/motd': 'second\n', 'etc/.wh.group': '', 'opt/a': 'a', bin2: { to: 'bin' } },
      { 'etc/motd': 'third\n', 'bin/.wh.sh': '', 'bin/bash': 'x'.repeat(3000) },
    ])
    await run('load', join(directory, 'other.tar'))
    const different = async (...argv: string[]) => {
      const { code, out } = await ply(['diff', 'three:1', 'other:1', ...argv, '--root', root])
      expect(code).toBe(1)
      return out
    }
    expect(await different()).toBe('D /caf\u00e9\nD /bin/sh\nA /bin/bash\nC /etc/motd\nA /opt\nA /opt/a\n')
    expect(await different('-M', '--name-only')).toBe('/caf\u00e9\n/bin/bash\n/etc/motd\n/opt\n/opt/a\n')
    expect(await different('-M', '--ignore', 'content')).toContain('R /bin/sh -> /bin/bash\n')
    expect(await different('--stat', '-M')).toBe(
      '2 added, 1 changed, 1 deleted, 1 renamed; +1 -4 bytes\ncause: content (content 1)\n',
    )
    expect(JSON.parse(await different('--json')).map(({ kind }: { kind: string }) => kind)).toEqual([
      'delete',
      'delete',
      'add',
      'modify',
      'add',
      'add',
    ])
    expect(await different('--layers')).toMatch(
      /^ +BEFORE +AFTER +DIGEST .*\n= +0 +0 .*\n= +1 +1 .*\n~ +2 +2 +[0-9a-f]{12} +content: .*step 2\n$/,
    )
    expect(await run('diff', 'three:1', 'other:1', '--config')).toBe('')
    expect(await run('diff', 'three:1@1', 'other:1@1')).toBe('')
    expect((await ply(['diff', 'three:1', 'other:1', '--ignore', 'weather', '--root', root])).code).toBe(2)
  })

  test('history numbers the layers if asked', async () => {
    expect(await run('history', 'three:1', '--layers')).toMatch(/^ *LAYER +DIGEST .*\n +2 +[0-9a-f]{12} .*step 2/)
  })
})

describe('looking at headers alone', () => {
  const of = `docker-archive:${archive}`

  test('shows what the verified tree shows, says on stderr that nothing was verified, and has owners as numbers', async () => {
    for (const argv of [
      ['ls', of, '-R'],
      ['ls', of, '-lnR'],
      ['ls', of, '/etc', '-S', '--layer', '1'],
      ['ls', of, '-R', '--alone', '--layer', '1'],
      ['find', of, '-type', 'f', '-size', '+1k', '-user', '0'],
      ['du', of, '-a'],
      ['tree', of],
    ]) {
      const [whole, headers] = [
        await ply([...argv, '--root', root]),
        await ply([...argv, '--unverified', '--root', root]),
      ]
      expect([headers.code, headers.out]).toEqual([0, whole.out])
      expect(headers.err).toContain('nothing was verified')
      expect(headers.err.match(/nothing was verified/g)).toHaveLength(1)
      expect(whole.err).not.toContain('verified')
    }
    expect(await run('ls', of, '/bin', '-l', '--unverified')).toMatch(/^-rw-r--r-- 1 0 0 3000 /)
    expect(await run('find', of, '/bin/sh', '-ls', '--unverified')).toMatch(/ 1 0 {7} 0 {7} {5}3000 /)
    const { digest, ino, ...whole } = JSON.parse(await run('stat', of, '/bin/sh', '--json'))
    const { ino: other, ...headers } = JSON.parse(await run('stat', of, '/bin/sh', '--json', '--unverified'))
    expect([headers, digest]).toEqual([whole, expect.stringMatching(/^sha256:/)])
    expect([typeof ino, typeof other]).toEqual(['number', 'number'])
  })

  test('refuses what only contents say', async () => {
    for (const argv of [
      ['find', of, '-user', 'root'],
      ['find', of, '-nouser'],
    ]) {
      const { code, err } = await ply([...argv, '--unverified', '--root', root])
      expect([code, err]).toEqual([2, expect.stringContaining('only headers were read')])
    }
    expect((await ply(['cat', of, '/etc/motd', '--unverified', '--root', root])).code).toBe(2)
    expect((await ply(['du', of, '--waste', '--unverified', '--root', root])).code).toBe(2)
  })

  test('changes nothing for what is in a store', async () => {
    const { code, out, err } = await ply(['ls', 'three:1', '/etc', '-l', '--unverified', '--root', root])
    expect([code, out, err]).toEqual([0, expect.stringContaining(' root '), ''])
  })

  test('believes an archive whose contents were altered; without it that archive is refused', async () => {
    const bytes = readFileSync(archive)
    const at = bytes.indexOf('second\n')
    bytes.write('altered', at)
    const altered = join(directory, 'altered.tar')
    writeFileSync(altered, bytes)
    const argv = ['ls', `docker-archive:${altered}`, '/etc', '--root', root]
    const { code, err } = await ply(argv)
    expect([code, err]).toEqual([expect.any(Number), expect.stringContaining('PLY_DIGEST_MISMATCH')])
    expect(code).not.toBe(0)
    expect(await run('ls', `docker-archive:${altered}`, '/etc', '--unverified')).toBe('motd\npasswd\n')
    expect((await ply(['load', altered, '--root', join(directory, 'other')])).code).not.toBe(0)
  })

  test('a truncated archive is refused in either way', async () => {
    const bytes = readFileSync(archive)
    const cut = join(directory, 'cut.tar')
    for (const size of [600, 3000, bytes.length - 2048]) {
      writeFileSync(cut, bytes.subarray(0, size))
      for (const flags of [[], ['--unverified']])
        expect((await ply(['ls', `docker-archive:${cut}`, ...flags, '--root', root])).code, `${size}`).not.toBe(0)
    }
  })

  test('the library reads no contents of such a tree, takes none for equal, and makes no layer of it', async () => {
    const opened = { verify: false, contents: [] } as const
    const [tree, again, whole] = await Promise.all([openTree(of, opened), openTree(of, opened), openTree(of)])
    const inode = (path: string, name: string) => tree.lookup(tree.lookup(tree.root, path)!, name)!
    const motd = inode('etc', 'motd')
    try {
      expect([tree.unverified, whole.unverified]).toEqual([true, undefined])
      expect(() => tree.open(motd).read(new Uint8Array(4), 0)).toThrow(expect.objectContaining({ code: 'EIO' }))
      await expect(contentDigest(tree, motd)).rejects.toMatchObject({ code: 'EIO' })
      // The same archive, and nothing differs that headers say: what files hold nobody knows.
      for (const [a, b] of [
        [tree, again],
        [whole, tree],
      ] as const)
        await expect(valuesOf(diff(a, b))).rejects.toMatchObject({ code: 'EIO' })
      const image = await (await openSource(of)).image()
      for (const sink of [`tar:${join(directory, 'out.tar')}`, `rootfs:${join(directory, 'out')}`])
        await expect(copy(image, await openSink(sink, { treeOf: async () => tree }))).rejects.toMatchObject({
          code: expect.stringMatching(/^(EIO|PLY_UNSUPPORTED)$/),
        })
    } finally {
      for (const one of [tree, again, whole]) one.close()
    }
  })

  test('the library refuses to look at headers alone where a signature is demanded', async () => {
    await expect(openTree(of, { verify: false, signatures: { keys: [] } as never })).rejects.toMatchObject({
      code: 'PLY_USAGE',
    })
  })
})
