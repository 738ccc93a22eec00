import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { PlyError } from '../../src/model/errors.ts'
import { IdMapping } from '../../src/model/id-mapping.ts'
import { Endings, servedUntilTold } from '../../src/mount/ending.ts'
import { usersOf, usersText } from '../../src/mount/in-use.ts'
import { rangesOf, shiftOf, shownOwners } from '../../src/mount/owner-ranges.ts'
import { mountTarget, namedTarget } from '../../src/mount/target.ts'
import { usersMayAllowOther } from '../../src/sys/fuse-connections.ts'
import { isMountOfPly, mountAt, mountTable } from '../../src/sys/mount-table.ts'
import { movedAbove, receiveDescriptor, socketPair } from '../../src/sys/unix-socket.ts'
import { temporary } from '../support/temporary.ts'

describe('the directory of a mount', () => {
  test('is found through symlinks, and is neither in a store nor holds one, nor this program', async () => {
    const place = temporary()
    for (const name of ['store/in', 'deep/store', 'mnt']) mkdirSync(join(place, name), { recursive: true })
    symlinkSync('mnt', join(place, 'link'))
    writeFileSync(join(place, 'file'), '')
    const stores = [join(place, 'store'), join(place, 'deep/store')]
    expect(await mountTarget(join(place, 'link'), stores)).toBe(join(place, 'mnt'))
    for (const [name, code] of [
      ['store', 'PLY_USAGE'],
      ['store/in', 'PLY_USAGE'],
      ['deep', 'PLY_USAGE'],
    ] as const)
      await expect(mountTarget(join(place, name), stores), name).rejects.toMatchObject({ code })
    await expect(mountTarget(import.meta.dirname.replace(/\/test\/mount$/, ''), [])).rejects.toThrow(
      /holds the program/,
    )
    await expect(mountTarget('/', [])).rejects.toMatchObject({ code: 'PLY_USAGE' })
  })

  test('is there already: what is none is told apart, with what to do', async () => {
    const place = temporary()
    writeFileSync(join(place, 'file'), '')
    symlinkSync('nowhere', join(place, 'dangling'))
    symlinkSync('round', join(place, 'round'))
    for (const [name, reason] of [
      ['missing', `there is no such directory; make it first: mkdir -p ${join(place, 'missing')}`],
      ['missing/below', `there is no such directory; make it first: mkdir -p ${join(place, 'missing/below')}`],
      ['file', 'it is no directory; name one'],
      ['file/below', 'it is no directory; name one'],
      ['dangling', 'it is a symlink to nowhere, which is not there; make that first, or name another directory'],
      ['round', 'its symlinks lead nowhere'],
    ] as const)
      await expect(mountTarget(join(place, name), []), name).rejects.toMatchObject({
        code: 'PLY_MOUNT_TARGET',
        message: `nothing can be mounted on ${join(place, name)}: ${reason}`,
      })
    await expect(mountTarget('', [])).rejects.toMatchObject({ code: 'PLY_USAGE' })
  })

  test('is named without touching what is mounted there', () => {
    const place = temporary()
    mkdirSync(join(place, 'mnt'))
    symlinkSync('mnt', join(place, 'link'))
    expect(namedTarget(join(place, 'link/'))).toBe(join(place, 'mnt'))
    expect(namedTarget(join(place, 'missing'))).toBe(join(place, 'missing'))
    expect(namedTarget('/proc')).toBe('/proc')
  })
})

test('the table of mounts knows what is mounted where, and what of it is ours', () => {
  const table = mountTable()
  expect(mountAt('/proc', table)).toMatchObject({ type: 'proc', target: '/proc' })
  expect(mountAt('/proc/self', table)).toBeUndefined()
  const line = { id: 1, major: 0, minor: 1, target: '/mnt', type: 'overlay', source: 'ply:1234', options: 'ro' }
  expect([line, { ...line, source: 'plymouth' }, { ...line, type: 'fuse.ply', source: 'x' }].map(isMountOfPly)).toEqual(
    [true, false, true],
  )
})

test('whoever stands in a directory or has something open there is found', () => {
  const place = temporary()
  writeFileSync(join(place, 'file'), '')
  expect(usersOf(place)).toEqual([])
  expect(usersText([])).toMatch(/cannot be seen/)
  const many = Array.from({ length: 7 }, (_, at) => ({ pid: at, command: 'sh' }))
  expect(usersText(many)).toBe('sh (0), sh (1), sh (2), sh (3), sh (4) and 2 more')
})

