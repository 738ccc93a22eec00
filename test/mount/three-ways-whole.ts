import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { abilities } from '../../src/mount/abilities.ts'
import type { Via } from '../../src/mount/mounted.ts'
import type { UpperForm } from '../../src/store/containers/uppers.ts'
import { OrdinaryUser, ordinary } from '../support/ordinary-user.ts'
import type { Found, ThreeWays } from './three-ways.ts'
import { editingAny } from './three-ways-edits.ts'
import { threeWaysProgram } from './three-ways-programs.ts'

/** Whose process mounts: root's, an ordinary user's, or one's in a user namespace of that user alone, or of many. */
export const people = ['root', 'fusermount3', 'namespace', 'namespace of many'] as const
export type Who = (typeof people)[number]

/** What differs between them: how a process comes into its namespaces, and whom owners belong to there. */
const how: Readonly<Record<Who, { readonly words: readonly string[]; readonly asks: Partial<ThreeWays> }>> = {
  // Whoever makes a namespace meanwhile would get a copy of the mount, which is served until that goes.
  root: { words: ['unshare', '--mount'], asks: { owners: 'kept' } },
  fusermount3: { words: [], asks: { owners: 'kept', rootIsMe: true } },
  namespace: { words: ['unshare', '-Urm'], asks: { owners: 'all mine' } },
  'namespace of many': { words: ['unshare', '-Urm', '--map-auto'], asks: { owners: 'kept' } },
}

/** An image that is mounted in every way that somebody has. */
export class WholeImage {
  readonly #folder: string
  readonly #program: string
  readonly #reference: string
  #runs = 0

  private constructor(folder: string, program: string, reference: string) {
    this.#folder = folder
    this.#program = program
    this.#reference = reference
  }

  /** @param reference where the image comes from */
  static async in(folder: string, reference: string): Promise<WholeImage> {
    mkdirSync(folder, { recursive: true })
    chmodSync(folder, 0o755)
    const program = await threeWaysProgram(join(folder, 'programs'))
    return new WholeImage(folder, program, reference)
  }

  /** A store that holds it: only root writes the kernel's form. */
  #store(upperForm: UpperForm): string {
    const root = join(this.#folder, upperForm)
    if (existsSync(root)) return root
    const asked = {
      root,
      upperForm,
      archive: this.#reference,
      at: this.#folder,
      ways: [],
      images: [],
      write: undefined,
    }
    this.#found('importing', [process.execPath, this.#program], { ...asked, edits: '', owners: 'kept' })
    return root
  }

  /** What somebody finds. @throws with what was said, if nothing is found */
  async by(who: Who): Promise<Found[]> {
    const at = join(this.#folder, `run-${this.#runs++}`)
    mkdirSync(at)
    const root = join(at, 'store')
    spawnSync('cp', ['-a', this.#store(who === 'root' ? 'overlay' : 'portable'), root])
    await using user =
      who === 'root' ? undefined : await OrdinaryUser.in(at, { hasOthers: who === 'namespace of many' })
    if (user) spawnSync('chown', ['-R', `${ordinary.uid}:${ordinary.gid}`, at])
    const { words, asks } = how[who]
    const asked: ThreeWays = {
      ...{ root, at, ways: waysOf(who), images: ['image'], write: 'image', edits: editingAny, owners: 'kept' },
      ...asks,
    }
    return this.#found(who, [...(user?.words() ?? []), ...words, process.execPath, this.#program], asked, user && at)
  }

  #found(who: string, [first, ...rest]: readonly string[], asked: ThreeWays, home?: string): Found[] {
    const { status, stdout, stderr } = spawnSync(first!, [...rest, JSON.stringify(asked)], {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
      ...(home !== undefined && { cwd: home, env: { PATH: process.env.PATH, HOME: home, LC_ALL: 'C.UTF-8' } }),
    })
    if (status !== 0) throw new Error(`${who}: exit ${status}\n${stdout}${stderr}`)
    return JSON.parse(stdout.trim().split('\n').at(-1)!)
  }
}

export function waysOf(who: Who): Via[] {
  const { mounting, erofs, overlay } = abilities()
  return who === 'root' && mounting.able && erofs.able && overlay.able
    ? ['kernel', 'fuse', 'extract']
    : ['fuse', 'extract']
}
