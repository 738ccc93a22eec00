import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { dockerArchive, ply, temporaryDirectory } from './run-ply.ts'

const directory = temporaryDirectory()
const root = join(directory, 'store')
const context = join(directory, 'app')

async function run(...argv: string[]): Promise<{ readonly out: string; readonly err: string }> {
  const { code, out, err } = await ply([...argv, '--root', root])
  expect(code, err).toBe(0)
  return { out, err }
}

beforeAll(async () => {
  const archive = join(directory, 'base.tar')
  await dockerArchive(archive, 'base:1', [{ 'etc/': '', 'etc/passwd': 'app:x:7:8::/:\n' }])
  await run('load', archive)
  mkdirSync(join(context, 'lib'), { recursive: true })
  writeFileSync(join(context, 'run.js'), 'run\n')
  writeFileSync(join(context, 'lib/a.js'), 'a\n')
  writeFileSync(join(context, 'notes.txt'), 'mine\n')
  writeFileSync(join(context, '.dockerignore'), '*.txt\n.dockerignore\nDockerfile\n')
  writeFileSync(
    join(context, 'Dockerfile'),
    'ARG BASE=base:1\nFROM $BASE AS app\nARG NODE_ENV\nENV NODE_ENV=$NODE_ENV\nWORKDIR /app\nCOPY --chown=app . .\nFROM app\nLABEL last=1\n',
  )
})

