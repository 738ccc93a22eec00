import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { ContentHash, emptyDigest } from '../../src/layer/content-hash.ts'
import { cleanName, join } from '../../src/layer/names.ts'
import { marks, unguarded, yes } from '../../src/layer/overlay-marks.ts'
import { decodeOverride, encodeOverride, overrideName } from '../../src/layer/override.ts'
import { Pace } from '../../src/model/pace.ts'
import { type Bytes, memoryBytes } from '../../src/stream/bytes.ts'

describe('U-03: owner, mode and type in an xattr, as the rootless tools share it', () => {
  const decoded = (text: string) => decodeOverride(Buffer.from(text, 'latin1'), 'a/b')

  test.each([
    ['0:0:0644:file', { uid: 0, gid: 0, mode: 0o644, kind: 'file', major: 0, minor: 0 }],
    ['12:345:1777:dir', { uid: 12, gid: 345, mode: 0o1777, kind: 'directory', major: 0, minor: 0 }],
    ['1:2:0777:symlink', { uid: 1, gid: 2, mode: 0o777, kind: 'symlink', major: 0, minor: 0 }],
    ['1:2:0600:pipe', { uid: 1, gid: 2, mode: 0o600, kind: 'fifo', major: 0, minor: 0 }],
    ['1:2:0600:socket', { uid: 1, gid: 2, mode: 0o600, kind: 'socket', major: 0, minor: 0 }],
    ['1:2:0600:block-8-17', { uid: 1, gid: 2, mode: 0o600, kind: 'block', major: 8, minor: 17 }],
    ['1:2:0007:char-10-229', { uid: 1, gid: 2, mode: 0o7, kind: 'character', major: 10, minor: 229 }],
  ] as const)('%s is written and read', (text, override) => {
    expect(encodeOverride(override).toString('latin1')).toBe(text)
    expect(decoded(text)).toEqual(override)
  })

  test('numbers of a device are written for devices alone', () => {
    const file = { uid: 1, gid: 2, mode: 0o600, kind: 'file', major: 8, minor: 17 } as const
    expect(encodeOverride(file).toString()).toBe('1:2:0600:file')
    expect(decoded('1:2:0600:file-8-17')).toEqual({ ...file, major: 0, minor: 0 })
  })

  test('what others write is read: no type, bits of a type in the mode, more behind the type', () => {
    const plain = { uid: 1, gid: 2, mode: 0o755, major: 0, minor: 0 }
    expect(decoded('1:2:755')).toEqual(plain)
    expect(decoded('1:2:755')).not.toHaveProperty('kind')
    expect(decoded('1:2:0100755')).toEqual(plain)
    expect(decoded('1:2:755:dir:later\nand more')).toEqual({ ...plain, kind: 'directory' })
    expect(decoded('1:2:600:block-8-17:later')).toMatchObject({ kind: 'block', major: 8, minor: 17 })
    expect(decoded('4294967295:4294967295:0:char-4294967295-4294967295')).toEqual({
      uid: 4294967295,
      gid: 4294967295,
      mode: 0,
      kind: 'character',
      major: 4294967295,
      minor: 4294967295,
    })
  })

  test.each([
    '',
    '1:2',
    'x1:2:755',
    'x:2:755',
    '1:x:755',
    '1:2:8',
    '1:2:755x',
    '1:2:755:',
    '1:2:755:unknown',
    '1:2:755:DIR',
    '4294967296:2:755',
    '1:4294967296:755',
    '1:2:600:block-4294967296-1',
    '1:2:600:char-1-4294967296',
    '1:2:600:block',
    '1:2:600:char-1',
    '1:2:600:char-x-1',
  ])('%j is refused, naming it and what it is on', (text) => {
    expect(() => decoded(text)).toThrow(
      expect.objectContaining({
        code: 'PLY_BAD_DOCUMENT',
        details: {
          what: 'user.containers.override_stat of a/b',
          reason: `${JSON.stringify(text)} is not uid:gid:mode:type`,
        },
      }),
    )
  })

  test('of a long text that is refused the beginning is told', () => {
    expect(() => decoded('y'.repeat(1000))).toThrow(
      expect.objectContaining({
        details: expect.objectContaining({ reason: `"${'y'.repeat(100)}" is not uid:gid:mode:type` }),
      }),
    )
  })
})

