import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { copyWhole, openSink, openSource, openStore, parcelFrom } from 'plyfs'
import { beforeAll, describe, expect, test } from 'vitest'
import { sampleIndex } from '../support/parcels.ts'
import { dockerArchive, ply, tarOf, temporaryDirectory } from './run-ply.ts'

const directory = temporaryDirectory()
const root = join(directory, 'store')
const index = `oci:${join(directory, 'index')}:all`

async function run(...argv: string[]): Promise<string> {
  const { code, out, err } = await ply([...argv, '--root', root])
  expect(code, err).toBe(0)
  return out
}

const fails = async (code: number, text: string | RegExp, ...argv: string[]) => {
  const answer = await ply([...argv, '--root', root])
  expect(answer.err).toMatch(text)
  expect(answer.code).toBe(code)
}

const inspected = async (image: string, ...more: string[]) =>
  JSON.parse(await run('inspect', image, '--json', ...more))[0]
const digestsOf = async (image: string) => (await inspected(image)).layers.map((one: { digest: string }) => one.digest)

beforeAll(async () => {
  const layers = [
    { 'etc/': '', 'etc/motd': 'welcome\n', 'bin/': '', lib: { to: 'usr/lib' }, 'usr/lib/': '' },
    { 'root/key': 'TOP-SECRET-1', 'opt/data': 'a' },
    { 'root/.wh.key': '', 'opt/more': 'b' },
  ]
  await dockerArchive(join(directory, 'app.tar'), 'app:1', layers)
  await run('load', join(directory, 'app.tar'))
  await using sink = await openSink(index)
  await copyWhole(await sampleIndex(), sink)
})

describe('config', () => {
  test('sets, adds and removes every field, and leaves the layers alone', async () => {
    await run(
      ...['config', 'app:1', '-t', 'app:set', '-e', 'A=1', '-e', 'B=x=y', '-l', 'l=1', '--annotation', 'n=1'],
      ...['--entrypoint', '["/bin/app","-v"]', '--cmd', 'serve all', '--user', '1:2', '--workdir', '/srv'],
      ...['--expose', '80', '--expose', '53/udp', '--volume', '/data', '--stop-signal', 'SIGINT'],
      ...['--shell', '["/bin/bash","-c"]', '--healthcheck', 'curl localhost', '--health-interval', '1m30s'],
      ...['--health-retries', '3', '--onbuild', 'RUN x', '--author', 'me', '--created', '86400'],
      ...[
        '--os',
        'linux',
        '--architecture',
        'arm',
        '--variant',
        'v7',
        '--os-version',
        '1',
        '--os-feature',
        'f',
        '-m',
        'why',
      ],
    )
    const set = await inspected('app:set')
    expect(await digestsOf('app:set')).toEqual(await digestsOf('app:1'))
    expect(set).toMatchObject({
      created: '1970-01-02T00:00:00Z',
      author: 'me',
      platform: 'linux/arm',
      annotations: { n: '1' },
      config: {
        Env: expect.arrayContaining(['A=1', 'B=x=y']),
        Labels: { l: '1' },
        Entrypoint: ['/bin/app', '-v'],
        Cmd: ['/bin/bash', '-c', 'serve all'],
        User: '1:2',
        WorkingDir: '/srv',
        ExposedPorts: { '80/tcp': {}, '53/udp': {} },
        Volumes: { '/data': {} },
        StopSignal: 'SIGINT',
        Shell: ['/bin/bash', '-c'],
        Healthcheck: { Test: ['CMD-SHELL', 'curl localhost'], Interval: 90e9, Retries: 3 },
        OnBuild: ['RUN x'],
      },
    })
    expect(set.history.at(-1)).toMatchObject({ createdBy: 'ply config', comment: 'why' })
    const fields = [
      'env',
      'label=l',
      'annotation=n',
      'entrypoint',
      'cmd',
      'user',
      'workdir',
      'expose=80',
      'volume=/data',
    ]
    const rest = [
      'stop-signal',
      'shell',
      'healthcheck',
      'onbuild',
      'author',
      'created',
      'variant',
      'os-version',
      'os-feature',
    ]
    await run('config', 'app:set', '-t', 'app:bare', ...[...fields, ...rest].flatMap((field) => ['--remove', field]))
    const bare = await inspected('app:bare')
    expect(bare.config).toEqual({ ExposedPorts: { '53/udp': {} } })
    expect(bare.annotations).toEqual({})
    expect(bare).not.toHaveProperty('author')
  })

  test('what changes nothing gives the same digest, and wrong words are refused', async () => {
    const { digest, config } = await inspected('app:1')
    expect((await run('config', 'app:1')).trim()).toBe(digest)
    expect((await run('config', 'app:1', '--remove', 'label=none')).trim()).toBe(digest)
    expect(config).toEqual((await inspected('app:1')).config)
    await fails(2, 'write NAME=VALUE', 'config', 'app:1', '-e', 'A')
    await fails(2, '--remove nothing', 'config', 'app:1', '--remove', 'nothing')
    await fails(2, 'not a port', 'config', 'app:1', '--expose', 'http')
    await fails(2, 'not a time', 'config', 'app:1', '--created', 'yesterday')
    await fails(2, 'write 30s', 'config', 'app:1', '--healthcheck', 'x', '--health-interval', 'long')
    await fails(2, 'need an index', 'config', 'app:1', '--annotation', 'index:a=b')
  })

  test('goes from one place to another without the store', async () => {
    const elsewhere = join(directory, 'no-store')
    const layout = `oci:${join(directory, 'out')}:1`
    const archive = `docker-archive:${join(directory, 'app.tar')}`
    const { code, out, err } = await ply(['config', archive, '-l', 'a=b', '-o', layout, '--root', elsewhere])
    expect(code, err).toBe(0)
    expect((await inspected(layout)).digest).toBe(out.trim())
    expect(readdirSync(directory)).not.toContain('no-store')
    for (const argv of [
      ['copy', archive, 'oci-archive:-'],
      ['config', archive, '-l', 'a=b', '-o', 'oci-archive:-'],
    ]) {
      const { bytes, err: said } = await ply([...argv, '--root', elsewhere])
      expect(said).toMatch(/^sha256:\S+$/m)
      expect(bytes.subarray(-1024).every((byte) => byte === 0)).toBe(true)
    }
    await run('copy', archive, `tar:${join(directory, 'rootfs.tar')}`)
    expect(await run('cat', `tar:${join(directory, 'rootfs.tar')}`, '/etc/motd')).toBe('welcome\n')
  })
})

