import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { copy } from '../../src/image/copy.ts'
import type { UpperForm } from '../../src/store/containers/uppers.ts'
import type { FsckLevel } from '../../src/store/fsck/findings.ts'
import { openStore } from '../../src/store/open-store.ts'
import { openSource } from '../../src/transport/index.ts'
import { mountingPrograms } from '../support/mounting-programs.ts'
import { OrdinaryUser, ordinary } from '../support/ordinary-user.ts'
import type { ProgramCase, Scale } from './cases.ts'
import type { MountingRequest } from './mounting.ts'

const container = 'work'
const written = ['work', 'opt', 'etc', 'var/lib', 'var/log']

/**
 * Who mounts it, and whose the programs are: root; an ordinary user, through `fusermount3`; one in a user namespace, which has no other users
 * than that one, or many.
 */
export const waysIn = ['root', 'fusermount3', 'namespace', 'namespace of many'] as const
export type WayIn = (typeof waysIn)[number]

/** A container over an image, in a store of its own, mounted by FUSE by another process. */
export class Ground implements AsyncDisposable {
  readonly #work: string
  readonly #way: WayIn
  readonly #user: OrdinaryUser | undefined
  readonly root: string
  #server: ChildProcess | undefined
  /** A process in the namespaces that it is mounted in. */
  #inside: number | undefined

  private constructor(work: string, way: WayIn, user: OrdinaryUser | undefined) {
    this.#work = work
    this.#way = way
    this.#user = user
    this.root = join(work, 'mnt')
  }

  /** @param from where the image comes from, as `ply` names it */
  static async make(work: string, from: string, form: UpperForm, way: WayIn = 'root'): Promise<Ground> {
    mkdirSync(work, { recursive: true })
    chmodSync(work, 0o755)
    const user = way === 'root' ? undefined : await OrdinaryUser.in(work, { hasOthers: way === 'namespace of many' })
    const ground = new Ground(work, way, user)
    mkdirSync(ground.root)
    mkdirSync(ground.#home)
    await mountingPrograms(join(work, 'programs'), {
      mounting: './test/programs/mounting.ts',
      listing: './test/fuse/listing.ts',
    })
    {
      await using store = await openStore(ground.store, { upperForm: form })
      await copy(await openSource(from), store, { as: 'image' })
      await (await store.containers.create(container, 'image')).close()
    }
    for (const path of [ground.root, ground.#home, ground.store]) ground.#give(path)
    return ground
  }

  get store(): string {
    return join(this.#work, 'store')
  }

  get #home(): string {
    return join(this.#work, 'home')
  }

  async mount(): Promise<void> {
    const namespace = this.#way !== 'root' && this.#way !== 'fusermount3'
    const { store, root: target } = this
    const request: MountingRequest = { store, container, target, namespace }
    const [first, ...words] = [...(this.#user?.words() ?? []), process.execPath, this.#program('mounting')]
    const server = spawn(first!, [...words, JSON.stringify(request)], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: this.#environment(),
    })
    this.#server = server
    const ready = await new Promise<string>((resolve, reject) => {
      let said = ''
      server.stdout!.on('data', (text) => {
        said += text
        if (/ready.*\n/.test(said)) resolve(said)
      })
      server.once('close', (status) => reject(new Error(`the server ended: ${status}`)))
    })
    this.#inside = namespace ? Number(/ready (\d+)/.exec(ready)![1]) : undefined
  }

  /** Returns when the server has closed the container. */
  async unmount(): Promise<void> {
    const server = this.#server
    if (!server) return
    this.#server = undefined
    if (server.exitCode !== null || server.signalCode !== null) return
    const ended = new Promise((resolve) => server.once('close', resolve))
    server.stdin!.end()
    await ended
    if (server.exitCode !== 0) throw new Error(`the server ended: ${server.exitCode ?? server.signalCode}`)
  }

  /** Runs a case in a directory of the mount. What it takes longer than so many seconds is a failure. */
  run({ name, script, cache }: ProgramCase, scale: Scale, patience: number): void {
    const slug = name.replaceAll(/[^a-z]+/gi, '-').slice(0, 20)
    const scratch = join(this.#work, `scratch-${slug}`)
    mkdirSync(scratch)
    // Nobody else has root's.
    if (cache && this.#user) execFileSync('cp', ['-r', cache.from(), join(this.#home, cache.to)])
    this.#give(scratch)
    this.#give(this.#home)
    const at = join(this.root, 'work', slug)
    try {
      this.#said(['timeout', '-k', '5', `${patience}`, 'sh', '-euc', `mkdir -p ${at}; cd ${at}\n${script(scale)}`], {
        SCRATCH: scratch,
        ROOT: this.root,
        // A user may be root in a namespace, without which it may not.
        CHROOT: this.#way === 'fusermount3' ? 'unshare -Ur chroot' : 'chroot',
        OWNERS: this.#way === 'root' || this.#way === 'namespace of many' ? 'many' : 'one',
      })
    } catch (error) {
      const { stdout, stderr } = error as { readonly stdout?: string; readonly stderr?: string }
      throw new Error(
        `${name}: ${(error as Error).message.slice(0, 200)}\n${stdout?.slice(-2000)}\n${stderr?.slice(-4000)}`,
      )
    } finally {
      rmSync(scratch, { recursive: true, force: true })
    }
  }

  /** Everything where programs wrote, as another process sees it: JSON. */
  listing(): string[] {
    return written.map((directory) =>
      this.#said([process.execPath, this.#program('listing'), join(this.root, directory)]),
    )
  }

  /** What is wrong with the store. */
  async findings(level: FsckLevel): Promise<readonly unknown[]> {
    await using store = await openStore(this.store, { anyOwner: true })
    return (await store.fsck({ level })).findings
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#way === 'root')
      try {
        execFileSync('umount', ['-l', this.root], { stdio: 'ignore' })
      } catch {
        // It is unmounted already, as it is where all went well.
      }
    await this.unmount()
    await this.#user?.[Symbol.asyncDispose]()
  }

  #said(command: readonly string[], environment: Readonly<Record<string, string>> = {}): string {
    const [first, ...words] = [...(this.#user?.words(this.#inside) ?? []), ...command]
    return execFileSync(first!, words, {
      cwd: '/',
      env: { ...this.#environment(), ...environment },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      maxBuffer: 1 << 30,
    })
  }

  #environment(): NodeJS.ProcessEnv {
    return this.#user ? { PATH: process.env.PATH, HOME: this.#home, LC_ALL: 'C.UTF-8' } : process.env
  }

  /** To whoever runs the programs. */
  #give(path: string): void {
    if (this.#user) execFileSync('chown', ['-R', `${ordinary.uid}:${ordinary.gid}`, path])
    else chownSync(path, 0, 0)
  }

  #program(name: string): string {
    return join(this.#work, 'programs', `${name}.js`)
  }
}
