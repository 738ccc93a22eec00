import { describe, expect, test } from 'vitest'
import { treeBelow } from '../../src/build/copy/tree-below.ts'
import { mountOf, type StepMount } from '../../src/build/program/step-mounts.ts'
import { scriptOf } from '../../src/build/run/scripts.ts'
import { changesSince, variableDigests } from '../../src/build/step-key.ts'
import { type Meaning, parseDockerfile } from '../../src/dockerfile/index.ts'
import { memoryUpper, plainLayer, union } from '../../src/index.ts'
import { encodeText } from '../../src/model/bytes.ts'

/** What RUN takes, before anything is run: that itself takes namespaces, and is tested where there are some. */

type Run = Extract<Meaning, { readonly is: 'run' }>

/** What the last step of a Dockerfile means. */
function lastRun(dockerfile: string): Run {
  const step = parseDockerfile(dockerfile).stages.at(-1)!.steps.at(-1)!
  expect(step.meaning.is).toBe('run')
  return step.meaning as Run
}

describe('the program of RUN', () => {
  const config = { Shell: ['/bin/bash', '-c'] }
  test.each<readonly [string, string, readonly string[], readonly { path: string; content: string }[]]>([
    ['a line is what the shell runs', 'RUN make all', ['/bin/bash', '-c', 'make all'], []],
    ['a list is a program and its arguments', 'RUN ["make", "all"]', ['make', 'all'], []],
    ['a heredoc alone is what the shell runs', 'RUN <<EOF\nmake\nEOF', ['/bin/bash', '-c', 'make\n'], []],
    [
      'a heredoc that names its program is a file that is run',
      "RUN <<'py'\n#!/usr/bin/python3\nprint(1)\npy",
      ['/dev/pipes/py'],
      [{ path: '/dev/pipes/py', content: '#!/usr/bin/python3\nprint(1)\n' }],
    ],
    [
      'a line with heredocs is for the shell with all that they say',
      'RUN cat <<one <<two\n1\none\n2\ntwo',
      ['/bin/bash', '-c', 'cat <<one <<two\n1\none\n2\ntwo'],
      [],
    ],
    ['a heredoc without its tabs', 'RUN <<-EOF\n\tmake\n\tEOF', ['/bin/bash', '-c', 'make\n'], []],
  ])('%s', (_, instruction, words, scripts) => {
    expect(scriptOf(lastRun(`FROM scratch\n${instruction}\n`), config)).toEqual({ words, scripts })
  })
})

describe('what a step sees beside its files', () => {
  test.each<readonly [string, StepMount]>([
    ['type=bind,target=/t,source=/s,from=other', { type: 'bind', target: '/t', source: '/s', from: 'other' }],
    ['type=bind,target=/t,rw', { type: 'bind', target: '/t', writable: true }],
    [
      'type=cache,target=/c,id=i,sharing=locked,uid=7,gid=8,mode=0700',
      { type: 'cache', target: '/c', id: 'i', sharing: 'locked', uid: 7, gid: 8, mode: 0o700 },
    ],
    ['type=cache,target=/c', { type: 'cache', target: '/c' }],
    ['type=tmpfs,target=/t,size=1048576', { type: 'tmpfs', target: '/t', size: 1 << 20 }],
    ['type=secret,id=s,target=/t,required=true', { type: 'secret', id: 's', target: '/t', required: true }],
    ['type=secret,id=s,env=E', { type: 'secret', id: 's', env: 'E' }],
    ['type=ssh,id=a', { type: 'ssh', id: 'a' }],
  ])('a program says it as RUN --mount=%s does', (text, mount) => {
    const [parsed] = lastRun(`FROM scratch AS other\nFROM scratch\nRUN --mount=${text} x\n`).mounts
    // A number is said in digits, and which of them do not matter.
    const plain = (value: unknown) => JSON.parse(JSON.stringify(value).replace('"0700"', '"700"'))
    expect(texts(plain(mountOf(mount, String)))).toEqual(texts(plain(parsed)))
  })
})

/** A mount without where its words stand in a Dockerfile. */
function texts(mount: Record<string, unknown>): Record<string, unknown> {
  const said = ([name, value]: [string, unknown]) => [
    name,
    typeof value === 'object' && value !== null ? textOf(value as Record<string, unknown>) : value,
  ]
  return Object.fromEntries(Object.entries(mount).map((entry) => said(entry)))
}

function textOf(word: Record<string, unknown>): unknown {
  return word.text ?? word
}

describe('why a step is done again', () => {
  const inputs = { environment: variableDigests(['A=1', 'B=2']), command: 'make', mounts: '[]' }
  test.each<readonly [string, Readonly<Record<string, string>>, string]>([
    ['a variable', { ...inputs, environment: variableDigests(['A=2', 'B=2']) }, 'changed: its variable A'],
    ['several, also new ones', { ...inputs, environment: variableDigests(['C=1']) }, 'changed: its variables C A B'],
    ['their order', { ...inputs, environment: variableDigests(['B=2', 'A=1']) }, 'changed: the order of its variables'],
    ['a record of another kind', { ...inputs, environment: 'A=1' }, 'changed: its variables A B'],
    ['the command and more', { ...inputs, command: 'x', mounts: 'y' }, 'changed: the command, what is mounted for it'],
  ])('is said of %s', (_, last, said) => {
    expect(changesSince(last, inputs)).toBe(said)
  })

  test('says no value of a variable', () => {
    expect(variableDigests(['TOKEN=secret'])).not.toContain('secret')
  })
})

describe('what is mounted from a tree', () => {
  const tree = union([plainLayer({ '/': { directory: true }, 'd/f': 'content', 'd/e/g': 'more' })], memoryUpper())
  const find = (...names: string[]) => names.reduce((ino, name) => tree.lookup(ino, encodeText(name))!, tree.root)

  test('is what is under a directory, which has nothing above it', () => {
    const below = treeBelow(tree, find('d'))
    expect([...below.list(below.root)].map(({ name }) => name).sort()).toEqual(['e', 'f'])
    const inner = below.lookup(below.root, encodeText('e'))!
    expect([below.parent(below.root), below.parent(inner)]).toEqual([below.root, below.root])
    expect(below.stat(inner).kind).toBe('directory')
    below.close()
    expect(tree.stat(find('d', 'f')).size).toBe(7)
  })

  test('is a file alone in a directory, with one name, whatever it was called', () => {
    const below = treeBelow(tree, find('d', 'f'))
    const [only, ...others] = below.list(below.root)
    expect([only, others]).toEqual([{ name: treeBelow.onlyName, ino: find('d', 'f'), kind: 'file' }, []])
    expect(below.stat(below.root)).toMatchObject({ kind: 'directory', links: 2 })
    expect(below.stat(only!.ino)).toMatchObject({ kind: 'file', size: 7, links: 1 })
    expect(below.lookup(below.root, encodeText('f'))).toBeUndefined()
    expect(below.lookup(below.root, encodeText(treeBelow.onlyName))).toBe(only!.ino)
    expect(below.parent(below.root)).toBe(below.root)
    expect([...below.xattrs(below.root)]).toEqual([])
    for (const act of ['lookup', 'list', 'parent'] as const)
      expect(() => below[act](only!.ino, encodeText('x'))).toThrow('ENOTDIR')
  })
})