describe('append', () => {
  test('a tar keeps its bytes, compressed or not, and what is below keeps its digest', async () => {
    const tar = gzipSync(await tarOf({ 'new/file': 'new' }))
    writeFileSync(join(directory, 'layer.tar.gz'), tar)
    const digest = (await run('append', 'app:1', join(directory, 'layer.tar.gz'), '-t', 'app:appended')).trim()
    expect((await run('append', 'app:1', join(directory, 'layer.tar.gz'))).trim()).toBe(digest)
    const digests = await digestsOf('app:appended')
    expect(digests.slice(0, -1)).toEqual(await digestsOf('app:1'))
    const { digestOf } = await import('../../src/model/digest.ts')
    expect(digests.at(-1)).toBe(digestOf(tar))
    expect(await run('cat', 'app:appended', '/new/file')).toBe('new')
    expect(await run('history', 'app:appended')).toContain('ply append')
  })

  test('files go where they are placed, through symlinks of the image, and directories on the way stay', async () => {
    const conf = join(directory, 'conf')
    mkdirSync(join(conf, 'sub'), { recursive: true })
    writeFileSync(join(conf, 'sub', 'x'), 'x')
    symlinkSync('sub', join(conf, 'link'))
    writeFileSync(join(directory, 'tool'), 'tool')
    const sources = [`${join(directory, 'tool')}:/lib/`, `${conf}:/etc/app`, `${join(directory, 'tool')}:/etc/motd`]
    await run(
      'append',
      'app:1',
      ...sources,
      '--chown',
      '7:8',
      '--chmod',
      '600',
      '--source-date-epoch',
      '1000',
      '-t',
      'app:placed',
    )
    expect(await digestsOf('app:placed')).toHaveLength(4)
    expect(await run('cat', 'app:placed', '/usr/lib/tool')).toBe('tool')
    expect(await run('cat', 'app:placed', '/etc/app/link/x')).toBe('x')
    const stat = JSON.parse(await run('stat', 'app:placed', '/etc/motd', '--json'))
    expect(JSON.stringify(stat)).toContain('1970-01-01T00:16:40')
    expect(stat).toMatchObject({ uid: 7, gid: 8 })
    const { out: changes } = await ply(['diff', 'app:1', 'app:placed', '--root', root])
    expect(changes).toContain('/etc/app')
    expect(changes).not.toMatch(/^. \/etc$/m)
    await fails(5, 'two sources lead to it', 'append', 'app:1', `${conf}:/etc`, `${conf}:/etc/app`)
    await fails(3, 'ENOENT', 'append', 'app:1', join(directory, 'missing'))
  })

  test('scratch is the image of nothing', async () => {
    const conf = join(directory, 'conf')
    await run('append', 'scratch', `${conf}:/`, '-t', 'only')
    expect(await run('cat', 'only', '/sub/x')).toBe('x')
  })
})

