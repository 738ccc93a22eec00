import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { build } from '../../src/build/build.ts'
import { openContext } from '../../src/build/context/open-context.ts'
import { openStore, type Store } from '../../src/index.ts'
import { becomeNobody, becomeRoot, root, testIf } from '../support/ability.ts'
import { paxRecord, type RawMember, rawTar } from '../support/raw-tar.ts'
import { linesOf } from './table/built.ts'

let directory: string
let context: string
/** What is beside the context, and is neither read nor written. */
let before: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'ply-test-'))
  chmodSync(directory, 0o755)
  context = join(directory, 'context')
  mkdirSync(join(context, 'd'), { recursive: true })
  mkdirSync(join(directory, 'beside/in'), { recursive: true })
  writeFileSync(join(directory, 'beside/secret'), 'outside of the context')
  writeFileSync(join(directory, 'beside/in/secret'), 'outside of the context')
  before = witness(join(directory, 'beside'))
})
afterEach(() => {
  expect(witness(join(directory, 'beside'))).toBe(before)
  rmSync(directory, { recursive: true, force: true })
})

/** All of a directory as text: names, modes, owners, times of change and contents. */
function witness(path: string): string {
  const { mode, uid, gid, mtimeNs, ctimeNs } = lstatSync(path, { bigint: true })
  const about = [path, mode, uid, gid, mtimeNs, ctimeNs].join(' ')
  if (lstatSync(path).isDirectory())
    return [
      about,
      ...readdirSync(path)
        .sort()
        .map((name) => witness(join(path, name))),
    ].join('\n')
  return `${about} ${lstatSync(path).isSymbolicLink() ? readlinkSync(path) : readFileSync(path, 'latin1')}`
}

async function built(store: Store, dockerfile: string): Promise<readonly string[]> {
  writeFileSync(join(context, 'Dockerfile'), dockerfile)
  await using opened = await openContext(store, context)
  const { tree, file, ignored } = opened
  const image = await build(store, { dockerfile: opened.dockerfile, file, ignored, context: tree, epoch: 0 })
  const lines = await linesOf(store, image)
  expect(lines.join('\n')).not.toContain('outside of the context')
  return lines
}

describe('what leads out of a context', () => {
  const links = {
    relative: '../beside/secret',
    deep: '../../../../../../../../../../../../../etc/passwd',
    absolute: '@/beside/secret',
    directory: '../beside',
    self: '/proc/self/environ',
  }
  for (const [name, target] of Object.entries(links)) {
    test(`is a symlink that is copied as it is, and cannot be copied through (${name})`, async () => {
      await using store = await openStore(':memory:')
      const to = target.replace('@', directory)
      symlinkSync(to, join(context, 'd/l'))
      expect(await built(store, 'FROM scratch\nCOPY d /t\n')).toEqual(['/t/', `/t/l -> ${to}`])
      for (const instruction of [
        'COPY d/l /t',
        'COPY d/l/secret /t',
        'COPY d/l* /t/',
        'ADD d/l /t/',
        'COPY --parents d/l/secret /t/',
      ]) {
        const said = await built(store, `FROM scratch\n${instruction}\n`).catch((error: Error) => error)
        if (said instanceof Error) expect(said).toMatchObject({ code: 'PLY_BAD_DOCKERFILE', details: { line: 2 } })
        else expect(said.filter((line) => !line.endsWith('/'))).toEqual([])
      }
    })
  }

  for (const source of ['../beside/secret', 'd/../../beside/secret', '/../beside/secret', '../*', './/../beside']) {
    test(`is no source: ${source}`, async () => {
      await using store = await openStore(':memory:')
      for (const instruction of ['COPY', 'ADD', 'COPY --parents']) {
        await expect(built(store, `FROM scratch\n${instruction} ${source} /t/\n`)).rejects.toMatchObject({
          code: 'PLY_BAD_DOCKERFILE',
          details: { line: 2 },
          message: expect.stringContaining('outside of the context'),
        })
      }
    })
  }

  test('is no list of what is ignored', async () => {
    await using store = await openStore(':memory:')
    writeFileSync(join(context, 'd/f'), 'x')
    // The list outside would leave out all there is.
    writeFileSync(join(directory, 'list'), '*')
    symlinkSync('../list', join(context, '.dockerignore'))
    expect(await built(store, 'FROM scratch\nCOPY d /t\n')).toEqual(['/t/', '/t/f = x'])
  })

  test('is no target: symlinks of the image lead to the image', async () => {
    await using store = await openStore(':memory:')
    writeFileSync(join(context, 'd/f'), 'x')
    mkdirSync(join(context, 'links'))
    symlinkSync(join(directory, 'beside'), join(context, 'links/absolute'))
    symlinkSync('../../../../../../beside', join(context, 'links/up'))
    const lines = await built(
      store,
      'FROM scratch\nCOPY links /\nCOPY d/f /absolute/secret\nCOPY d/f /up/secret\nCOPY d /up/\nCOPY d/f ../../../../f\n',
    )
    expect(lines).toContain(`${directory}/beside/secret = x`)
    expect(lines).toContain('/beside/secret = x')
    expect(lines).toContain('/beside/f = x')
    expect(lines).toContain('/f = x')
  })
})

