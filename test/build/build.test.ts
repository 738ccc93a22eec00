import { describe, expect, test } from 'vitest'
import { build } from '../../src/build/build.ts'
import type { BuildEvent, BuildOptions } from '../../src/build/options.ts'
import { memoryUpper, openStore, plainLayer, resolvePath, type Store, type Tree, union } from '../../src/index.ts'
import { collect } from '../../src/stream/collect.ts'

type Files = Parameters<typeof plainLayer>[0]
const tree = (files: Files): Tree => union([plainLayer({ '/': { directory: true }, ...files })], memoryUpper())

async function built(store: Store, dockerfile: string, context: Files = {}, options: Partial<BuildOptions> = {}) {
  const events: BuildEvent[] = []
  const image = await build(store, {
    dockerfile,
    context: tree(context),
    platform: 'linux/amd64',
    ...options,
    onEvent: (event) => events.push(event),
  })
  const states = events.flatMap((event) => (event.what === 'step' && event.state !== 'begun' ? [event.state] : []))
  return { image, events, states, config: image.config.config ?? {} }
}

async function shown(store: Store, image: Parameters<Store['tree']>[0]): Promise<string[]> {
  const lines: string[] = []
  const of = await store.tree(image)
  const walk = (ino: number, path: string) => {
    for (const { name, ino: child, kind } of of.list(ino)) {
      const { mode, uid, gid } = of.stat(child)
      lines.push(
        `${path}${name} ${mode.toString(8)} ${uid}:${gid}${kind === 'symlink' ? ` -> ${of.readlink(child)}` : ''}`,
      )
      if (kind === 'directory') walk(child, `${path}${name}/`)
    }
  }
  walk(of.root, '/')
  of.close()
  return lines
}

async function contentOf(store: Store, image: Parameters<Store['tree']>[0], path: string): Promise<string> {
  const of = await store.tree(image)
  try {
    const content = of.open(resolvePath(of, path, { follow: true }).ino!)
    const bytes = Buffer.alloc(content.size)
    content.read(bytes, 0)
    return bytes.toString()
  } finally {
    of.close()
  }
}
void collect

/** What nothing has. */
const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

