import { spawnSync } from 'node:child_process'
import { chmodSync, closeSync, existsSync, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { openSource, openStore, type Store } from '../../src/index.ts'
import { dockerArchive } from '../cli/run-ply.ts'
import { root } from '../support/ability.ts'
import { installed } from './installed.ts'

/** Why nothing can be mounted here; `undefined` where it can. */
export function whyNoMounts(): string | undefined {
  if (!root) return 'namespaces with a device of their own take root'
  try {
    closeSync(openSync('/dev/fuse', 'r+'))
  } catch (error) {
    return `/dev/fuse cannot be opened: ${(error as Error).message}`
  }
  const { status, stderr } = spawnSync('unshare', ['--mount', '--pid', '--fork', '--mount-proc', 'true'])
  return status === 0 ? undefined : `there can be no namespaces: ${stderr}`
}

/** Whose script it is: root's, an ordinary user's whom the device is open to, or one's whom it is closed to. */
export type As = 'root' | 'user' | 'closed'

const user = '65534'
const timeout = 120

/** What every script begins with. `eventually` waits for something to become true. */
const prelude = `
set -euo pipefail
exec 2>&1
ply() { timeout -s KILL 60 "$NODE" "$BIN" "$@"; }
eventually() { local i; for i in $(seq 1200); do if eval "$1"; then return 0; fi; sleep 0.05; done; echo "never: $1"; return 1; }
mounted() { grep -q " $1 " /proc/self/mountinfo; }
servers() { pgrep -f '^ply mount' || true; }
cd "$WORK"
`

/** The device is everybody's in this namespace alone. */
const openDevice = `
mkdir -p "$WORK/dev" && mount -t tmpfs none "$WORK/dev" && mknod -m 0666 "$WORK/dev/fuse" c 10 229
mount --bind "$WORK/dev/fuse" /dev/fuse && umount -l "$WORK/dev"
`

const closedDevice = openDevice.replace('-m 0666', '-m 0600')

/** Places in which shell scripts mount what the command that was built here and now mounts. */
export class Mounting {
  readonly #directory: string
  readonly #bin: string
  #count = 0

  private constructor(directory: string, bin: string) {
    this.#directory = directory
    this.#bin = bin
  }

  /** For the tests of a file: everything of it is gone in the end. `durable`: whether its stores sync what they write. */
  static forFile({ durable = true }: { readonly durable?: boolean } = {}): () => Mounting {
    let made: Mounting | undefined
    beforeAll(async () => {
      if (whyNoMounts() !== undefined) return
      const directory = mkdtempSync(join(tmpdir(), 'ply-test-mounting-'))
      chmodSync(directory, 0o755)
      made = new Mounting(directory, installed(join(directory, 'package')))
      const files = { 'etc/': '', 'etc/issue': 'an image\n', 'bin/': '', 'bin/tool': 'x'.repeat(5000), 'tmp/': '' }
      const archive = join(directory, 'image.tar')
      await dockerArchive(archive, 'image:1', [files, { 'etc/other': 'more\n' }])
      for (const [name, upperForm] of [
        ['root', 'overlay'],
        ['user', 'portable'],
      ] as const) {
        await using store = await openStore(join(directory, name), { upperForm, durable })
        await using source = await openSource(`docker-archive:${archive}`)
        await store.write(await source.image(), 'image:1')
        await (await store.containers.create('work', 'image:1')).close()
      }
    }, 120_000)
    afterAll(() => {
      if (made) rmSync(made.#directory, { recursive: true, force: true })
    })
    return () => made!
  }

  /** Puts more into the stores that scripts get copies of. */
  async fill(write: (store: Store) => Promise<void>): Promise<void> {
    for (const name of ['root', 'user']) {
      await using store = await openStore(join(this.#directory, name))
      await write(store)
    }
  }

  /**
   * Runs a script (bash) with a store of its own that holds the image `image:1` and the container `work`, in namespaces of its own: what
   * it leaves running is killed, and what it leaves mounted is gone with it. Answers with what it says, with `.` for its directory.
   */
  run(as: As, script: string, { before = '' }: { readonly before?: string } = {}): string {
    const work = join(this.#directory, `work-${this.#count++}`)
    mkdirSync(work)
    const owner = as === 'root' ? '0' : user
    const own = `${prelude}\n${script}`
    const drop = `exec setpriv --reuid ${user} --regid ${user} --clear-groups --inh-caps=-all bash -c "$OWN"`
    const setUp = as === 'user' ? openDevice : as === 'closed' ? closedDevice : ''
    const copy = `set -eu; mkdir "$WORK/mnt" "$WORK/other"; ${before}\ncp -a "$TEMPLATE" "$WORK/store"; chown -R ${owner}:${owner} "$WORK"`
    const whole = `${copy}; ${setUp}\n${as === 'root' ? 'exec bash -c "$OWN"' : drop}`
    const namespaces = ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc']
    const { stdout, stderr, status, signal } = spawnSync(
      'timeout',
      ['-s', 'KILL', String(timeout), 'unshare', ...namespaces, 'bash', '-c', whole],
      {
        encoding: 'utf8',
        env: {
          PATH: process.env.PATH,
          HOME: work,
          LC_ALL: 'C',
          // What takes more than a second tells how far it has come.
          PLY_PROGRESS: 'none',
          NODE: process.execPath,
          BIN: this.#bin,
          WORK: work,
          TEMPLATE: join(this.#directory, as === 'root' ? 'root' : 'user'),
          PLY_ROOT: join(work, 'store'),
          OWN: own,
        },
      },
    )
    if (existsSync(work)) rmSync(work, { recursive: true, force: true })
    const said = `${stdout}${stderr}${status === 0 ? '' : `[exit ${signal ?? status}]\n`}`
    // What bash says of those whom a signal has ended.
    return said.replaceAll(work, '.').replaceAll(/^\S+: line \d+: +\d+ (Killed|Hangup|Terminated).*\n/gm, '')
  }
}