/** Whether bytes are in any blob of a store, or in any of its caches. */
function heldIn(store: string, needle: string): string[] {
  const found: string[] = []
  const look = (path: string): void => {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      const inside = join(path, entry.name)
      if (entry.isDirectory()) look(inside)
      else if (entry.isFile() && readFileSync(inside).includes(needle)) found.push(inside)
    }
  }
  look(store)
  return found
}

describe('strip', () => {
  test('a secret that a whiteout only hid is in no blob any more, whiteout and all', async () => {
    const store = join(directory, 'stripped')
    const at = async (...argv: string[]) => {
      const { code, out, err } = await ply([...argv, '--root', store])
      expect(code, err).toBe(0)
      return { out, err }
    }
    await at('load', join(directory, 'app.tar'))
    expect(heldIn(store, 'TOP-SECRET-1').length).toBeGreaterThan(0)
    const { out } = await at('strip', 'app:1', '/root/key', '-t', 'app:1')
    expect(out).toMatch(/^sha256:/)
    await at('gc')
    expect(heldIn(join(store, 'blobs'), 'TOP-SECRET-1')).toEqual([])
    expect(heldIn(store, 'TOP-SECRET-1')).toEqual([])
    expect(heldIn(join(store, 'blobs'), '.wh.key')).toEqual([])
    expect((await at('history', 'app:1')).out).toContain('ply strip /root/key')
    expect((await at('cat', 'app:1', '/opt/data')).out).toBe('a')
    const before = await digestsOf('app:1')
    const { out: after } = await at('inspect', 'app:1', '--json')
    const digests = JSON.parse(after)[0].layers.map((one: { digest: string }) => one.digest)
    expect(digests[0]).toBe(before[0])
  })

  test('names that still have the content are named, and a path that nobody knows is an error', async () => {
    const { archive } = await import('../tar/raw.ts')
    const { file, link } = await import('../layer/parts.ts')
    writeFileSync(join(directory, 'linked.tar'), archive(file('key', 'TOP-SECRET-2'), link('copy', 'key')))
    writeFileSync(join(directory, 'above.tar'), archive(link('third', 'key')))
    await run('import', join(directory, 'linked.tar'), 'linked')
    await run('append', 'linked', join(directory, 'above.tar'), '-t', 'linked')
    const { err, code } = await ply(['strip', 'linked', 'key', '-t', 'unlinked', '--root', root])
    expect(code, err).toBe(0)
    expect(err).toMatch(/^warning: copy: layer 0: .*one file with key.*\(H-10\)$/m)
    expect(err).toMatch(/^warning: third: layer 1: .*one file with key.*\(H-10\)$/m)
    expect(await run('cat', 'unlinked', 'third')).toBe('TOP-SECRET-2')
    expect(JSON.parse(await run('stat', 'unlinked', 'copy', '--json')).links).toBe(2)
    await fails(3, 'ENOENT', 'strip', 'linked', '/no/such')
    await fails(3, "strip '/no/such'", 'strip', index, '/etc/issue', '/no/such', '--all', '-t', 'never')
    await fails(3, "strip '/no/such'", 'strip', 'linked', '/no/such', '--all', '-t', 'never')
    await fails(3, 'no image named', 'inspect', 'never')
    await run('strip', 'linked', 'third', '--all', '-t', 'two')
    expect(await digestsOf('two')).toHaveLength(2)
  })
})

describe('epoch and recompress', () => {
  test('every time is lowered, by the flag or the environment, and the base stays', async () => {
    const digest = (await run('epoch', 'app:1', '--source-date-epoch', '1000', '-t', 'app:old')).trim()
    const environment = { SOURCE_DATE_EPOCH: '1000' }
    expect((await ply(['epoch', 'app:1', '--root', root], { environment })).out.trim()).toBe(digest)
    expect(await run('ls', '-l', 'app:old', '/opt')).toContain('1970')
    await run('epoch', 'app:1', '--source-date-epoch', '1000', '--from', '1', '-t', 'app:old')
    expect((await digestsOf('app:old'))[0]).toBe((await digestsOf('app:1'))[0])
    await fails(2, 'say which time', 'epoch', 'app:1')
  })

  test('another compression keeps image id and diffIDs', async () => {
    const before = await inspected('app:1')
    await run('recompress', 'app:1', 'gzip', '--level', '9', '-t', 'app:gzip')
    const after = await inspected('app:gzip')
    expect(after.id).toBe(before.id)
    expect(after.layers.map(({ diffId }: { diffId: string }) => diffId)).toEqual(
      before.layers.map(({ diffId }: { diffId: string }) => diffId),
    )
    expect(after.layers[0].mediaType).toMatch(/gzip$/)
    await run('recompress', 'app:gzip', 'none', '--from', '1', '-t', 'app:plain')
    expect((await inspected('app:plain')).layers.map(({ digest }: { digest: string }) => digest)).toEqual([
      after.layers[0].digest,
      ...(await digestsOf('app:1')).slice(1),
    ])
    await fails(2, 'not a compression', 'recompress', 'app:1', 'xz')
  })
})

