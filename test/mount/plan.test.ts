import { describe, expect, test } from 'vitest'
import { IdMapping } from '../../src/model/id-mapping.ts'
import type { Abilities, Ability } from '../../src/mount/abilities.ts'
import type { MountOptions, Via } from '../../src/mount/mounted.ts'
import { type Plannable, planMount } from '../../src/mount/plan.ts'
import type { StandingUpper } from '../../src/mount/standing.ts'

const able: Ability = { able: true }
const unable = (why: string, more?: string): Ability => ({ able: false, why, more })

/** Root on a new kernel. */
const everything: Abilities = {
  kernel: '6.18.0',
  privileges: 'host',
  mounting: able,
  erofs: able,
  files: able,
  loops: able,
  overlay: able,
  uppers: able,
  idMapping: able,
  fuseDevice: able,
  fusermount: able,
  namespaces: able,
}
const user: Abilities = {
  ...everything,
  privileges: 'none',
  mounting: unable('only root may mount', 'run it as root'),
  uppers: unable('only root writes that'),
  loops: unable('no loops'),
}
const closedFuse = unable('/dev/fuse is closed', 'open it')

const upper = (form: StandingUpper['form']): StandingUpper => ({
  id: 'x',
  form,
  upperDir: '/u',
  workDir: '/w',
  blocks: false,
})
const image: Plannable = { subject: { kind: 'image', name: 'a' }, upper: undefined, frozen: [] }
const container: Plannable = { subject: { kind: 'container', name: 'work' }, upper: upper('overlay'), frozen: [] }
const portable: Plannable = { ...container, upper: upper('portable') }
const snapshot: Plannable = {
  subject: { kind: 'snapshot', container: 'work', snapshot: 's' },
  upper: undefined,
  frozen: [upper('overlay')],
}
const uids = new IdMapping([{ from: 0, to: 100_000, count: 65_536 }])

type Case = readonly [
  name: string,
  subject: Plannable,
  options: MountOptions,
  abilities: Partial<Abilities>,
  via: Via,
  /** What the lines say, in this order. */
  ...why: readonly RegExp[],
]

describe('a plan, of what the machine can do and what is to be mounted', () => {
  const cases: readonly Case[] = [
    ['an image, as root', image, {}, {}, 'kernel', /kernel/],
    ['a container', container, {}, {}, 'kernel', /kernel/],
    ['a snapshot', snapshot, {}, {}, 'kernel', /kernel/],
    ['without a kernel that reads files: loop devices', image, {}, { files: unable('old') }, 'kernel', /kernel/],
    ['without EROFS', image, {}, { erofs: unable('no erofs', 'get it') }, 'fuse', /FUSE/, /no erofs \(get it\)/],
    ['without files and loops', image, {}, { files: unable('f'), loops: unable('l') }, 'fuse', /FUSE/, /f, and l/],
    ['without overlayfs, an image', image, {}, { overlay: unable('o') }, 'kernel', /kernel/],
    ['without overlayfs, a container', container, {}, { overlay: unable('o') }, 'fuse', /FUSE/, /kernel: o/],
    ['without overlayfs, a snapshot', snapshot, {}, { overlay: unable('o') }, 'fuse', /FUSE/, /kernel: o/],
    ['the portable form', portable, {}, {}, 'fuse', /FUSE/, /portable form.*convert/],
    ['the portable form, unwritten', { ...portable, unwritten: true }, {}, {}, 'kernel', /kernel/],
    [
      'the same where the store takes no other',
      { ...portable, unwritten: true },
      {},
      { uppers: unable('stacked') },
      'fuse',
      /FUSE/,
      /stacked/,
    ],
    [
      'an unwritten container on portable snapshots',
      { ...portable, unwritten: true, frozen: [upper('portable')] },
      {},
      {},
      'fuse',
      /FUSE/,
      /snapshots in the portable form.*commit/,
    ],
    ['owners', container, { owners: { uids } }, {}, 'kernel', /kernel/],
    ['owners on an old kernel', container, { owners: { uids } }, { idMapping: unable('5.18') }, 'fuse', /./, /5\.18/],
    [
      'owners with somebody for all others',
      container,
      { owners: { uids, outside: { uid: 1, gid: 1 } } },
      {},
      'fuse',
      /FUSE/,
      /take the place/,
    ],
    ['FUSE, as asked for', image, { via: 'fuse' }, {}, 'fuse', /as asked for/],
    ['a copy, as asked for', container, { via: 'extract' }, {}, 'extract', /as asked for/],
    ['an ordinary user', container, {}, user, 'fuse', /FUSE/, /only root may mount \(run it as root\)/],
    ['in a user namespace', image, {}, { ...user, privileges: 'namespace' }, 'fuse', /FUSE/, /only root/],
    [
      'a user with a closed device',
      image,
      {},
      { ...user, fuseDevice: closedFuse },
      'extract',
      /copy/,
      /not by the kernel/,
      /not by FUSE: \/dev\/fuse is closed \(open it\)/,
    ],
    [
      'a user without fusermount3',
      image,
      {},
      { ...user, fusermount: unable('none', 'install it') },
      'extract',
      /copy/,
      /kernel/,
      /install it; or mount it for a command/,
    ],
  ]
  for (const [name, subject, options, abilities, via, ...why] of cases) {
    test(name, () => {
      const plan = planMount(subject, options, { ...everything, ...abilities })
      expect(plan.via).toBe(via)
      expect(plan.why).toHaveLength(why.length)
      for (const [at, pattern] of why.entries()) expect(plan.why[at]).toMatch(pattern)
      expect(plan.readOnly).toBe(subject.subject.kind !== 'container')
    })
  }

  test('says that an unwritten upper has to get the form that the kernel knows', () => {
    expect(planMount({ ...portable, unwritten: true }, {}, everything).convert).toBe(true)
    expect(planMount({ ...portable, unwritten: true }, { via: 'fuse' }, everything).convert).toBe(false)
    expect(planMount(container, {}, everything).convert).toBe(false)
  })

  const refused: readonly {
    readonly name: string
    readonly subject?: Plannable
    readonly options: MountOptions
    readonly abilities?: Partial<Abilities>
    readonly code?: string
    readonly says: RegExp
  }[] = [
    {
      name: 'the kernel for an ordinary user',
      options: { via: 'kernel' },
      abilities: user,
      says: /only root.*as root/,
    },
    {
      name: 'the kernel for the portable form',
      subject: portable,
      options: { via: 'kernel' },
      says: /convert\("work"/,
    },
    { name: 'FUSE without it', options: { via: 'fuse' }, abilities: { fuseDevice: closedFuse }, says: /open it/ },
    { name: 'writing an image', options: { readOnly: false }, code: 'PLY_USAGE', says: /an image never changes/ },
    {
      name: 'writing a snapshot',
      subject: snapshot,
      options: { readOnly: false },
      code: 'PLY_USAGE',
      says: /snapshot/,
    },
  ]
  test.each(refused)('refuses $name, and says what to do', ({ subject = image, options, abilities, code, says }) => {
    const planning = () => planMount(subject, options, { ...everything, ...abilities })
    expect(planning).toThrow(expect.objectContaining({ code: code ?? 'PLY_UNSUPPORTED' }))
    expect(planning).toThrow(says)
  })

  test('a container can be mounted for reading only', () => {
    expect(planMount(container, { readOnly: true }, everything)).toMatchObject({ via: 'kernel', readOnly: true })
  })
})