describe('ply build', () => {
  test('makes an image of a directory, and names it', async () => {
    const { out, err } = await run(
      'build',
      '-t',
      'app:1',
      '-t',
      'app:latest',
      '--build-arg',
      'NODE_ENV=test',
      '--label',
      'by=me',
      context,
    )
    expect(out).toMatch(/^sha256:[0-9a-f]{64}\n$/)
    expect(err.replace(/\d+\.\d s/g, 'N s')).toContain('[app 4/4] COPY --chown=app . . (N s, 4.1kB)\n')
    expect(
      (await run('find', 'app:latest', '/app', '-ls')).out
        .trimEnd()
        .split('\n')
        .map((line) => line.split(/\s+/).slice(-1)[0]),
    ).toEqual(['/app', '/app/lib', '/app/lib/a.js', '/app/run.js'])
    const { out: inspected } = await run('inspect', 'app:1', '--json')
    expect(inspected).toContain('NODE_ENV=test')
    expect(JSON.stringify(JSON.parse(inspected))).toContain('"by":"me"')
  })

  test('takes from before what is the same, and says why not where it is not', async () => {
    expect((await run('build', '--build-arg', 'NODE_ENV=test', context)).err).toContain('COPY --chown=app . . (cached')
    writeFileSync(join(context, 'lib/a.js'), 'b\n')
    const { err } = await run('build', '--build-arg', 'NODE_ENV=test', '--explain-cache', context)
    expect(err).toContain('WORKDIR /app (cached')
    expect(err).toContain('changed: the files that it copies')
  })

  test('reads the Dockerfile from anywhere, stops at a stage, and writes ids where they are wanted', async () => {
    const file = join(directory, 'Other')
    const iidfile = join(directory, 'id')
    writeFileSync(file, 'FROM scratch AS one\nCOPY run.js /\nFROM nowhere\n')
    const { out, err } = await run(
      'build',
      '-q',
      '-f',
      file,
      '--target',
      'one',
      '--platform',
      'linux/s390x',
      '--iidfile',
      iidfile,
      context,
    )
    expect(out.trim()).toBe(readFileSync(iidfile, 'utf8'))
    expect(err).toBe('')
  })

  test('takes other directories and images by name', async () => {
    const file = join(directory, 'Named')
    const extra = join(directory, 'extra')
    mkdirSync(extra, { recursive: true })
    writeFileSync(join(extra, 'x'), 'x')
    writeFileSync(file, 'FROM base\nCOPY --from=extra x /y\n')
    await run(
      'build',
      '-f',
      file,
      '--build-context',
      `extra=${extra}`,
      '--build-context',
      'base=base:1',
      '-t',
      'named:1',
      context,
    )
    expect((await run('cat', 'named:1', '/y')).out).toBe('x')
  })

  test('lends secrets and agents to steps, from files and from the environment, and puts none into the image', async () => {
    const file = join(directory, 'Secrets')
    const secret = join(directory, 'secret')
    writeFileSync(file, 'FROM base:1\nCOPY run.js /\n')
    writeFileSync(secret, 'a secret of a file')
    const build = (words: readonly string[], environment: NodeJS.ProcessEnv = {}) =>
      ply(['build', '-q', '-f', file, ...words, context, '--root', root], { environment })
    const plain = await build([])
    const lent = ['--secret', `id=a,src=${secret}`, '--secret', 'env=TOKEN', '--ssh', 'default']
    const { code, out, err } = await build(lent, { TOKEN: 'a secret of the environment', SSH_AUTH_SOCK: '/agent' })
    expect(code, err).toBe(0)
    expect(out).toBe(plain.out)
    expect(await build(['--secret', 'id=a'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('--secret id=a: write id=ID,src=FILE or id=ID,env=NAME'),
    })
    expect(await build(['--secret', 'id=a,env=NOTHING'])).toMatchObject({ code: 2 })
    expect(await build(['--secret', 'id=a,src=/nothing/here'])).toMatchObject({ code: 3 })
    expect(await build(['--ssh', 'default'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('there is no agent: SSH_AUTH_SOCK is not set'),
    })
  })

  test('builds twice to see whether both are the same, and keeps neither', async () => {
    const file = join(directory, 'Twice')
    writeFileSync(file, 'FROM scratch\nCOPY lib /lib/\nENV A=1\n')
    const before = (await run('images', '-q')).out
    const { out } = await run('repro', '-q', '-f', file, context)
    expect(out).toMatch(/^the same: sha256:[0-9a-f]{64}\n$/)
    const { out: told } = await run('repro', '-f', file, context, '--json')
    expect(JSON.parse(told)).toEqual({ same: true, digest: out.trim().slice('the same: '.length) })
    expect((await run('images', '-q')).out).toBe(before)
  })

  for (const [what, dockerfile, said] of [
    [
      'an instruction that there is not',
      'FROM scratch\nCPOY a b\n',
      /Wrong:2: there is no instruction CPOY; did you mean COPY\?/,
    ],
    ['a file that is not there', 'FROM scratch\nCOPY nothing /\n', /Wrong:2: COPY: \/nothing is not there/],
    ['what is ignored', 'FROM scratch\nCOPY notes.txt /\n', /Wrong:2: COPY: \/notes.txt is not there/],
  ] as const) {
    test(`says what is wrong with ${what}, and where, and makes nothing`, async () => {
      const file = join(directory, 'Wrong')
      writeFileSync(file, dockerfile)
      const { code, out, err } = await ply(['build', '-f', file, context, '-t', 'wrong:1', '--root', root])
      expect({ code, out }).toEqual({ code: 2, out: '' })
      expect(err).toMatch(said)
      expect((await ply(['history', 'wrong:1', '--root', root])).code).toBe(3)
    })
  }

  test('says where it has looked for a Dockerfile', async () => {
    const { code, err } = await ply(['build', join(context, 'lib'), '--root', root])
    expect(code).toBe(2)
    expect(err).toMatch(/there is no .*lib\/Dockerfile: name the Dockerfile with -f/)
  })

  test('checks, builds nothing, and says no where something is odd', async () => {
    const file = join(directory, 'Odd')
    writeFileSync(file, 'FROM base:1 as Odd\nCMD x\nCOPY notes.txt /\n')
    const argv = ['build', '--check', '-t', 'odd:1', '-f', file, context, '--root', root]
    const { code, out } = await ply(argv)
    expect(code).toBe(1)
    expect(out.split('\n').map((line) => line.slice(file.length).split(' ')[0])).toEqual([
      ':1:',
      ':1:',
      ':2:',
      ':3:',
      '',
    ])
    expect(out).toContain(`${file}:2: JSONArgsRecommended: `)
    expect(JSON.parse((await ply([...argv, '--json'])).out)[3]).toMatchObject({ rule: 'CopyIgnoredFile', line: 3 })
    expect((await ply(['history', 'odd:1', '--root', root])).code).toBe(3)
    writeFileSync(file, 'FROM base:1\nCMD ["x"]\n')
    expect(await ply(argv)).toMatchObject({ code: 0, out: '' })
  })

  test('builds several platforms into one index, and writes it where it is wanted', async () => {
    const file = join(directory, 'Many')
    writeFileSync(file, 'FROM scratch\nARG TARGETARCH\nCOPY run.js /$TARGETARCH\n')
    const out = join(directory, 'many')
    const metadata = join(directory, 'metadata.json')
    const { out: digest, err } = await run(
      ...['build', '-f', file, '--platform', 'linux/amd64,linux/arm64', '--platform', 'linux/arm/v6', '-t', 'many:1'],
      ...['-o', `type=oci,dest=${out}.tar`, '-o', `type=local,dest=${out}`, '--metadata-file', metadata, context],
    )
    expect(err).toContain('[linux/arm64 0 2/2] COPY run.js /$TARGETARCH')
    expect(JSON.parse(readFileSync(metadata, 'utf8'))).toMatchObject({
      'containerimage.digest': digest.trim(),
      'image.name': 'many:1',
    })
    expect((await run('ls', 'many:1', '--platform', 'linux/arm64', '/')).out).toContain('arm64')
    expect((await run('inspect', '--all', `oci-archive:${out}.tar:many:1`)).out).toContain(digest.trim())
    expect(readFileSync(join(out, 'linux_arm_v6/arm'), 'utf8')).toBe('run\n')
    writeFileSync(join(directory, 'On'), 'FROM base\nCOPY --from=base / /all\n')
    await run(
      ...['build', '-f', join(directory, 'On'), '--platform', 'linux/amd64,linux/arm64', '-t', 'on:1'],
      ...['--build-context', 'base=many:1', context],
    )
    expect((await run('ls', 'on:1', '--platform', 'linux/arm64', '/all')).out).toBe('arm64\n')
    expect((await run('ls', 'on:1', '--platform', 'linux/amd64', '/all')).out).toBe('amd64\n')
    const { code, err: why } = await ply([
      'build',
      '-f',
      file,
      '--platform',
      'linux/amd64,linux/arm64',
      '-o',
      `type=tar,dest=${out}.x`,
      context,
      '--root',
      root,
    ])
    expect({ code, why }).toMatchObject({ code: 2, why: expect.stringContaining('type=tar holds one image') })
  })

  test('writes one image to archives, files and stdout', async () => {
    const file = join(directory, 'One')
    writeFileSync(file, 'FROM base:1\nCOPY run.js /\nCOPY run.js /again\n')
    const out = join(directory, 'one')
    const { out: digest } = await run(
      ...['build', '-f', file, '-t', 'one:1', '--squash', '-o', `type=docker,dest=${out}.docker`],
      ...['-o', `type=oci,dest=${out}.oci,compression=gzip`, '-o', `type=tar,dest=${out}.tar`, '-o', out, context],
    )
    expect((await run('cat', `docker-archive:${out}.docker:one:1`, '/again')).out).toBe('run\n')
    expect((await run('cat', `oci-archive:${out}.oci`, '/again')).out).toBe('run\n')
    expect((await run('cat', `tar:${out}.tar`, '/etc/passwd')).out).toContain('app:x')
    expect(readFileSync(join(out, 'again'), 'utf8')).toBe('run\n')
    expect((await run('history', 'one:1', '--json')).out).toContain('ply build --squash')
    const piped = await ply(['build', '-f', file, '-o', '-', context, '--root', root])
    expect(piped.out).toContain('ustar')
    expect(piped.err).toMatch(/sha256:[0-9a-f]{64}\n$/)
    expect(digest).toMatch(/^sha256:/)
    for (const [wrong, why] of [
      ['type=disk,dest=x', /the type is image, registry/],
      ['type=oci', /type=oci,dest=PATH/],
      ['type=oci,dest=a:b', /has a colon/],
      ['type=tar,dest=x,compression=gzip', /compression is/],
      ['type=oci,dest=x,mode=1', /no mode/],
    ] as const) {
      const { code, err } = await ply(['build', '-f', file, '-o', wrong, context, '--root', root])
      expect(code, wrong).toBe(2)
      expect(err).toMatch(why)
    }
    expect((await ply(['build', '-f', file, '--push', context, '--root', root])).err).toContain('-t HOST/NAME:TAG')
  })

  test('takes what another store has built, from where that one has written it', async () => {
    const place = join(directory, 'cache')
    const first = await run('build', '--no-cache', '--cache-to', `type=local,dest=${place},mode=max`, context)
    const other = join(directory, 'other', 'store')
    const there = async (...argv: string[]) => ply([...argv, '--root', other])
    expect((await there('load', join(directory, 'base.tar'))).code).toBe(0)
    const second = await there('build', '--cache-from', `type=local,src=${place}`, context)
    expect(second.out).toBe(first.out)
    expect(second.err).toContain('COPY --chown=app . . (cached')
    const unreachable = await there('build', '--cache-from', 'oci:/nowhere', '--no-cache-filter', 'none', context)
    expect(unreachable.code).toBe(0)
  })

  test('stores the image before it says that a cache could not be written', async () => {
    const { code, out, err } = await ply([
      'build',
      '-t',
      'kept:1',
      '--cache-to',
      `oci:${join(context, 'run.js')}`,
      context,
      '--root',
      root,
    ])
    expect(code).not.toBe(0)
    expect(out).toMatch(/^sha256:/)
    expect(err).toContain('run.js')
    await run('inspect', 'kept:1')
    const ignored = await ply([
      'build',
      '--cache-to',
      `type=local,dest=${join(context, 'run.js')},ignore-error=true`,
      context,
      '--root',
      root,
    ])
    expect(ignored.code, ignored.err).toBe(0)
    expect(ignored.err).toContain('could not be written')
  })

  test('says what is ignored where it is named, and what a context can be where there is none', async () => {
    const file = join(directory, 'Left')
    writeFileSync(file, 'FROM scratch\nCOPY notes.txt /\n')
    const left = await ply(['build', '-f', file, context, '--root', root])
    expect(left.err).toMatch(
      /notes.txt is not there to be copied; the list of what is ignored \(.dockerignore\) leaves it out/,
    )
    const { code, err } = await ply(['build', join(directory, 'nowhere'), '--root', root])
    expect(code).toBe(2)
    expect(err).toMatch(/there is no .*nowhere to build from: name a directory/)
  })

  test.each([
    ['--cache-to', 'type=local'],
    ['--cache-to', 'type=gha'],
    ['--cache-to', 'type=local,dest=x,mode=all'],
    ['--cache-from', 'type=registry'],
    ['--cache-from', 'type=local,dest=x'],
  ])('%s %s is an error that says what to write', async (flag, value) => {
    const { code, err } = await ply(['build', flag, value, context, '--root', root])
    expect(code).toBe(2)
    expect(err).toContain(`${flag} ${value}: `)
  })

  test('tells each step as an object a line, for programs', async () => {
    const { err } = await run('build', '--progress', 'json', '--no-cache', '-t', 'told:1', context)
    const told = err
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    const steps = told.flatMap(({ step }) => (step === undefined ? [] : [step]))
    expect(steps).toContainEqual({ stage: 'app', step: 4, steps: 4, text: 'COPY --chown=app . .', state: 'begun' })
    expect(steps.find(({ text, state }) => text.startsWith('COPY') && state === 'done')).toMatchObject({
      took: expect.any(Number),
      size: expect.any(Number),
    })
    expect(told.every((one) => Object.keys(one).length === 1)).toBe(true)
  })
})
