import { describe, expect, test } from 'vitest'
import { contentOf, type Meaning, parseDockerfile, stageNamed, targetOf } from '../../src/dockerfile/index.ts'

const parsed = (text: string) => parseDockerfile(text, 'Dockerfile')
/** What the steps behind `FROM scratch` mean. */
const meanings = (text: string): Meaning[] =>
  parsed(`FROM scratch\n${text}`).stages[0]!.steps.map(({ meaning }) => meaning)
const only = (text: string): Meaning => {
  const all = meanings(text)
  expect(all).toHaveLength(1)
  return all[0]!
}
const shell = (line: string) => ({ form: 'shell', line })
const exec = (...words: string[]) => ({ form: 'exec', words })

describe('an instruction', () => {
  for (const [text, meaning] of [
    ['RUN echo hi', { is: 'run', command: shell('echo hi'), mounts: [], network: 'default', security: 'sandbox' }],
    ['run echo hi', { is: 'run', command: shell('echo hi') }],
    ['  RUN   echo   hi  ', { is: 'run', command: shell('echo   hi') }],
    ['RUN ["a", "b c"]', { is: 'run', command: exec('a', 'b c') }],
    ["RUN ['a', 'b']", { is: 'run', command: shell("['a', 'b']") }],
    ['RUN [ -f x ] && y', { is: 'run', command: shell('[ -f x ] && y') }],
    ['RUN a \\\n  b', { is: 'run', command: shell('a   b') }],
    ['RUN a \\\n# nothing\n  b', { is: 'run', command: shell('a   b') }],
    ['RUN a \\\n   # nothing \\\n\n  b', { is: 'run', command: shell('a   b') }],
    ['RUN a \\  \n b', { is: 'run', command: shell('a  b') }],
    ['RUN echo "# no comment"', { is: 'run', command: shell('echo "# no comment"') }],
    ['RUN echo a # no comment', { is: 'run', command: shell('echo a # no comment') }],
    ['RUN --network=none true', { is: 'run', network: 'none', command: shell('true') }],
    ['RUN --network=host --security=insecure true', { is: 'run', network: 'host', security: 'insecure' }],
    ['RUN -- true', { is: 'run', command: shell('true') }],
    [
      'RUN --mount=type=cache,target=/c,sharing=locked,id=x,mode=0700,uid=5 --mount=target=/b,from=a,src=/s,rw x',
      {
        is: 'run',
        mounts: [
          {
            type: 'cache',
            target: '/c',
            sharing: 'locked',
            id: 'x',
            mode: '0700',
            uid: '5',
            readOnly: false,
            required: false,
          },
          { type: 'bind', target: '/b', from: 'a', source: '/s', readOnly: false, required: false },
        ],
      },
    ],
    ['RUN --mount=dst=/b x', { is: 'run', mounts: [{ type: 'bind', target: '/b', readOnly: true, required: false }] }],
    [
      'RUN --mount=type=secret,id=k,env=K,required x',
      { is: 'run', mounts: [{ type: 'secret', id: 'k', env: 'K', required: true }] },
    ],
    ['RUN --mount=type=ssh x', { is: 'run', mounts: [{ type: 'ssh', required: false }] }],
    [
      'RUN --mount=type=tmpfs,target=/t,size=1g x',
      { is: 'run', mounts: [{ type: 'tmpfs', target: '/t', size: '1g' }] },
    ],
    ['RUN --mount=type=bind,\\"target=/a,b\\" x', { is: 'run', mounts: [{ target: '/a,b' }] }],
    [
      'RUN <<EOF\na\n b\nEOF',
      { is: 'run', command: shell('<<EOF'), heredocs: [{ name: 'EOF', content: 'a\n b\n', expand: true }] },
    ],
    [
      'RUN <<"EOF" python\nFROM x\nEOF',
      { is: 'run', command: shell('<<"EOF" python'), heredocs: [{ name: 'EOF', content: 'FROM x\n', expand: false }] },
    ],
    ['RUN cat 3<<EOF\na\nEOF', { is: 'run', heredocs: [{ descriptor: 3, content: 'a\n' }] }],
    ['RUN echo "<<EOF"', { is: 'run', command: shell('echo "<<EOF"'), heredocs: [] }],
    ['RUN echo $((1<<2))', { is: 'run', heredocs: [] }],
    ['COPY a b', { is: 'copy', sources: ['a'], target: 'b', link: false, parents: false, excludes: [], inline: [] }],
    ['COPY a b /c/', { is: 'copy', sources: ['a', 'b'], target: '/c/' }],
    ['COPY ["a b", "c"]', { is: 'copy', sources: ['a b'], target: 'c' }],
    ['COPY a b $DIR', { is: 'copy', sources: ['a', 'b'], target: '$DIR' }],
    [
      'COPY --from=x --chown=a:b --chmod=u=rwX,go=rX --link --parents a b',
      { is: 'copy', from: 'x', chown: 'a:b', chmod: 'u=rwX,go=rX', link: true, parents: true },
    ],
    ['COPY --link=false a b', { is: 'copy', link: false }],
    ['COPY --exclude=*.a --exclude=b a b', { is: 'copy', excludes: ['*.a', 'b'] }],
    ['COPY --chown="a b" a b', { is: 'copy', chown: 'a b' }],
    [
      'COPY <<A <<-B c /d/\none $X\nA\n\ttwo\n\tB',
      {
        is: 'copy',
        sources: ['c'],
        target: '/d/',
        inline: [
          { name: 'A', content: 'one $X\n' },
          { name: 'B', content: '\ttwo\n', chomp: true },
        ],
      },
    ],
    [
      'ADD --checksum=sha256:x --keep-git-dir=true --unpack=false a b',
      { is: 'add', checksum: 'sha256:x', keepGitDirectory: true, unpack: false },
    ],
    ['ADD a b', { is: 'add', sources: ['a'], target: 'b', keepGitDirectory: false }],
    ['ARG A', { is: 'arg', args: [{ name: 'A' }] }],
    [
      'ARG A=1 B="x y" C',
      { is: 'arg', args: [{ name: 'A', value: '1' }, { name: 'B', value: '"x y"' }, { name: 'C' }] },
    ],
    [
      'ENV a=1 b="x y" c=\'z z\' d=e\\ f',
      {
        is: 'env',
        spaced: false,
        pairs: [
          { name: 'a', value: '1' },
          { name: 'b', value: '"x y"' },
          { name: 'c', value: "'z z'" },
          { name: 'd', value: 'e\\ f' },
        ],
      },
    ],
    ['ENV a b  c', { is: 'env', spaced: true, pairs: [{ name: 'a', value: 'b  c' }] }],
    [
      'LABEL "a.b"="c d" e=',
      {
        is: 'label',
        pairs: [
          { name: '"a.b"', value: '"c d"' },
          { name: 'e', value: '' },
        ],
      },
    ],
    ['CMD a b', { is: 'cmd', command: shell('a b') }],
    ['CMD []', { is: 'cmd', command: exec() }],
    ['ENTRYPOINT ["a"]', { is: 'entrypoint', command: exec('a') }],
    ['SHELL ["/bin/bash", "-c"]', { is: 'shell', words: ['/bin/bash', '-c'] }],
    ['USER a:b', { is: 'user', text: 'a:b' }],
    ['WORKDIR a b', { is: 'workdir', text: 'a b' }],
    ['STOPSIGNAL SIGINT', { is: 'stopsignal', text: 'SIGINT' }],
    ['MAINTAINER A B <a@b>', { is: 'maintainer', text: 'A B <a@b>' }],
    ['EXPOSE 80 53/udp 8000-8010', { is: 'expose', words: ['80', '53/udp', '8000-8010'] }],
    ['VOLUME /a /b', { is: 'volume', words: ['/a', '/b'] }],
    ['VOLUME ["/a b"]', { is: 'volume', words: ['/a b'] }],
    ['HEALTHCHECK NONE', { is: 'healthcheck', check: { none: true } }],
    ['HEALTHCHECK CMD a b', { is: 'healthcheck', check: { none: false, command: shell('a b') } }],
    [
      'HEALTHCHECK --interval=1m30s --timeout=500ms --start-period=0 --start-interval=1.5s --retries=3 CMD ["a"]',
      {
        is: 'healthcheck',
        check: { interval: 90e9, timeout: 5e8, startPeriod: 0, startInterval: 1.5e9, retries: 3, command: exec('a') },
      },
    ],
    [
      'ONBUILD RUN --network=none a',
      {
        is: 'onbuild',
        text: 'RUN --network=none a',
        step: { meaning: { is: 'run', network: 'none', command: shell('a') } },
      },
    ],
    ['ONBUILD COPY --from=x a b', { is: 'onbuild', step: { meaning: { is: 'copy', from: 'x', sources: ['a'] } } }],
  ] as const) {
    test(`${JSON.stringify(text)} means ${meaning.is}`, () => {
      expect(only(text)).toMatchObject(meaning)
    })
  }
})

