import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import * as plyfs from '../../src/index.ts'

const { append, build, layerFrom, memoryUpper, openStore, plainLayer, scratch, steps, union } = plyfs
const { add, arg, cmd, copy, entrypoint, env, expose, file, healthcheck, label, onBuild, shell } = steps
const { run, stopSignal, user, volume, workdir } = steps

const treeOf = (files: Parameters<typeof plainLayer>[0]) =>
  union([plainLayer({ '/': { directory: true }, ...files })], memoryUpper())
const context = treeOf({
  'src/a b': 'a',
  'src/run': { content: '#!', mode: 0o755 },
  'src/deep/b.txt': 'b',
  'src/deep/c.log': 'c',
  'etc/passwd': 'app:x:7:8::/:\n',
})

describe('a program that builds', () => {
  test('gives the image that a Dockerfile gives which says the same, and they share what they have built', async () => {
    await using store = await openStore(':memory:')
    const dockerfile = [
      'FROM scratch AS tools',
      'COPY src/run /bin/run',
      'FROM scratch',
      'COPY etc /etc',
      'ARG V=1',
      'ENV A="it\'s $5 \\"x\\"" B=2',
      'WORKDIR /app',
      'COPY --chown=app:8 --chmod=u=rwX,go=rX --exclude=*.log src/deep .',
      'COPY ["src/a b","/x/"]',
      'COPY --from=tools /bin/run /bin/',
      "COPY <<'motd' /etc/motd",
      '$A is not put in',
      'motd',
      'ADD --link etc /added/',
      'EXPOSE 80 53/udp',
      'VOLUME ["/data dir"]',
      'USER app',
      'LABEL k="a b" l=c',
      'STOPSIGNAL SIGINT',
      'HEALTHCHECK --interval=5s --retries=3 CMD wget -q localhost',
      'SHELL ["/bin/bash","-c"]',
      'ENTRYPOINT ["/bin/run","$A"]',
      'CMD go on',
      'ONBUILD COPY . /later',
    ].join('\n')
    const tools = { name: 'tools', from: 'scratch', steps: [copy('src/run', '/bin/run')] }
    const program = {
      from: 'scratch',
      steps: [
        copy('etc', '/etc'),
        arg('V', '1'),
        env({ A: 'it\'s $5 "x"', B: '2' }),
        workdir('/app'),
        copy('src/deep', '.', { chown: 'app:8', chmod: 'u=rwX,go=rX', exclude: ['*.log'] }),
        copy('src/a b', '/x/'),
        copy('/bin/run', '/bin/', { from: tools }),
        file('/etc/motd', '$A is not put in\n'),
        add('etc', '/added/', { link: true }),
        expose(80, '53/udp'),
        volume('/data dir'),
        user('app'),
        label({ k: 'a b', l: 'c' }),
        stopSignal('SIGINT'),
        healthcheck({ command: 'wget -q localhost', interval: 5, retries: 3 }),
        shell(['/bin/bash', '-c']),
        entrypoint(['/bin/run', '$A']),
        cmd('go on'),
        onBuild('COPY . /later'),
      ],
    }
    // The dollar of ENV is one in the program; in the Dockerfile it is escaped.
    const written = dockerfile.replace('$5', '\\$5')
    const one = await build(store, { dockerfile: written, context, platform: 'linux/amd64' })
    const states: string[] = []
    const other = await build(store, {
      ...program,
      context,
      platform: 'linux/amd64',
      onEvent: (event) => event.what === 'step' && event.state !== 'begun' && states.push(event.state),
    })
    expect(other.config).toEqual(one.config)
    expect(other.digest).toBe(one.digest)
    expect(states).not.toContain('done')
    await using alone = await openStore(':memory:')
    expect((await build(alone, { ...program, context, platform: 'linux/amd64' })).digest).toBe(one.digest)
  })

  test('takes each word as it is: nothing is a variable, a quote or another line', async () => {
    await using store = await openStore(':memory:')
    const odd = '$HOME "quoted" \'single\' back\\slash\nline'
    const image = await build(store, {
      from: 'scratch',
      steps: [env({ ODD: odd }), label({ [odd]: odd }), workdir('/$x\\y'), cmd([odd])],
    })
    expect(image.config.config).toMatchObject({
      Env: expect.arrayContaining([`ODD=${odd}`]),
      Labels: { [odd]: odd },
      WorkingDir: '/$x\\y',
      Cmd: [odd],
    })
  })

  test('stands on another program, an image of no store, or files of no disk', async () => {
    await using store = await openStore(':memory:')
    const base = append(scratch, layerFrom({ '/bin/tool': { content: 'tool', mode: 0o755 } }))
    const middle = { from: base, steps: [env({ M: '1' })] }
    const more = append(scratch, layerFrom({ '/lib/x': 'x' }))
    const image = await build(store, {
      from: middle,
      steps: [copy('/lib', '/lib', { from: more }), copy('f', '/f', { from: treeOf({ f: 'f' }) })],
    })
    const tree = await store.tree(image)
    expect([...tree.list(tree.root)].map(({ name }) => name)).toEqual(['bin', 'f', 'lib'])
    expect(image.config.config?.Env).toContain('M=1')
    expect(image.layers[0]!.diffId).toBe(base.layers[0]!.diffId)
    tree.close()
  })

  test('says what is wrong by the number of the step', async () => {
    await using store = await openStore(':memory:')
    const failing = build(store, { from: 'scratch', steps: [env({ A: '1' }), copy('nothing', '/x')], context })
    await expect(failing).rejects.toMatchObject({
      code: 'PLY_BAD_DOCKERFILE',
      message: 'program:3: COPY: /nothing is not there to be copied',
    })
    const one = { name: 'base', from: 'base', steps: [] }
    await expect(build(store, one)).rejects.toMatchObject({ code: 'PLY_USAGE' })
    const round = { from: 'scratch' as plyfs.Program['from'], steps: [run('true')] }
    round.from = round
    await expect(build(store, round)).rejects.toMatchObject({ code: 'PLY_USAGE' })
  })

  test('is what docs/builds.md shows', async () => {
    const text = readFileSync(new URL('../../docs/builds.md', import.meta.url), 'utf8')
    const [, code = ''] = /## From a program[\s\S]*?```js[^\n]*\n([\s\S]*?)```/.exec(text) ?? []
    expect(code).not.toBe('')
    const body = code.replace(/^import (\{[^}]*\}) from 'plyfs'$/m, 'const $1 = plyfs')
    const AsyncFunction = (async () => {}).constructor as new (
      ...args: string[]
    ) => (api: object) => Promise<plyfs.Image>
    const image = await new AsyncFunction('plyfs', `${body}\nreturn image`)(plyfs)
    expect(image.config.config).toMatchObject({ Entrypoint: ['node', '/app/main.js'], User: '1000' })
    expect(image.layers).toHaveLength(4)
  })
})