describe("overlayfs's marks, and what users call the same", () => {
  test('each namespace has its own, and ours stand beside them', () => {
    expect(yes.toString()).toBe('y')
    for (const space of ['trusted', 'user'] as const) {
      const { stored, shown, guarded, override, ...names } = marks[space]
      expect(names).toEqual({
        opaque: `${space}.overlay.opaque`,
        redirect: `${space}.overlay.redirect`,
        origin: `${space}.overlay.origin`,
        impure: `${space}.overlay.impure`,
        metacopy: `${space}.overlay.metacopy`,
        whiteout: `${space}.overlay.whiteout`,
        nlink: `${space}.overlay.nlink`,
        number: `${space}.overlay.plyfs.ino`,
        next: `${space}.overlay.plyfs.next`,
        blocks: `${space}.overlay.plyfs.blocks`,
        implied: `${space}.overlay.plyfs.implied`,
      })
    }
    expect(marks.user.override).toBe(overrideName)
    expect(marks.trusted.override).toBeUndefined()
  })

  test.each([
    ['trusted', 'file', 'user.a', 'user.a'],
    ['trusted', 'directory', 'user.a', 'user.a'],
    ['trusted', 'symlink', 'user.a', 'trusted.overlay.plyfs.xattr.user.a'],
    ['trusted', 'fifo', 'user.a', 'trusted.overlay.plyfs.xattr.user.a'],
    ['trusted', 'character', 'security.a.user.', 'security.a.user.'],
    ['trusted', 'symlink', 'trusted.a', 'trusted.a'],
    ['trusted', 'file', 'trusted.overlay.opaque', 'trusted.overlay.overlay.opaque'],
    ['trusted', 'file', 'trusted.overlay.overlay.opaque', 'trusted.overlay.overlay.overlay.opaque'],
    ['trusted', 'file', 'user.overlay.opaque', 'user.overlay.opaque'],
    ['trusted', 'file', 'user.containers.override_stat', 'user.containers.override_stat'],
    ['user', 'file', 'user.a', 'user.a'],
    ['user', 'symlink', 'user.a', 'user.a'],
    ['user', 'file', 'user.overlay.redirect', 'user.overlay.overlay.redirect'],
    ['user', 'file', 'trusted.overlay.redirect', 'trusted.overlay.redirect'],
    ['user', 'file', 'user.containers.override_stat', 'user.containers.override_user.containers.override_stat'],
    ['user', 'file', 'user.containers.other', 'user.containers.other'],
  ] as const)('D-10, X-08: in %s, on a %s, %s is kept as %s, and comes back', (space, kind, name, kept) => {
    expect(marks[space].stored(name, kind)).toBe(kept)
    expect(marks[space].shown(kept)).toBe(name)
  })

  test('marks are shown to nobody', () => {
    for (const space of ['trusted', 'user'] as const) {
      const { opaque, number, shown } = marks[space]
      expect([opaque, number, `${space}.overlay.unknown`].map((name) => shown(name))).toEqual([
        undefined,
        undefined,
        undefined,
      ])
    }
    expect(marks.user.shown(overrideName)).toBeUndefined()
    expect(marks.user.shown('a.user.overlay.opaque')).toBe('a.user.overlay.opaque')
    expect(marks.trusted.shown('trusted.overlay.plyfs.xattr.user.a')).toBe('user.a')
  })

  test('what only the privileged may set has another name where nobody is privileged', () => {
    const guard = 'user.containers.override_'
    for (const name of ['security.capability', 'trusted.a', 'system.posix_acl_access']) {
      expect(marks.user.guarded(name)).toBe(guard + name)
      expect(marks.trusted.guarded(name)).toBeUndefined()
      expect(unguarded(guard + name)).toBe(name)
    }
    for (const name of ['user.a', 'a.security.b', 'securityx.a']) expect(marks.user.guarded(name)).toBeUndefined()
    expect(unguarded('user.a')).toBe('user.a')
    expect(unguarded(`a.${guard}stat`)).toBe(`a.${guard}stat`)
    expect(unguarded(`${guard}stat`)).toBeUndefined()
    expect(unguarded(`${guard}x.security.a`)).toBeUndefined()
    expect(unguarded(`${guard + guard}stat`)).toBe(`${guard}stat`)
    expect(unguarded(`${guard}x${guard}`)).toBeUndefined()
  })
})

