import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { copy } from '../../src/image/copy.ts'
import type { UpperForm } from '../../src/store/containers/uppers.ts'
import { openStore } from '../../src/store/open-store.ts'
import { openSource } from '../../src/transport/index.ts'
import type { ProgramCase, Scale } from './cases.ts'

const container = 'work'
const written = ['work', 'opt', 'etc', 'var']
const project = fileURLToPath(new URL('../..', import.meta.url))

interface Programs {
  readonly mounting: string
  readonly serving: string
  readonly listing: string
}

/** The programs that mount, serve and list, each as one file. */
async function programsIn(work: string): Promise<Programs> {
  symlinkSync(join(project, 'node_modules'), join(work, 'node_modules'))
  const one = async (source: string): Promise<string> => {
    const outfile = join(work, source.replaceAll('/', '-').replace(/ts$/, 'mjs'))
    const entryPoints = [join(project, source)]
    await build({
      entryPoints,
      outfile,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      packages: 'external',
      logLevel: 'error',
    })
    return outfile
  }
  return {
    mounting: await one('test/fuse/mounting.ts'),
    serving: await one('test/programs/serving.ts'),
    listing: await one('test/fuse/listing.ts'),
  }
}

/** A container over an image, in a store of its own, mounted by FUSE by another process. */
export class Ground implements AsyncDisposable {
  readonly #work: string
  readonly #programs: Programs
  readonly root: string
  #server: ChildProcess | undefined

  private constructor(work: string, programs: Programs) {
    this.#work = work
    this.#programs = programs
    this.root = join(work, 'mnt')
  }

  /** @param from where the image comes from, as `ply` names it */
  static async make(work: string, from: string, form: UpperForm): Promise<Ground> {
    mkdirSync(join(work, 'mnt'), { recursive: true })
    const ground = new Ground(work, await programsIn(work))
    await using store = await openStore(ground.store)
    await copy(await openSource(from), store, { as: 'image' })
    await (await store.containers.create(container, 'image')).close()
    await store.containers.convert(container, form)
    return ground
  }

  get store(): string {
    return join(this.#work, 'store')
  }

  async mount(): Promise<void> {
    const input = { store: this.store, container }
    const request = { target: this.root, program: this.#programs.serving, input }
    const server = spawn(process.execPath, [this.#programs.mounting, JSON.stringify(request)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.#server = server
    await new Promise<void>((resolve, reject) => {
      server.stdout!.on('data', (said) => {
        if (String(said).includes('ready')) resolve()
      })
      server.once('close', (status) => reject(new Error(`the server ended: ${status}`)))
    })
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
  }

  /** Runs a case in a directory of the mount. What it takes longer than so many seconds is a failure. */
  run({ name, script }: ProgramCase, scale: Scale, patience: number): void {
    const slug = name.replaceAll(/[^a-z]+/gi, '-').slice(0, 20)
    const scratch = join(this.#work, `scratch-${slug}`)
    const at = join(this.root, 'work', slug)
    mkdirSync(scratch)
    mkdirSync(at, { recursive: true })
    try {
      execFileSync('timeout', ['-k', '5', `${patience}`, 'sh', '-euc', script(scale)], {
        cwd: at,
        env: { ...process.env, SCRATCH: scratch, ROOT: this.root },
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
        maxBuffer: 1 << 28,
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
      execFileSync(process.execPath, [this.#programs.listing, join(this.root, directory)], {
        encoding: 'utf8',
        maxBuffer: 1 << 30,
      }),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      execFileSync('umount', ['-l', this.root], { stdio: 'ignore' })
    } catch {
      // It is unmounted already, as it is where all went well.
    }
    await this.unmount()
  }
}
