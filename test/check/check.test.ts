import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pack } from 'tar-stream'
import { beforeAll, describe, expect, test } from 'vitest'
import { checkImage, checkRules, pathPattern, ruleNames, SecretSearch } from '../../src/check/index.ts'
import { append, scratch } from '../../src/image/append.ts'
import { configure } from '../../src/image/configure.ts'
import type { Image } from '../../src/image/image.ts'
import { layerFromBlob } from '../../src/image/image-from-blobs.ts'
import { digestOf } from '../../src/model/digest.ts'
import { mediaTypes } from '../../src/model/documents.ts'
import { openStore } from '../../src/store/open-store.ts'
import { memoryBytes, streamOf } from '../../src/stream/bytes.ts'
import { ply, temporaryDirectory } from '../cli/run-ply.ts'

const directory = temporaryDirectory()
const root = join(directory, 'store')
const body = 'QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo=\n'.repeat(3)
const key = `-----BEGIN OPENSSH ${'PRIVATE'} KEY-----\n${body}-----END OPENSSH ${'PRIVATE'} KEY-----\n`
const token = `gh${'p'}_${'a1B2'.repeat(9)}`

type Member = string | { readonly content?: string; readonly mode?: number; readonly pax?: Record<string, string> }

async function appended(base: Image, members: Readonly<Record<string, Member>>): Promise<Image> {
  const archive = pack()
  for (const [name, member] of Object.entries(members)) {
    const { content = '', mode = 0o644, pax } = typeof member === 'string' ? { content: member } : member
    archive.entry({ name, mode, type: name.endsWith('/') ? 'directory' : 'file', ...(pax && { pax }) }, content)
  }
  archive.finalize()
  const chunks: Buffer[] = []
  for await (const chunk of archive) chunks.push(chunk as Buffer)
  const tar = Buffer.concat(chunks)
  const descriptor = { mediaType: mediaTypes.ociLayer, digest: digestOf(tar), size: tar.length }
  return append(
    base,
    layerFromBlob(descriptor, digestOf(tar), () => streamOf(memoryBytes(tar))),
    { created_by: 'RUN' },
  )
}

beforeAll(async () => {
  await using store = await openStore(root)
  const base = await appended(scratch, {
    'etc/passwd': 'root:x:0:0::/:\n',
    'usr/bin/passwd': { content: 'elf', mode: 0o4755 },
    'usr/bin/ping': {
      content: 'elf\0',
      mode: 0o755,
      pax: { 'SCHILY.xattr.security.capability': `\x01\0\0\x02${' \0'.repeat(8)}` },
    },
    'tmp/': { mode: 0o1777 },
    'srv/open': { content: 'x', mode: 0o666 },
    'srv/drop/': { mode: 0o777 },
    'root/.ssh/id': key,
    'opt/cache/big': 'x'.repeat(5000),
  })
  const top = await appended(base, {
    'root/.ssh/.wh.id': '',
    'opt/cache/big': 'y'.repeat(5000),
    'app/config.js': `// line\nx = '${token}'\n`,
  })
  const env = { PATH: '/bin', DB_PASSWORD: 'hunter2', KEY_FILE: '/run/key' }
  await store.write(configure(top, { env, labels: { a: 'b' } }), 'app:1')
  await store.write(await appended(scratch, { a: 'x' }), 'clean:1')
})

async function found(document: unknown, image = 'app:1'): Promise<string[]> {
  await using store = await openStore(root)
  const stack = await store.layers(image)
  try {
    const { findings } = await checkImage(stack, checkRules(document))
    return findings.map(({ rule, path = '', layer = '', line = '', ignored }) =>
      [rule, path, layer, line, ...(ignored === undefined ? [] : [`ignored ${ignored}`])]
        .filter((part) => part !== '')
        .join(' '),
    )
  } finally {
    stack.close()
  }
}