describe('what cannot be read', () => {
  for (const [text, line, why] of [
    ['', 1, /there is no FROM/],
    ['RUN a', 1, /in front of the first FROM/],
    ['FROM a\nRUM b', 2, /no instruction RUM; did you mean RUN\?/],
    ['FROM a\nCPOY b c', 2, /did you mean COPY\?/],
    ['FROM a\nRUN', 2, /wants an argument/],
    ['FROM', 1, /wants an argument/],
    ['FROM a b', 1, /FROM IMAGE \[AS NAME\]/],
    ['FROM a AS', 1, /FROM IMAGE \[AS NAME\]/],
    ['FROM a AS 1x', 1, /cannot be called 1x/],
    ['FROM --platfrom=x a', 1, /no flag --platfrom; did you mean --platform\?/],
    ['FROM a\nCOPY --form=x a b', 2, /did you mean --from\?/],
    ['FROM a\nCOPY --from=a --from=b c d', 2, /--from stands there twice/],
    ['FROM a\nCOPY --from c d', 2, /--from wants a value/],
    ['FROM a\nCOPY --link=perhaps c d', 2, /true or false, not perhaps/],
    ['FROM a\nCOPY a', 2, /something to copy, and where to/],
    ['FROM a\nCOPY ["a", 1]', 2, /strings only/],
    ['FROM a\nENV', 2, /wants an argument/],
    ['FROM a\nENV a', 2, /wants a value/],
    ['FROM a\nENV a=b c', 2, /no = in c/],
    ['FROM a\nENV =b', 2, /no name in =b/],
    ['FROM a\nARG =b', 2, /no name in =b/],
    ['FROM a\nSHELL bash', 2, /array in JSON/],
    ['FROM a\nSHELL []', 2, /array in JSON/],
    ['FROM a\nUSER --x a', 2, /no flag --x/],
    ['FROM a\nHEALTHCHECK', 2, /wants an argument/],
    ['FROM a\nHEALTHCHECK NONE x', 2, /NONE takes nothing/],
    ['FROM a\nHEALTHCHECK CMD', 2, /wants a command/],
    ['FROM a\nHEALTHCHECK RUN x', 2, /NONE, or CMD/],
    ['FROM a\nHEALTHCHECK --interval=5 CMD x', 2, /5 is no duration/],
    ['FROM a\nHEALTHCHECK --interval=5ns CMD x', 2, /1ms at least/],
    ['FROM a\nHEALTHCHECK --retries=x CMD x', 2, /retries is a number/],
    ['FROM a\nONBUILD ONBUILD RUN x', 2, /ONBUILD ONBUILD/],
    ['FROM a\nONBUILD FROM x', 2, /FROM cannot wait/],
    ['FROM a\nONBUILD FOO x', 2, /no instruction FOO/],
    ['FROM a\nRUN --mount=type=cash,target=/x y', 2, /no mount of type cash.*did you mean cache\?/],
    ['FROM a\nRUN --mount=type=cache,targt=/x y', 2, /no targt; did you mean target\?/],
    ['FROM a\nRUN --mount=type=cache y', 2, /wants a target/],
    ['FROM a\nRUN --mount=type=cache,target=/x,sharing=mine y', 2, /sharing is/],
    ['FROM a\nRUN --mount=type=cache,target=/x,mode=9 y', 2, /not octal/],
    ['FROM a\nRUN --network=bridge y', 2, /not bridge/],
    ['FROM a\nRUN <<EOF\nx', 2, /the heredoc EOF has no end/],
    ['# escape=x\nFROM a', 1, /a backslash or a backtick/],
    ['# syntax=a\n# syntax=b\nFROM a', 2, /stands here twice/],
    ['# check=foo=1\nFROM a', 1, /check takes/],
  ] as const) {
    test(`${JSON.stringify(text)} is refused, and names the line`, () => {
      expect(() => parsed(text)).toThrow(
        expect.objectContaining({
          code: 'PLY_BAD_DOCKERFILE',
          message: expect.stringMatching(why),
          details: expect.objectContaining({ file: 'Dockerfile', line }),
        }),
      )
    })
  }
})

