import { randomBytes } from 'node:crypto'
import { resolve } from 'node:path'
import * as Flags from '@oclif/core/flags'
import { requiredArg } from '../arguments.ts'
import type { BindMount, ExecutionConfig } from '../library.ts'
import { StoreCommand } from '../store-command.ts'
import { UsageError } from '../usage-error.ts'

export class Run extends StoreCommand {
  static override summary = 'Run a command in a container.'
  static override description =
    'A new container of an image, or one that is there, is mounted for the command alone, and run by an OCI runtime (runc or crun). Root is not needed: an ordinary user’s container runs in a user namespace. It has the network of the host, or none. What the command writes stays in the container, unless --rm takes that away. The exit code is that of the command: 128 and the number of a signal that has ended it, 127 if there is no such program in the container, 126 if it cannot be started, 125 if ply itself has failed.'
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
    volume: Flags.string({
      char: 'v',
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'HOST:PATH[:ro]',
      summary: 'A directory or file of this machine, at a path of the container.',
    }),
    tmpfs: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'PATH',
      summary: 'An empty file system in memory.',
    }),
    workdir: Flags.string({ char: 'w', helpValue: 'PATH', summary: 'The directory to begin in.' }),
    user: Flags.string({ char: 'u', helpValue: 'USER[:GROUP]', summary: 'Whom to run it as, by name or number.' }),
    entrypoint: Flags.string({ helpValue: 'PROGRAM', summary: 'The program, in the place of that of the image.' }),
    hostname: Flags.string({ char: 'h', helpValue: 'NAME', summary: 'The name that the container has for itself.' }),
    network: Flags.option({ options: ['host', 'none'] as const, default: 'host', summary: 'Which network it has.' })(),
    'read-only': Flags.boolean({ summary: 'Let nothing be written.' }),
    runtime: Flags.string({
      helpValue: 'PROGRAM',
      summary: 'runc, crun, or the path of one; the first that is here by default.',
    }),
  }

  async run() {
    const split = flagsBefore(this.argv, Run.flags)
    const { args, flags } = await this.parse(Run, split.own)
    if (this.jsonEnabled()) throw new UsageError('--json and the output of a command cannot share stdout')
    const { Endings, codeOf, run } = await this.library()
    // What is wrong here is found before there is a container.
    const mounts = (flags.volume ?? []).map(bindOf)
    const store = await this.store()
    const existing = await this.#existing(args.image)
    const name = existing ?? flags.name ?? `run-${randomBytes(4).toString('hex')}`
    if (existing !== undefined && flags.rm)
      throw new UsageError(`--rm would remove the container ${existing}, which was there before`)
    if (existing === undefined)
      await (await store.containers.create(name, await this.named(args.image), this.operation)).close()
    // In this order: Node forgets a signal that has come, and was not told yet, when nobody listens for a moment.
    using endings = new Endings(this.world.signal)
    this.world.releaseSignals?.()
    const command = split.command.length > 0 ? split.command : undefined
    try {
      const options = {
        command,
        entrypoint: flags.entrypoint === undefined ? undefined : [flags.entrypoint],
        environment: (flags.env ?? []).flatMap((text) => this.#variable(text)),
        directory: flags.workdir,
        user: flags.user,
        hostname: flags.hostname,
        network: flags.network,
        mounts,
        temporary: Object.fromEntries((flags.tmpfs ?? []).map((path) => [path, []])),
        terminal: flags.tty,
        readOnly: flags['read-only'],
        runtime: flags.runtime,
      }
      const running = { opening: this.storeOptions, endings, onNote: (text: string) => this.say(text) }
      const end = await run(store, name, await this.#config(name), options, running)
      this.exitWith('status' in end ? end.status : 128 + (await this.#numberOf(end.signal)))
    } catch (error) {
      const { syscall, path } = error as { readonly syscall?: string; readonly path?: string }
      if (syscall !== 'spawn') throw error
      this.exitWith(codeOf(error) === 'ENOENT' ? 127 : 126)
      this.world.stderr.write(
        `ply: ${path}: ${codeOf(error) === 'ENOENT' ? 'no such program in the container' : 'cannot be started'}\n`,
      )
    } finally {
      if (existing === undefined && flags.rm) await store.containers.remove(name)
      else if (existing === undefined) this.say(`container ${name} stays; remove it with: ply rm ${name}`)
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

  async #config(name: string): Promise<ExecutionConfig> {
    const store = await this.store()
    await using container = await store.containers.open(name, { readOnly: true })
    return (await store.image(container.image)).config.config ?? {}
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
  return { own: [...argv.slice(0, at + 1)], command: [...argv.slice(at + 1)] }
}

function bindOf(text: string): BindMount {
  const [, source = '', target = '', mode] = /^(.+?):(\/[^:]*)(?::(ro|rw))?$/.exec(text) ?? []
  if (source === '') throw new UsageError(`-v ${text}: write HOST:PATH or HOST:PATH:ro`)
  return { source: resolve(source), target, readOnly: mode === 'ro' }
}