describe('rules', () => {
  test('find what is told of each, and nothing where nothing is wrong', async () => {
    expect(await found({ size: { image: 10, layer: '1KB', file: '4 KiB', contents: 10, layers: 1 } })).toEqual([
      'layers',
      'size-contents',
      'size-file /opt/cache/big 1',
      'size-image',
      'size-layer 0',
      'size-layer 1',
    ])
    expect(await found({ size: { image: '1GB', layer: '1GB', file: '1GiB', contents: 1e9, layers: 9 } })).toEqual([])
    expect(await found({ efficiency: { min: 0.99, dive: 0.99, wasted: 100 } })).toEqual([
      'efficiency',
      'efficiency-dive',
      'wasted',
    ])
    expect(await found({ efficiency: { min: 0.1, dive: 0.1, wasted: '1MB' } })).toEqual([])
    expect(
      await found({ paths: { forbidden: ['/root/**', '*.js', '/opt/cache'], required: ['/etc/passwd', '/etc/none'] } }),
    ).toEqual([
      'forbidden-path /app/config.js 1',
      'forbidden-path /opt/cache 0',
      'forbidden-path /root/.ssh 0',
      'missing-path',
    ])
    expect(await found({ paths: { forbidden: ['/root/.ssh/id'] } })).toEqual(['forbidden-path /root/.ssh/id 0'])
    expect(await found({ paths: { forbidden: ['/root/.ssh/id'], 'every-layer': false } })).toEqual([])
    expect(await found({ 'set-id': true, 'world-writable': true, capabilities: true })).toEqual([
      'capability /usr/bin/ping 0',
      'set-id /usr/bin/passwd 0',
      'world-writable /srv/drop 0',
      'world-writable /srv/open 0',
    ])
    expect(
      await found({
        'set-id': { allow: ['/usr/bin/passwd'] },
        'world-writable': { allow: ['/srv'] },
        capabilities: { allow: ['ping'] },
      }),
    ).toEqual([])
    expect(await found({ labels: ['a', 'org.example'] })).toEqual(['label'])
  })

  test('find secrets in files of every layer, in the config, and only once', async () => {
    expect(await found({ secrets: true })).toEqual([
      'secret /app/config.js 1 2',
      'secret /root/.ssh/id 0 1',
      'secret config.Env.DB_PASSWORD',
    ])
    expect(await found({ secrets: { layers: 'visible' } })).not.toContain('secret /root/.ssh/id 0 1')
    expect(await found({ secrets: { 'file-limit': 10, 'built-in': false } })).toEqual([
      'secret config.Env.DB_PASSWORD',
      'unscanned',
    ])
    expect(await found({ secrets: { 'built-in': false, patterns: { users: '^root:' }, allow: ['/app'] } })).toContain(
      'secret /etc/passwd 0 1',
    )
    expect(await found({ secrets: true }, 'clean:1')).toEqual([])
  })

  test('are ignored by rule and by path, with a reason', async () => {
    const ignore = [{ rule: 'secret', path: '/app/**', reason: 'a test key' }, { path: 'config.Env.DB_PASSWORD' }]
    expect(await found({ secrets: true, ignore })).toEqual([
      'secret /app/config.js 1 2 ignored a test key',
      'secret /root/.ssh/id 0 1',
      'secret config.Env.DB_PASSWORD ignored ',
    ])
  })

  const refused: readonly [unknown, string][] = [
    [[], 'the document is no table'],
    [{ sise: {} }, 'sise is not known here'],
    [{ size: { image: '12 parsecs' } }, 'size.image is no size'],
    [{ efficiency: { min: 95 } }, 'efficiency.min is a share'],
    [{ paths: { forbidden: 'x' } }, 'paths.forbidden is no list of texts'],
    [{ secrets: { patterns: { bad: '(' } } }, 'secrets.patterns.bad'],
    [{ severity: { nothing: 'error' } }, 'severity.nothing is no rule'],
    [{ severity: { secret: 'fatal' } }, 'severity.secret is none of error, warning'],
    [{ ignore: [{ reason: 'x' }] }, 'ignore[0] says neither rule nor path'],
  ]
  for (const [document, reason] of refused)
    test(`are refused where they mean nothing: ${reason}`, () => {
      expect(() => checkRules(document)).toThrow(reason)
    })
})

test('patterns of paths', () => {
  const cases: readonly [string, readonly string[], readonly string[]][] = [
    ['/etc/*.pem', ['etc/a.pem', 'etc/a.pem/in'], ['etc/x/a.pem', 'a.pem']],
    ['*.pem', ['a.pem', 'etc/x/a.pem'], ['a.pemx']],
    ['/etc/**/key', ['etc/key', 'etc/a/b/key'], ['etc/a/keys']],
    ['/var/cache/**', ['var/cache/a/b'], ['var/cache']],
    ['/var/cache', ['var/cache', 'var/cache/a'], ['var/cached']],
    ['id_[rd]sa', ['root/id_rsa'], ['root/id_xsa']],
    ['[!a]b', ['cb'], ['ab']],
    ['a?c', ['abc'], ['ac', 'a/c']],
  ]
  for (const [pattern, yes, no] of cases) {
    const matches = pathPattern(pattern)
    for (const path of yes) expect(matches(path), `${pattern} ${path}`).toBe(true)
    for (const path of no) expect(matches(path), `${pattern} ${path}`).toBe(false)
  }
})