describe('the digest of content', () => {
  const pace = () => new Pace(undefined)
  const sha256 = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

  test('is that of all of its bytes, one hash after another, small ones and large ones', async () => {
    const hash = new ContentHash()
    for (const size of [1, 4096, 4097, 3, (1 << 18) - 1, 1 << 18, (1 << 18) + 1, 700_000, 5, 300_000]) {
      const bytes = Buffer.alloc(size, `${size} `)
      expect(await hash.of(memoryBytes(bytes), pace()), `${size} bytes`).toBe(sha256(bytes))
    }
    expect(await hash.of(memoryBytes(Buffer.alloc(0)), pace())).toBe(emptyDigest)
    expect(emptyDigest).toBe('sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
  })

  test('may be taken of several contents side by side', async () => {
    const hash = new ContentHash()
    const contents = [10, 300_000, 900_000, 4096].map((size) => Buffer.alloc(size, `${size}`))
    const digests = await Promise.all(contents.map((bytes) => hash.of(memoryBytes(bytes), pace())))
    expect(digests).toEqual(contents.map(sha256))
  })

  test('of content that is shorter than it says there is none', async () => {
    const short: Bytes = { size: 10, read: () => 9, close() {} }
    await expect(new ContentHash().of(short, pace())).rejects.toMatchObject({
      code: 'EIO',
      details: { syscall: 'read' },
    })
  })

  test('is given up when it is no longer wanted', async () => {
    const stop = new AbortController()
    const pace = new Pace(stop.signal)
    let reads = 0
    const endless: Bytes = { size: Number.MAX_SAFE_INTEGER, read: (into) => ++reads && into.length, close() {} }
    const hashing = new ContentHash().of(endless, pace)
    stop.abort()
    await expect(hashing).rejects.toMatchObject({ code: 'PLY_ABORTED' })
  })

  test('takes the memory of the content, or of one chunk', async () => {
    const asked: number[] = []
    const sized = (size: number): Bytes => ({
      size,
      read: (into) => asked.push(into.buffer.byteLength) && into.length,
      close() {},
    })
    const hash = new ContentHash()
    for (const size of [100, 4096, 4097, 100, 1 << 20]) await hash.of(sized(size), pace())
    const chunk = 1 << 18
    expect(asked).toEqual([4096, 4096, chunk, chunk, chunk, chunk, chunk, chunk])
  })
})

describe('names of an archive', () => {
  test.each([
    ['a', 'a'],
    ['./a', 'a'],
    ['a/', 'a'],
    ['./', ''],
    ['.', ''],
    ['/', ''],
    ['', ''],
    ['/a', 'a'],
    ['//a//b//', 'a/b'],
    ['a/./b/.', 'a/b'],
    ['.a/..b/c..', '.a/..b/c..'],
    ['.../a', '.../a'],
    ['././a', 'a'],
    ['.//a', 'a'],
  ])('N-01: %j is %j', (name, path) => {
    let cleaned = 0
    expect(cleanName(name, () => cleaned++)).toBe(path)
    expect(cleaned).toBe(0)
  })

  test.each([
    ['a/../b', 'b'],
    ['a/b/../../c', 'c'],
    ['a/..', ''],
    ['./a/../b/./', 'b'],
  ])('N-03: %j is %j, which is told', (name, path) => {
    let cleaned = 0
    expect(cleanName(name, () => cleaned++)).toBe(path)
    expect(cleaned).toBe(1)
    expect(cleanName(name)).toBe(path)
  })

  test.each(['..', '../a', 'a/../..', '/..', './..', 'a/../../b'])('N-02: %j leads out of the root', (name) => {
    expect(cleanName(name, () => expect.fail('it was cleaned'))).toBeUndefined()
  })

  test('a name in the root has no slash in front', () => {
    expect([join('', 'a'), join('a', 'b'), join('a/b', 'c')]).toEqual(['a', 'a/b', 'a/b/c'])
  })
})