describe('a build that runs nothing', () => {
  test('copies files and says what the image is', async () => {
    await using store = await openStore(':memory:')
    const { image, config } = await built(
      store,
      'FROM scratch\nARG V=1\nENV A=$V B="x y"\nWORKDIR /app\nCOPY . .\nCOPY <<E /etc/motd\nhello $A "$B" \\$A\nE\nEXPOSE 80 53/udp 1-2\nVOLUME /data\nUSER 5:6\nLABEL k=$A\nSTOPSIGNAL SIGINT\nHEALTHCHECK --interval=5s CMD true\nSHELL ["/bin/bash", "-c"]\nENTRYPOINT ["/app/run"]\nCMD go on\nMAINTAINER me\nONBUILD RUN x\n',
      { run: { content: '#!', mode: 0o755 }, 'd/a': 'x' },
    )
    expect(await shown(store, image)).toEqual([
      '/app 755 0:0',
      '/app/d 755 0:0',
      '/app/d/a 644 0:0',
      '/app/run 755 0:0',
      '/etc 755 0:0',
      '/etc/motd 644 0:0',
    ])
    expect(await contentOf(store, image, '/etc/motd')).toBe('hello 1 "x y" $A\n')
    expect(config).toEqual({
      Env: [path, 'A=1', 'B=x y'],
      WorkingDir: '/app',
      ExposedPorts: { '80/tcp': {}, '53/udp': {}, '1/tcp': {}, '2/tcp': {} },
      Volumes: { '/data': {} },
      User: '5:6',
      Labels: { k: '1' },
      StopSignal: 'SIGINT',
      Healthcheck: { Test: ['CMD-SHELL', 'true'], Interval: 5_000_000_000 },
      Shell: ['/bin/bash', '-c'],
      Entrypoint: ['/app/run'],
      Cmd: ['/bin/bash', '-c', 'go on'],
      OnBuild: ['RUN x'],
    })
    expect(image.config).toMatchObject({
      author: 'me',
      created: '1970-01-01T00:00:00Z',
      os: 'linux',
      architecture: 'amd64',
    })
    const layers = (image.config.history ?? []).filter((step) => step.empty_layer !== true)
    expect(layers.map(({ created_by }) => created_by)).toEqual(['WORKDIR /app', 'COPY . .', 'COPY <<E /etc/motd'])
  })

  test('gives one digest, whatever the times, the store and the cache', async () => {
    const dockerfile = 'FROM scratch AS a\nCOPY . /x/\nFROM scratch\nCOPY --from=a /x /y\nENV A=1\n'
    const digests = new Set<string>()
    for (const mtime of [5n, 1_700_000_000_123_456_789n]) {
      await using store = await openStore(':memory:')
      const files = { a: { content: 'x', mtime, uid: Number(mtime % 7n) }, 'd/b': { content: 'y', mtime } }
      for (let again = 0; again < 2; again++)
        digests.add((await built(store, dockerfile, files, { noCache: again === 0 })).image.digest)
    }
    expect([...digests]).toHaveLength(1)
  })

  test('takes what was built before: a touched file is no other, a changed one is', async () => {
    await using store = await openStore(':memory:')
    const dockerfile = 'FROM scratch\nCOPY a /a\nCOPY b /b\nCOPY c /c\nLABEL x=1\n'
    const files = { a: 'a', b: 'b', c: 'c' }
    expect((await built(store, dockerfile, files)).states).toEqual(['done', 'done', 'done', 'set'])
    expect((await built(store, dockerfile, files)).states).toEqual(['cached', 'cached', 'cached', 'set'])
    expect((await built(store, dockerfile, { ...files, b: { content: 'b', mtime: 7n } })).states).toEqual([
      'cached',
      'cached',
      'cached',
      'set',
    ])
    const changed = await built(store, dockerfile, { ...files, b: 'B' }, { explainCache: true })
    expect(changed.states).toEqual(['cached', 'done', 'done', 'set'])
    expect(changed.events.flatMap((event) => (event.what === 'step' ? (event.because ?? []) : []))).toEqual([
      'changed: the files that it copies: /b',
      'changed: what it stands on',
    ])
    expect((await built(store, dockerfile, files, { noCache: true })).states).toEqual(['done', 'done', 'done', 'set'])
  })

  test('shares each step with a build that comes to it at the same time', async () => {
    await using store = await openStore(':memory:')
    const dockerfile = 'FROM scratch\nCOPY a /a\nCOPY b /b\n'
    const both = await Promise.all([1, 2].map(() => built(store, dockerfile, { a: 'a', b: 'b' })))
    expect(both[0]!.image.digest).toBe(both[1]!.image.digest)
    expect(both.flatMap(({ states }) => states).sort()).toEqual(['cached', 'cached', 'done', 'done'])
  })

  test('keeps what it has built through a collection, and builds anew what was lost', async () => {
    await using store = await openStore(':memory:')
    const dockerfile = 'FROM scratch\nCOPY a /a\n'
    const { image } = await built(store, dockerfile, { a: 'a' })
    await store.collect()
    expect((await built(store, dockerfile, { a: 'a' })).states).toEqual(['cached'])
    expect((await built(store, dockerfile, { a: 'a' })).image.digest).toBe(image.digest)
  })

  test('is forgotten by a collection that is told so, once nobody has used it for that long', async () => {
    await using store = await openStore(':memory:')
    const dockerfile = 'FROM scratch\nCOPY a /a\n'
    await built(store, dockerfile, { a: 'a' })
    const before = (await store.collect({ builds: 3600 })).blobs.length
    expect((await built(store, dockerfile, { a: 'a' })).states).toEqual(['cached'])
    const wouldGo = await store.collect({ builds: 0, dryRun: true })
    expect((await built(store, dockerfile, { a: 'a' })).states).toEqual(['cached'])
    const gone = await store.collect({ builds: 0 })
    expect(gone.blobs).toEqual(wouldGo.blobs)
    expect(gone.blobs.length).toBeGreaterThan(before)
    expect((await built(store, dockerfile, { a: 'a' })).states).toEqual(['done'])
  })

  test('builds the stages that its target needs, and no other', async () => {
    await using store = await openStore(':memory:')
    const dockerfile =
      'FROM scratch AS a\nCOPY a /\nFROM scratch AS broken\nCOPY nothing /\nFROM scratch AS b\nCOPY --from=a /a /b\nFROM b\nCOPY --from=0 /a /c\n'
    const { image, events } = await built(store, dockerfile, { a: 'x' })
    expect(await shown(store, image)).toEqual(['/b 644 0:0', '/c 644 0:0'])
    expect(new Set(events.flatMap((event) => (event.what === 'step' ? [event.stage] : [])))).toEqual(
      new Set(['a', 'b', '3']),
    )
    const { image: first } = await built(store, dockerfile, { a: 'x' }, { target: 'a' })
    expect(await shown(store, first)).toEqual(['/a 644 0:0'])
  })

  test('takes arguments: for FROM those in front of it, in a stage those that it names, for everything what the user says', async () => {
    await using store = await openStore(':memory:')
    const dockerfile =
      'ARG BASE=one\nARG X=global\nFROM scratch AS one\nLABEL is=one\nFROM scratch AS two\nLABEL is=two\nFROM ${BASE}\nARG X\nARG Y=$X-y\nARG TARGETARCH\nENV E=$X,$Y,$BASE,$TARGETARCH\nENV X=env\nLABEL x=$X\n'
    expect((await built(store, dockerfile)).config).toMatchObject({
      Labels: { is: 'one', x: 'env' },
      Env: [path, 'E=global,global-y,,amd64', 'X=env'],
    })
    const { config } = await built(store, dockerfile, {}, { args: { BASE: 'two', X: 'mine' }, platform: 'linux/arm64' })
    expect(config).toMatchObject({ Labels: { is: 'two', x: 'env' }, Env: [path, 'E=mine,mine-y,,arm64', 'X=env'] })
  })

  test('builds on images of the store, and does what they want done first', async () => {
    await using store = await openStore(':memory:')
    const { image: below } = await built(
      store,
      'FROM scratch\nCOPY <<E /etc/passwd\nu:x:7:8::/:\nE\nENTRYPOINT ["e"]\nCMD ["c"]\nONBUILD COPY --chown=u a /a\nONBUILD ENV O=1\n',
    )
    await store.write(below, 'below')
    const { image, config } = await built(store, 'FROM below\nCOPY --chown=u:9 a /b\nUSER u\nWORKDIR /w/x\n', {
      a: 'x',
    })
    expect(await shown(store, image)).toEqual([
      '/a 644 7:8',
      '/b 644 7:9',
      '/etc 755 0:0',
      '/etc/passwd 644 0:0',
      '/w 755 7:8',
      '/w/x 755 7:8',
    ])
    expect(config).toEqual({ Entrypoint: ['e'], Cmd: ['c'], Env: [path, 'O=1'], User: 'u', WorkingDir: '/w/x' })
    // Another entrypoint takes the command of the image below away, unless the stage has said one.
    expect((await built(store, 'FROM below\nENTRYPOINT ["x"]', { a: '' })).config).not.toHaveProperty('Cmd')
    expect((await built(store, 'FROM below\nCMD ["y"]\nENTRYPOINT ["x"]', { a: '' })).config).toHaveProperty('Cmd', [
      'y',
    ])
  })

  test('takes named contexts before anything else', async () => {
    await using store = await openStore(':memory:')
    const { image: other } = await built(store, 'FROM scratch\nLABEL other=1\n')
    const contexts = { extra: tree({ 'x/y': 'z' }), base: other }
    const { image, config } = await built(store, 'FROM base\nCOPY --from=extra x /\n', {}, { contexts })
    expect(await shown(store, image)).toEqual(['/y 644 0:0'])
    expect(config).toHaveProperty('Labels', { other: '1' })
  })

  for (const [dockerfile, line, why] of [
    ['FROM scratch\nCOPY nothing /', 2, /\/nothing is not there to be copied/],
    ['FROM scratch\nCOPY aa /', 2, /\/aa is not there to be copied; did you mean a\?/],
    ['FROM scratch\nCOPY elsewhere/x /', 2, /\/elsewhere\/x is not there to be copied; there is no \/elsewhere/],
    ['FROM scratch\nCOPY a/b /', 2, /\/a\/b is not there to be copied; \/a is no directory/],
    ['FROM scratch\nCOPY ../a /', 2, /outside of the context/],
    ['FROM scratch\nCOPY a b c', 2, /several files go into a directory: write c\//],
    ['FROM scratch\nCOPY --chown=nobody a /', 2, /no user nobody/],
    ['FROM scratch\nCOPY --chmod=rw a /', 2, /rw is no mode/],
    ['FROM scratch\nCOPY a /\nCOPY a /a/b', 3, /\/a: /],
    ['FROM scratch\nEXPOSE web', 2, /web is no port/],
    ['FROM scratch\nENV A="${B:?B is wanted}"', 2, /B: B is wanted/],
    ['FROM scratch\nSTOPSIGNAL loud', 2, /loud is no signal/],
    ['FROM ${NONE}', 1, /\$\{NONE\} is nothing/],
    ['ARG A=${B:?no}\nFROM scratch', 1, /B: no/],
    ['FROM scratch\nCOPY --from=$X a /', 2, /takes no variables/],
  ] as const) {
    test(`fails on ${JSON.stringify(dockerfile)}, and names the line`, async () => {
      await using store = await openStore(':memory:')
      await expect(built(store, dockerfile, { a: 'x', b: 'y' })).rejects.toMatchObject({
        code: 'PLY_BAD_DOCKERFILE',
        details: { line },
        message: expect.stringMatching(why),
      })
    })
  }

  test('fails on an image that nobody has', async () => {
    await using store = await openStore(':memory:')
    await expect(built(store, 'FROM nowhere:1')).rejects.toMatchObject({ code: 'PLY_IMAGE_NOT_FOUND' })
  })
})