describe('an archive that ADD unpacks', () => {
  const added = async (members: readonly RawMember[], { compress = false } = {}) => {
    await using store = await openStore(':memory:')
    const tar = rawTar(members)
    writeFileSync(join(context, 'd/x.tar'), compress ? gzipSync(tar) : tar)
    return await built(store, 'FROM scratch\nADD d/x.tar /t/\n')
  }
  const outside = (error: unknown): readonly string[] => {
    expect(error).toMatchObject({ code: expect.stringMatching(/^PLY_/) })
    return []
  }

  for (const name of ['../f', '../../../../../../f', 'd/../../f', '/../f', 'a/../../../t2']) {
    test(`leads nowhere above its target: ${name}`, async () => {
      const lines = await added([{ name, content: 'x' }]).catch(outside)
      for (const line of lines) expect(line).toMatch(/^\/t\//)
    })
  }

  test('has absolute names below its target', async () => {
    expect(await added([{ name: '/etc/passwd', content: 'x' }])).toEqual(['/t/', '/t/etc/', '/t/etc/passwd = x'])
  })

  test('writes through no symlink of its own out of the image', async () => {
    const through = await added([
      { name: 'l', type: '2', link: join(directory, 'beside') },
      { name: 'l/secret', content: 'x' },
    ]).catch(outside)
    for (const line of through) expect(line).toMatch(/^\/t\//)
  })

  for (const link of ['../../beside/secret', '/etc/passwd', '../x', 'nothing']) {
    test(`has no hard link out of it: ${link}`, async () => {
      const lines = await added([{ name: 'h', type: '1', link }]).catch(outside)
      expect(lines.filter((line) => line.includes(' = '))).toEqual([])
    })
  }

  test('has symlinks that lead anywhere, as they are', async () => {
    expect(await added([{ name: 'l', type: '2', link: '/etc/passwd', mode: 0o777 }])).toEqual([
      '/t/',
      '/t/l -> /etc/passwd',
    ])
  })

  test('has devices in the layer, and makes none', async () => {
    expect(
      await added([
        { name: 'c', type: '3', major: 1, minor: 3 },
        { name: 'b', type: '4', major: 8, minor: 0 },
        { name: 'p', type: '6' },
      ]),
    ).toEqual(['/t/', '/t/b block 8,0', '/t/c character 1,3', '/t/p fifo'])
  })

  test('takes the last of several members of one name', async () => {
    const lines = await added([
      { name: 'f', content: 'first' },
      { name: 'f', type: '2', link: 'x', mode: 0o777 },
      { name: 'f', content: 'last' },
      { name: './f/', type: '5' },
      { name: 'f', content: 'at last' },
    ])
    expect(lines).toEqual(['/t/', '/t/f = at last'])
  })

  test('is refused where a header says more than there is', async () => {
    await expect(added([{ name: 'f', content: 'x', size: 1 << 30 }])).rejects.toMatchObject({ code: 'PLY_BAD_ARCHIVE' })
  })

  test('is not blown up by holes: a sparse file of a terabyte takes no terabyte', async () => {
    const fields = {
      'GNU.sparse.major': '1',
      'GNU.sparse.minor': '0',
      'GNU.sparse.name': 'f',
      'GNU.sparse.realsize': String(2 ** 40),
    }
    const map = `1\n${2 ** 40 - 1}\n1\n`.padEnd(512, '\0')
    await expect(added([paxRecord(fields), { name: 'GNUSparseFile/f', content: `${map}x` }])).rejects.toMatchObject({
      code: 'PLY_TOO_LARGE',
      message: expect.stringMatching(/holes/),
    })
  })

  test('is not blown up by what compresses well', async () => {
    const begun = process.memoryUsage().rss
    const zeros = Buffer.alloc(64 << 20)
    await using store = await openStore(join(directory, 'store'))
    writeFileSync(join(context, 'd/x.tar'), gzipSync(rawTar([{ name: 'f', content: zeros }])))
    writeFileSync(join(context, 'Dockerfile'), 'FROM scratch\nADD d/x.tar /t/\n')
    await using opened = await openContext(store, context)
    await build(store, { dockerfile: opened.dockerfile, context: opened.tree, epoch: 0 })
    expect(process.memoryUsage().rss - begun).toBeLessThan(512 << 20)
  })

  test('may have names that are no UTF-8', async () => {
    const lines = await added([{ name: Buffer.from([0x66, 0xff, 0xfe]), content: 'x' }])
    expect(lines).toHaveLength(2)
    expect(lines[1]).toMatch(/^\/t\/f.+ = x$/)
  })
})

describe('what is in a context', () => {
  test('may be a fifo, which nobody reads, and a device', async () => {
    await using store = await openStore(':memory:')
    execFileSync('mkfifo', [join(context, 'd/p')])
    if (root) execFileSync('mknod', [join(context, 'd/c'), 'c', '1', '3'])
    expect(await built(store, 'FROM scratch\nCOPY d /t\n')).toEqual([
      '/t/',
      ...(root ? ['/t/c character 1,3'] : []),
      '/t/p fifo',
    ])
  })

  test('may not be a socket, which the error names', async () => {
    await using store = await openStore(':memory:')
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(join(context, 'd/s'), resolve))
    try {
      await expect(built(store, 'FROM scratch\nCOPY d /t\n')).rejects.toMatchObject({
        code: 'PLY_UNREPRESENTABLE',
        message: expect.stringMatching(/s.*socket.*\.dockerignore/),
      })
    } finally {
      server.close()
    }
  })

  test('may have a name that is no UTF-8, which stays', async () => {
    await using store = await openStore(':memory:')
    const name = Buffer.concat([Buffer.from(join(context, 'd/')), Buffer.from([0x66, 0xff, 0xe9])])
    writeFileSync(name, 'x')
    writeFileSync(join(context, 'Dockerfile'), 'FROM scratch\nCOPY d /t\nCOPY d/f* /u/\n')
    await using opened = await openContext(store, context)
    const image = await build(store, { dockerfile: opened.dockerfile, context: opened.tree, epoch: 0 })
    const tree = await store.tree(image)
    for (const at of ['t', 'u'])
      expect([...tree.list(tree.lookup(tree.root, at)!)].map((entry) => entry.name)).toEqual(['f\xff\xe9'])
    tree.close()
  })

  testIf(root, 'becoming nobody takes root')(
    'may be closed to who builds, which is an error that names it',
    async () => {
      await using store = await openStore(':memory:')
      mkdirSync(join(context, 'd/closed'), { mode: 0o700 })
      writeFileSync(join(context, 'd/closed/f'), 'x')
      writeFileSync(join(context, 'file'), 'x', { mode: 0o600 })
      chownSync(context, 65534, 65534)
      becomeNobody()
      try {
        await expect(built(store, 'FROM scratch\nCOPY d /t\n')).rejects.toMatchObject({
          message: expect.stringMatching(/Dockerfile:2: COPY: .*d\/closed.*EACCES|EACCES.*d\/closed/),
        })
        await expect(built(store, 'FROM scratch\nCOPY file /t\n')).rejects.toMatchObject({
          message: expect.stringMatching(/Dockerfile:2: COPY: .*file.*EACCES|EACCES.*file/),
        })
        writeFileSync(join(context, '.dockerignore'), 'file\nd/closed\n')
        expect(await built(store, 'FROM scratch\nCOPY d /t\n')).toEqual(['/t/'])
      } finally {
        becomeRoot()
      }
    },
  )

  test('may be ten thousand files', async () => {
    await using store = await openStore(join(directory, 'store'))
    for (let at = 0; at < 50; at++) {
      mkdirSync(join(context, 'd', String(at)))
      for (let file = 0; file < 200; file++) writeFileSync(join(context, 'd', String(at), String(file)), '')
    }
    writeFileSync(join(context, 'Dockerfile'), 'FROM scratch\nCOPY d /t\n')
    await using opened = await openContext(store, context)
    const image = await build(store, { dockerfile: opened.dockerfile, context: opened.tree, epoch: 0 })
    const tree = await store.tree(image)
    const t = tree.lookup(tree.root, 't')!
    expect([...tree.list(t)].map(({ ino }) => [...tree.list(ino)].length)).toEqual(
      Array.from({ length: 50 }, () => 200),
    )
    tree.close()
  })
})
