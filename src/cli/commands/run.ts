import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { isatty } from 'node:tty'
import * as Flags from '@oclif/core/flags'
import { requiredArg } from '../arguments.ts'
import type { BindMount, Image } from '../library.ts'
import { StoreCommand } from '../store-command.ts'
import { UsageError } from '../usage-error.ts'

export class Run extends StoreCommand {
  static override summary = 'Run a command in a container.'
  static override description =
    'A new container of an image, or one that is there, is mounted for the command alone, and run by an OCI runtime (runc or crun), or by bubblewrap (bwrap) where there is none that works. Root is not needed: an ordinary user’s container runs in a user namespace. It has the network of the host, or none. What the command writes stays in the container, unless --rm takes that away. The exit code is that of the command: 128 and the number of a signal that has ended it, 127 if there is no such program in the container, 126 if it cannot be started, 125 if ply itself has failed.'
  static override examples = [
    { description: 'Look into an image', command: 'ply run --rm debian:12 cat /etc/os-release' },
    {
      description: 'A shell, with a directory of this machine',
      command: 'ply run --rm -it -v .:/work -w /work debian:12 bash',
    },
    { description: 'In a container that is there', command: 'ply run work make test' },
  ]
  static override args = {
    image: requiredArg('An image, or a container (container:NAME where an image has that name, too).'),
  }
  static override strict = false
  static override runsAnother() {
    return true
  }
  static override usage = 'run [FLAGS] IMAGE [COMMAND [ARGUMENT...]]'
  static override flags = {
    rm: Flags.boolean({ summary: 'Remove the container that was made, once the command has ended.' }),
    name: Flags.string({ helpValue: 'NAME', summary: 'The name of the container that is made.' }),
    interactive: Flags.boolean({ char: 'i', summary: 'Has no effect: standard input is always there.' }),
    tty: Flags.boolean({ char: 't', summary: 'Give the command a terminal.' }),
    env: Flags.string({
      char: 'e',
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'NAME[=VALUE]',
      summary: 'One more variable; without a value that of the environment.',
    }),
    'env-file': Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'FILE',
      summary:
        'Variables from a file: NAME=VALUE, or NAME for that of the environment, line by line; # begins a comment.',
    }),
    volume: Flags.string({
      char: 'v',
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'HOST:PATH[:ro]',
      summary: 'A directory or file of this machine, at a path of the container. z and Z are taken, and label nothing.',
    }),
    tmpfs: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'PATH[:OPTIONS]',
      summary: 'An empty file system in memory, with options such as size=64m,mode=1777.',
    }),
    workdir: Flags.string({ char: 'w', helpValue: 'PATH', summary: 'The directory to begin in.' }),
    user: Flags.string({ char: 'u', helpValue: 'USER[:GROUP]', summary: 'Whom to run it as, by name or number.' }),
    entrypoint: Flags.string({ helpValue: 'PROGRAM', summary: 'The program, in the place of that of the image.' }),
    hostname: Flags.string({ char: 'h', helpValue: 'NAME', summary: 'The name that the container has for itself.' }),
    network: Flags.option({ options: ['host', 'none'] as const, default: 'host', summary: 'Which network it has.' })(),
    platform: Flags.string({
      helpValue: 'OS/ARCH',
      summary: 'Which image of an index; that for this machine by default.',
    }),
    'cap-add': Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'CAPABILITY',
      summary: 'One more thing that root of the container may do, or ALL.',
    }),
    'cap-drop': Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'CAPABILITY',
      summary: 'One thing less, or ALL.',
    }),
    'read-only': Flags.boolean({ summary: 'Let nothing be written.' }),
    runtime: Flags.string({
      helpValue: 'PROGRAM',
      summary: 'runc, crun, bwrap, or the path of one; the first that works by default.',
    }),
  }

  async run() {
    const split = flagsBefore(this.argv, Run.flags)
    const { args, flags } = await this.parse(Run, split.own)
    if (this.jsonEnabled()) throw new UsageError('--json and the output of a command cannot share stdout')
    const { Endings, clearAbandoned, codeOf, run, temporaryContainer } = await this.library()
    // What is wrong here is found before there is a container.
    const mounts = (flags.volume ?? []).map(bindOf)
    const environment = [...(flags['env-file'] ?? []).flatMap((path) => linesOf(path)), ...(flags.env ?? [])].flatMap(
      (text) => this.#variable(text),
    )
    if (flags.tty && ![0, 1, 2].some((fd) => isatty(fd)))
      throw new UsageError('-t gives the command the terminal of ply, and ply has none: leave it out')
    const store = await this.store()
    await clearAbandoned(store)
    const existing = await this.#existing(args.image)
    if (existing !== undefined && flags.rm)
      throw new UsageError(`--rm would remove the container ${existing}, which was there before`)
    if (existing !== undefined && flags.platform !== undefined)
      throw new UsageError(`--platform chooses an image, and ${existing} is a container`)
    const image = existing === undefined ? await this.#image(args.image, flags.platform) : undefined
    await using temporary =
      image !== undefined && flags.rm
        ? await temporaryContainer(store, image, { name: flags.name, ...this.operation })
        : undefined
    const name = existing ?? temporary?.name ?? flags.name ?? `run-${randomBytes(4).toString('hex')}`
    if (image !== undefined && temporary === undefined)
      await (await store.containers.create(name, image, this.operation)).close()
    // In this order: Node forgets a signal that has come, and was not told yet, when nobody listens for a moment.
    using endings = new Endings(this.world.signal)
    this.world.releaseSignals?.()
    const command = split.command.length > 0 ? split.command : undefined
    let made = existing === undefined && temporary === undefined
    try {
      const { config } = await this.#imageOf(name)
      const options = {
        command,
        entrypoint: flags.entrypoint === undefined ? undefined : [flags.entrypoint],
        environment,
        directory: flags.workdir,
        user: flags.user,
        hostname: flags.hostname,
        network: flags.network,
        mounts,
        temporary: Object.fromEntries((flags.tmpfs ?? []).map(temporaryOf)),
        capabilities: { add: flags['cap-add'], drop: flags['cap-drop'] },
        terminal: flags.tty,
        readOnly: flags['read-only'],
        runtime: flags.runtime,
        platform: config,
      }
      const running = { opening: this.storeOptions, endings, onNote: (text: string) => this.say(text) }
      this.leaveTerminal()
      const end = await run(store, name, config.config ?? {}, options, running)
      this.exitWith('status' in end ? end.status : 128 + (await this.#numberOf(end.signal)))
    } catch (error) {
      const { syscall, path } = error as { readonly syscall?: string; readonly path?: string }
      if (made && ['PLY_USAGE', 'PLY_UNSUPPORTED'].includes(codeOf(error) ?? '')) {
        // Nothing has begun: there is nothing in it that anybody could want.
        await store.containers.remove(name)
        made = false
      }
      if (syscall !== 'spawn') throw error
      this.exitWith(codeOf(error) === 'ENOENT' ? 127 : 126)
      this.world.stderr.write(
        `ply: ${path}: ${codeOf(error) === 'ENOENT' ? 'no such program in the container' : 'cannot be started'}\n`,
      )
    } finally {
      if (made) this.say(`container ${name} stays; remove it with: ply rm ${name}`)
    }
    return undefined
  }

  /** A container's name comes first where it is the shorter one: an image has its tag. */
  async #existing(text: string): Promise<string | undefined> {
    const store = await this.store()
    const names = (await store.containers.list()).map(({ name }) => name)
    const name = text.startsWith('container:') ? text.slice('container:'.length) : text
    return names.includes(name) ? name : undefined
  }

  /** The image of a container. */
  async #imageOf(name: string): Promise<Image> {
    const store = await this.store()
    await using container = await store.containers.open(name, { readOnly: true })
    return store.image(container.manifest)
  }

  /** What a container is made from. */
  async #image(text: string, platform: string | undefined): Promise<string> {
    const name = await this.named(text)
    if (platform === undefined) return name
    const store = await this.store()
    return (await store.image(name, { platform, ...this.operation })).digest
  }

  #variable(text: string): string[] {
    if (text.includes('=')) return [text]
    const value = this.world.environment[text]
    return value === undefined ? [] : [`${text}=${value}`]
  }

  async #numberOf(signal: NodeJS.Signals): Promise<number> {
    return (await import('node:os')).constants.signals[signal]
  }
}