test('owners go to another thread and come back as they were', () => {
  const shift = { uids: IdMapping.parse('0:1000:1,5:7:3'), outside: { uid: 1, gid: 2 } }
  const back = shiftOf(JSON.parse(JSON.stringify(rangesOf(shift))))
  expect([0, 1, 5, 8].map((id) => back.uids!.get(id))).toEqual([1000, undefined, 7, undefined])
  expect(back).toMatchObject({ outside: { uid: 1, gid: 2 } })
  expect(shownOwners({ gids: IdMapping.parse('0:5:1') })).toMatchObject({ outside: { uid: 65534, gid: 65534 } })
})

test('other users are let in by ordinary ones only where fuse.conf says so on a line of its own', () => {
  const path = join(temporary(), 'fuse.conf')
  expect(usersMayAllowOther(path)).toBe(false)
  writeFileSync(path, '# user_allow_other\nmount_max = 1000\n')
  expect(usersMayAllowOther(path)).toBe(false)
  writeFileSync(path, 'mount_max = 1000\nuser_allow_other\n')
  expect(usersMayAllowOther(path)).toBe(true)
})

test('a socket says whether a descriptor has come, and can be moved above another one', async () => {
  const { closeSync } = await import('node:fs')
  const [mine, theirs] = socketPair()
  expect(receiveDescriptor(mine)).toBeUndefined()
  const moved = movedAbove(mine, theirs)
  expect(moved).toBeGreaterThan(theirs)
  expect(movedAbove(moved, theirs)).toBe(moved)
  closeSync(theirs)
  expect(receiveDescriptor(moved)).toBe('closed')
  closeSync(moved)
})

describe('a served mount that is told to end', () => {
  /** A mount that somebody is in until `left` is called. */
  function busyMount() {
    const calls: string[] = []
    let left = () => {}
    const ended = new Promise<void>((resolve) => {
      left = resolve
    })
    const unmount = async ({ detach = false, force = false } = {}) => {
      calls.push(force ? 'force' : detach ? 'detach' : 'unmount')
      if (!detach && !force) throw new PlyError('PLY_MOUNT_BUSY', { target: '/mnt', who: 'sh (1)', advice: '' })
      if (force) left()
      await ended
    }
    return { calls, mount: { ended, unmount }, left }
  }
  const told = (...signals: (NodeJS.Signals | Promise<NodeJS.Signals>)[]): Pick<Endings, 'next'> => ({
    next: () => Promise.resolve(signals.shift() ?? new Promise<NodeJS.Signals>(() => {})),
  })

  test('goes on without its name for who is still in it', async () => {
    const { calls, mount, left } = busyMount()
    const said: string[] = []
    const served = servedUntilTold(mount, told('SIGTERM'), { busy: (error) => said.push(error.message) })
    await sleep(10)
    expect(calls).toEqual(['unmount', 'detach'])
    expect(said[0]).toMatch(/sh \(1\)/)
    left()
    expect(await served).toBe('SIGTERM')
  })

  test('cuts them off when it is told again', async () => {
    const { calls, mount } = busyMount()
    expect(await servedUntilTold(mount, told('SIGINT', sleep(5, 'SIGINT' as const)))).toBe('SIGINT')
    expect(calls).toEqual(['unmount', 'detach', 'force'])
  })

  test('ends by itself when it is unmounted by somebody else', async () => {
    const { mount, left, calls } = busyMount()
    left()
    expect(await servedUntilTold(mount, told())).toBeUndefined()
    expect(calls).toEqual([])
  })

  test('ends when it is there no more, also where nobody serves it', async () => {
    const { mount, calls } = busyMount()
    let looked = 0
    expect(await servedUntilTold(mount, told(), { isThere: () => ++looked < 2 })).toBeUndefined()
    expect([looked, calls]).toEqual([2, []])
  })
})

test('a signal that has come before is heard, and every one once', async () => {
  const before = new AbortController()
  before.abort('SIGTERM')
  using endings = new Endings(before.signal)
  expect(endings.signal.reason).toBe('SIGTERM')
  endings.add('SIGHUP')
  expect([await endings.next(), await endings.next()]).toEqual(['SIGTERM', 'SIGHUP'])
})