describe('a Dockerfile', () => {
  test('has directives in front of everything, and nowhere else', () => {
    expect(parsed('# syntax=docker/dockerfile:1\n# escape=`\n# check=skip=A, B;error=true\nFROM a').directives).toEqual(
      {
        syntax: 'docker/dockerfile:1',
        escapeToken: '`',
        skippedChecks: ['a', 'b'],
        experimentalChecks: [],
        checksFail: true,
      },
    )
    for (const text of ['# a comment\n# escape=`\nFROM a', '\n# escape=`\nFROM a', 'FROM a\n# escape=`'])
      expect(parsed(text).directives.escapeToken).toBe('\\')
  })

  test('goes on in the next line by a backtick where it says so, and a backslash means nothing', () => {
    const { stages } = parsed('# escape=`\nFROM a\nCOPY a `\n b c:\\dir\\\nRUN x')
    expect(stages[0]!.steps.map(({ meaning }) => meaning.is)).toEqual(['copy', 'run'])
    expect(stages[0]!.steps[0]!.meaning).toMatchObject({ sources: ['a', 'b'] })
  })

  test('ends a line with two escapes, which are one that is meant', () => {
    const { stages } = parsed('FROM a\nRUN echo \\\\\nRUN b')
    expect(stages[0]!.steps.map(({ instruction }) => instruction.rest)).toEqual(['echo \\\\', 'b'])
  })

  test('is read with line ends of Windows and a mark of the byte order', () => {
    const { stages } = parsed('\ufeffFROM a\r\nRUN b \\\r\n  c\r\nCOPY <<E /x\r\nhi\r\nE\r\n')
    expect(stages[0]!.steps.map(({ meaning }) => meaning)).toMatchObject([
      { command: shell('b   c') },
      { inline: [{ content: 'hi\n' }] },
    ])
  })

  test('has stages by name and by number; of two with one name the later counts', () => {
    const { stages } = parsed('ARG V=1\nFROM a AS One\nRUN x\nFROM b\nFROM c AS one\nFROM One')
    expect(stages.map(({ number, name }) => [number, name])).toEqual([
      [0, 'one'],
      [1, undefined],
      [2, 'one'],
      [3, undefined],
    ])
    expect(stageNamed(stages, 'ONE')?.number).toBe(2)
    expect(stageNamed(stages, 'one', 2)?.number).toBe(0)
    expect(stageNamed(stages, '1')?.number).toBe(1)
    expect(stageNamed(stages, '3', 3)).toBeUndefined()
    expect(stageNamed(stages, 'two')).toBeUndefined()
  })

  test('is built up to its last stage, or to the one that is wanted', () => {
    const dockerfile = parsed('FROM a AS build\nFROM b AS test\nFROM c')
    expect(targetOf(dockerfile).number).toBe(2)
    expect(targetOf(dockerfile, 'Build').number).toBe(0)
    expect(() => targetOf(dockerfile, 'biuld')).toThrow(/no stage biuld; did you mean build\?/)
  })

  test('says of each instruction where it stands, and what is written above it', () => {
    const { stages } = parsed('FROM a\n\n# first\n# second\nRUN a \\\n b\nCOPY <<E /x\n1\nE\n')
    expect(
      stages[0]!.steps.map(({ instruction: { line, endLine, source, comments } }) => ({
        line,
        endLine,
        source,
        comments,
      })),
    ).toEqual([
      { line: 5, endLine: 6, source: 'RUN a \\\n b', comments: ['first', 'second'] },
      { line: 7, endLine: 9, source: 'COPY <<E /x\n1\nE', comments: [] },
    ])
  })

  test('takes the tabs from the lines of a heredoc with a dash only', () => {
    const [step] = meanings('COPY <<-E <<F /x/\n\t\ta\n\tE\n\tb\nF')
    expect(step!.is === 'copy' && step!.inline.map(contentOf)).toEqual(['a\n', '\tb\n'])
  })

  test('of a hundred thousand lines is read in one go', () => {
    const { stages } = parsed(`FROM a\n${'ENV a=b\n'.repeat(100_000)}`)
    expect(stages[0]!.steps).toHaveLength(100_000)
  })
})
