import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { capabilitiesOf } from '../../src/run/capabilities.ts'
import { runtimeCommand, unstartedIn } from '../../src/run/oci-runtime.ts'
import { findRuntimes } from '../../src/run/runtime.ts'
import { runtimeSpec, type SpecOptions } from '../../src/run/spec.ts'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'ply-test-'))
  for (const name of ['crun', 'mine']) {
    writeFileSync(join(directory, name), '#!/bin/sh\n')
    chmodSync(join(directory, name), 0o755)
  }
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

describe('a runtime', () => {
  test('is found where programs are, and by its path', () => {
    expect(findRuntimes('crun', { PATH: directory })).toEqual([{ name: 'crun', path: join(directory, 'crun') }])
    expect(findRuntimes(join(directory, 'mine'), {})).toEqual([{ name: 'runc', path: join(directory, 'mine') }])
    expect(() => findRuntimes('none', { PATH: directory })).toThrow(/there is no program none/)
  })

  test('is called with a state and a log of its own, and without control groups where there are none', () => {
    const calling = { state: '/s', log: '/l', bundle: '/b', id: 'i', withoutGroups: true }
    expect(runtimeCommand({ name: 'runc', path: '/runc' }, calling).join(' ')).toBe(
      '/runc --root /s --log /l --log-format json --rootless=true run --bundle /b i',
    )
    expect(runtimeCommand({ name: 'crun', path: '/crun' }, calling)).toContain('--cgroup-manager=disabled')
    expect(runtimeCommand({ name: 'crun', path: '/crun' }, { ...calling, withoutGroups: false })).not.toContain(
      '--cgroup-manager=disabled',
    )
  })

  for (const [text, why] of [
    ['runc run failed: unable to start container process: exec: "x": executable file not found in $PATH', 'missing'],
    ['runc run failed: unable to start container process: exec: "/x": stat /x: no such file or directory', 'missing'],
    ['executable file `x` not found: No such file or directory', 'missing'],
    ['runc run failed: unable to start container process: exec: "/etc": permission denied', 'closed'],
    ['unable to start container process: exec /x: exec format error', 'closed'],
    ['unable to apply cgroup configuration: mkdir: read-only', 'groups'],
    ['something else', 'other'],
  ] as const) {
    test(`says ${why} by ${JSON.stringify(text)}`, () => {
      expect(
        unstartedIn(
          `${JSON.stringify({ level: 'warning', msg: 'x' })}\n${JSON.stringify({ level: 'error', msg: text })}\n`,
        ),
      ).toMatchObject({ why })
    })
  }

  test('that has told nothing but warnings has run the command', () => {
    expect(unstartedIn('')).toBeUndefined()
    expect(unstartedIn('{"level":"warning","msg":"cgroup"}\nno json\n')).toBeUndefined()
  })
})

describe('a bundle', () => {
  const options: SpecOptions = {
    root: '/b/rootfs',
    readOnly: false,
    command: ['a'],
    environment: ['A=1'],
    directory: '/w',
    identity: { uid: 0, gid: 0, groups: [4], home: '/root' },
    hostname: 'h',
    terminal: false,
    network: 'host',
    mounts: [{ source: '/s', target: '/t', readOnly: true }],
    temporary: { '/tmp': ['size=1m'] },
    capabilities: capabilitiesOf(),
    group: '/g',
    inNamespace: false,
    manyOwners: true,
  }
  type Spec = {
    process: { user: object; capabilities: { effective: string[]; bounding: string[] } }
    mounts: { destination: string; type: string; options: string[] }[]
    linux: { namespaces: { type: string }[] }
  }
  const spec = (more: Partial<SpecOptions> = {}) => runtimeSpec({ ...options, ...more }) as Spec
  const mountAt = (made: Spec, path: string) => made.mounts.find(({ destination }) => destination === path)

  test('gives root what containers usually may, and nobody else anything', () => {
    expect(spec().process.capabilities.effective).toContain('CAP_CHOWN')
    expect(spec().process.capabilities.bounding).not.toContain('CAP_SYS_ADMIN')
    expect(spec({ identity: { uid: 5, gid: 5, groups: [], home: '/' } }).process.capabilities.effective).toEqual([])
  })

  test('has a network of its own only where none is wanted, and never a user namespace of its own', () => {
    expect(spec().linux.namespaces.map(({ type }) => type)).toEqual(['pid', 'ipc', 'uts', 'mount'])
    expect(spec({ network: 'none' }).linux.namespaces.map(({ type }) => type)).toContain('network')
  })

  test('in a namespace asks for nothing that only root of the host may', () => {
    const made = spec({ inNamespace: true, manyOwners: false })
    expect(mountAt(made, '/sys')).toMatchObject({ type: 'none' })
    expect(mountAt(made, '/dev/pts')!.options).not.toContain('gid=5')
    expect(made.process.user).toEqual({ uid: 0, gid: 0 })
    expect(mountAt(spec(), '/dev/pts')!.options).toContain('gid=5')
    expect(spec().process.user).toEqual({ uid: 0, gid: 0, additionalGids: [4] })
  })

  test('has what is mounted behind the system, read-only where that is said', () => {
    const made = spec()
    expect(mountAt(made, '/t')).toEqual({
      destination: '/t',
      type: 'none',
      source: '/s',
      options: ['rbind', 'rprivate', 'ro'],
    })
    expect(mountAt(made, '/tmp')).toMatchObject({ type: 'tmpfs', options: ['nosuid', 'nodev', 'size=1m'] })
    expect(made.mounts.findIndex(({ destination }) => destination === '/proc')).toBe(0)
  })
})