test('kinds of secrets, and what only looks like one', () => {
  const search = new SecretSearch({ builtIn: true, patterns: {} })
  const kinds = (text: string) => [...search.in(text)].map(({ what }) => what)
  // In parts: those who look for secrets find this file otherwise.
  expect(kinds(`aws = AK${'IA'}Q3EGZ7WXYAB5CDEF`)).toEqual(['AWS access key'])
  expect(kinds(`AK${'IA'}IOSFODNN7EXAMPLE`)).toEqual([])
  expect(kinds(`glp${'at'}-${'x1'.repeat(10)}`)).toEqual(['GitLab token'])
  expect(kinds(`//r/:_auth${'Token'}=${'0a1b'.repeat(9)}`)).toEqual(['npm token'])
  expect(kinds(`sk_li${'ve'}_${'a1'.repeat(14)}`)).toEqual(['Stripe key'])
  expect(kinds(`{"auths": {"r.example": {"auth": "dXNlcjpwYXNzd29yZA=="}}}`)).toEqual(['registry password'])
  expect(kinds(key)).toEqual(['private key'])
  expect(kinds('-----BEGIN PRIVATE KEY-----')).toEqual([])
})

describe('ply check', () => {
  test('tells a line each, and says by its exit code whether the image passes', async () => {
    const rules = join(directory, 'rules.toml')
    writeFileSync(rules, '[severity]\nset-id = "warning"\n[set-id]\nallow = []\n[size]\nlayers = 9\n')
    const passed = await ply(['check', 'app:1', '--rules', rules, '--root', root])
    expect([passed.code, passed.out]).toEqual([
      0,
      'warning: set-id: /usr/bin/passwd (layer 0): runs as its owner or group: mode 4755, 0:0\n',
    ])
    expect(passed.err).toBe('passed: 0 errors, 1 warning, 0 ignored; 2 rules\n')
    const failed = await ply(['check', 'app:1', '--root', root])
    expect([failed.code, failed.out.split('\n')[0]]).toEqual([
      1,
      expect.stringMatching(/^error: secret: \/app\/config\.js \(layer 1, line 2\): GitHub token \(gh/),
    ])
    expect(failed.out).not.toContain(token)
    writeFileSync(join(directory, 'bad.json'), '{"size": {"imag": 1}}')
    const bad = await ply(['check', 'app:1', '--rules', join(directory, 'bad.json'), '--root', root])
    expect([bad.code, bad.err]).toEqual([2, expect.stringContaining('size.imag is not known here')])
  })

  test('SARIF has what the schema of 2.1.0 demands, and what is ignored as suppressed', async () => {
    const rules = join(directory, 'rules.json')
    writeFileSync(
      rules,
      JSON.stringify({ secrets: true, size: { layers: 1 }, ignore: [{ path: '/app', reason: 'known' }] }),
    )
    const { code, out } = await ply(['check', 'app:1', '--rules', rules, '--format', 'sarif', '--root', root])
    expect(code).toBe(1)
    const sarif = JSON.parse(out)
    expect(sarif).toMatchObject({ version: '2.1.0', $schema: expect.stringMatching(/sarif-2\.1\.0/) })
    expect(sarif.runs).toHaveLength(1)
    const [{ tool, results }] = sarif.runs
    expect(tool.driver.name).toBe('ply check')
    for (const rule of tool.driver.rules)
      expect([rule.id, typeof rule.shortDescription.text]).toEqual([expect.toBeOneOf([...ruleNames]), 'string'])
    for (const result of results) {
      expect(tool.driver.rules[result.ruleIndex].id).toBe(result.ruleId)
      expect(['error', 'warning']).toContain(result.level)
      expect(result.message.text).not.toBe('')
      const [{ physicalLocation }] = result.locations
      expect(() => new URL(physicalLocation.artifactLocation.uri, 'file:///x/')).not.toThrow()
      expect(physicalLocation.artifactLocation.uri).not.toMatch(/^\//)
      if (physicalLocation.region) expect(physicalLocation.region.startLine).toBeGreaterThan(0)
    }
    expect(results.find(({ suppressions }: { suppressions?: unknown }) => suppressions)).toMatchObject({
      ruleId: 'secret',
      suppressions: [{ kind: 'external', justification: 'known' }],
      locations: [{ physicalLocation: { artifactLocation: { uri: 'app/config.js' }, region: { startLine: 2 } } }],
    })
  })

  test('JUnit has a case for each rule, well formed, that fails or not', async () => {
    const { code, out } = await ply(['check', 'app:1', '--format', 'junit', '--root', root])
    expect(code).toBe(1)
    expect(out).toMatch(
      /^<\?xml version="1\.0" encoding="UTF-8"\?>\n<testsuites name="ply check" tests="2" failures="2" errors="0"/,
    )
    const open: string[] = []
    for (const [, close, name, empty] of out
      .replace(/<\?.*?\?>/, '')
      .matchAll(/<(\/?)([a-z-]+)(?: [\w-]+="[^"<]*")*(\/?)>/g)) {
      if (close) expect(open.pop()).toBe(name)
      else if (!empty) open.push(name!)
    }
    expect(open).toEqual([])
    expect(out.match(/<testcase [^>]*name="[^"]*"/g)).toHaveLength(2)
    expect(out).toContain('<failure message="3 findings" type="secret">')
  })
})