describe('indexes', () => {
  test('--all changes every image in a new index, keeps what is said of them, and drops what is not true any more', async () => {
    const target = `oci:${join(directory, 'all')}:new`
    const { code, err, out } = await ply([
      ...['config', index, '--all', '-l', 'team=blue', '-o', target, '--root', root],
      ...['--annotation', 'index:i=1', '--annotation', 'manifest-descriptor:d=1'],
    ])
    expect(code, err).toBe(0)
    expect(err).toMatch(/^warning: sha256:\S+ is left out: it is about sha256:/m)
    await using source = await openSource(target)
    const made = await parcelFrom(source, undefined)
    expect(made.descriptor.digest).toBe(out.trim())
    if (made.is !== 'index') throw new Error('it is no index')
    expect(made.index.annotations).toEqual({ kept: 'yes', i: '1' })
    expect(made.members.map(({ descriptor }) => [descriptor.platform?.architecture, descriptor.annotations])).toEqual([
      ['amd64', { d: '1' }],
      ['arm64', { d: '1' }],
    ])
    for (const platform of ['linux/amd64', 'linux/arm64'])
      expect((await inspected(target, '--platform', platform)).config.Labels).toMatchObject({ team: 'blue' })
  })

  test('--all that changes nothing is the same index, attestations and all', async () => {
    await using source = await openSource(index)
    const { descriptor } = await parcelFrom(source, undefined)
    expect((await run('config', index, '--all', '-t', 'same')).trim()).toBe(descriptor.digest)
    await using store = await openStore(root)
    expect((await store.parcel('same')).descriptor.digest).toBe(descriptor.digest)
  })

  test('squash, flatten, strip and epoch do every image of an index, or the one of a platform', async () => {
    for (const [command, ...more] of [
      ['squash'],
      ['flatten'],
      ['strip', '/etc/issue'],
      ['epoch', '--source-date-epoch', '1000'],
      ['recompress', 'none'],
      ['append', `${join(directory, 'tool')}:/tool`],
    ] as const) {
      const arguments_ = more.filter((word) => !word.startsWith('--source') && word !== '1000')
      const flags = more.filter((word) => !arguments_.includes(word))
      await run(command, index, ...arguments_, ...flags, '--all', '-t', 'made:all')
      await using store = await openStore(root)
      const made = await store.parcel('made:all')
      expect(made.is === 'index' && made.members.map(({ descriptor }) => descriptor.platform?.architecture)).toEqual([
        'amd64',
        'arm64',
      ])
      await run('validate', 'made:all')
      await run(command, index, ...arguments_, ...flags, '--platform', 'linux/arm64', '-t', 'made:one')
      expect((await inspected('made:one')).platform).toBe('linux/arm64')
    }
  })
})

describe('validate', () => {
  test('is silent about what is in order, whatever the place', async () => {
    for (const reference of ['app:1', index, `docker-archive:${join(directory, 'app.tar')}`]) {
      expect(await run('validate', reference)).toMatch(new RegExp(`^${reference}: sha256:\\S+\\n$`))
      expect(await run('validate', '--fast', reference)).toMatch(/: sha256:/)
    }
  })

  test('names what is wrong, in which layer, and says so by its exit code', async () => {
    await run('copy', 'app:1', `oci:${join(directory, 'broken')}:1`)
    const blobs = join(directory, 'broken', 'blobs', 'sha256')
    const [first = ''] = await digestsOf('app:1')
    const blob = join(blobs, first.slice(7))
    const bytes = readFileSync(blob)
    bytes[600] = bytes[600]! ^ 1
    writeFileSync(blob, bytes)
    const reference = `oci:${join(directory, 'broken')}:1`
    const { code, out } = await ply(['validate', reference, '--root', root])
    expect(code).toBe(4)
    expect(out).toMatch(/error: layer 0: .*PLY_DIGEST_MISMATCH/)
    expect((await ply(['validate', '--fast', reference, '--root', root])).code).toBe(0)
    writeFileSync(blob, bytes.subarray(512))
    const fast = await ply(['validate', '--fast', reference, '--json', '--root', root])
    expect(fast.code).toBe(4)
    expect(JSON.parse(fast.out)[0]).toMatchObject({
      reference,
      valid: false,
      findings: [{ where: 'layer 0', severity: 'error', code: 'PLY_SIZE_MISMATCH' }],
    })
    expect((await ply(['validate', 'oci:/nowhere', '--root', root])).code).toBe(3)
  })
})