/** Flags stand in front of the image: everything behind it is the command's. */
function flagsBefore(
  argv: readonly string[],
  known: Readonly<Record<string, { readonly type: string; readonly char?: string | undefined }>>,
): { readonly own: string[]; readonly command: string[] } {
  const wantsValue = (word: string) => {
    const long = /^--([a-z-]+)$/.exec(word)?.[1]
    const flag = long !== undefined ? known[long] : Object.values(known).find(({ char }) => word === `-${char}`)
    return flag?.type === 'option' || ['--root', '--below', '--progress'].includes(word)
  }
  let at = 0
  while (at < argv.length && argv[at]!.startsWith('-') && argv[at] !== '--') at += wantsValue(argv[at]!) ? 2 : 1
  if (argv[at] === '--')
    return { own: [...argv.slice(0, at), ...argv.slice(at + 1, at + 2)], command: [...argv.slice(at + 2)] }
  // As `ply mount` and buildah have it.
  const from = argv[at + 1] === '--' ? at + 2 : at + 1
  return { own: [...argv.slice(0, at + 1)], command: [...argv.slice(from)] }
}

function linesOf(path: string): string[] {
  const lines = readFileSync(path, 'utf8').split(/\r?\n/)
  return lines.map((line) => line.trimStart()).filter((line) => line !== '' && !line.startsWith('#'))
}

function temporaryOf(text: string): readonly [string, readonly string[]] {
  const [, path = '', options = ''] = /^(\/[^:]*)(?::(.*))?$/.exec(text) ?? []
  if (path === '') throw new UsageError(`--tmpfs ${text}: write PATH or PATH:OPTIONS, from the root`)
  return [path, options.split(',').filter((one) => one !== '')]
}

/** What others take here; labels are nobody's business where nothing has any. */
const volumeOptions = ['ro', 'rw', 'z', 'Z']

function bindOf(text: string): BindMount {
  const [, host = '', target = '', options = ''] = /^(.+?):(\/[^:]*)(?::(.*))?$/.exec(text) ?? []
  if (host === '') throw new UsageError(`-v ${text}: write HOST:PATH or HOST:PATH:ro`)
  const wanted = options.split(',').filter((one) => one !== '')
  const unknown = wanted.find((one) => !volumeOptions.includes(one))
  if (unknown !== undefined)
    throw new UsageError(`-v ${text}: ${unknown} is not known; there are ${volumeOptions.join(', ')}`)
  const source = resolve(host)
  if (!existsSync(source)) throw new UsageError(`-v ${text}: there is no ${source}; make it first`)
  return { source, target, readOnly: wanted.includes('ro') }
}
