import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { requiredArg } from '../arguments.ts'
import type { CommandInMount, Mounted, MountOptions, Store } from '../library.ts'
import { OutputClosed } from '../output.ts'
import { ownerFlags, ownersFrom } from '../owner-flags.ts'
import { StoreCommand } from '../store-command.ts'

const ways = ['kernel', 'fuse', 'extract'] as const

export class Mount extends StoreCommand {
  static override summary = 'Show an image or a container as a directory.'
  static override description =
    `Of a container, what is written there is written in the container; images and snapshots are shown for reading. The way is the best that works here: the kernel itself (root), FUSE (root, a user namespace, or fusermount3), or a copy (--via extract). The command returns when everything can be read, and the mount stays until ply umount; by FUSE a process in the background serves it.

With -- COMMAND the mount is there for that command alone, in a namespace of its own where that is allowed, and all of it is gone when the command ends, whose exit code is that of ply (128 and the number of a signal that has ended it; 127 if there is no such program, 126 if it cannot be started, 125 if ply itself has failed). DIR may be left out then: the command finds the mount in its working directory. Its place is in $PLY_MOUNT, too.

Without root and without a namespace, files keep the owners of the image: --uidmap 0:$(id -u):1 --gidmap 0:$(id -g):1 makes what is root's yours.`
  static override examples = [
    { description: 'The container work, to work in', command: 'ply mount work /mnt' },
    { description: 'An image, to look at', command: 'ply mount debian:12 /mnt' },
    { description: 'A command in an image, without root', command: 'ply mount debian:12 -- cat etc/os-release' },
  ]
  static override args = {
    tree: requiredArg(
      'A container, container:NAME[@SNAPSHOT], or an image in the store (store:NAME, if a container has that name).',
    ),
    dir: Args.string({ ignoreStdin: true, description: 'The directory to mount on. It must be there.' }),
  }
  static override runsAnother(argv: readonly string[]) {
    return argv.includes('--')
  }
  static override usage = 'mount TREE [DIR] [FLAGS] [-- COMMAND [ARGUMENT...]]'
  static override flags = {
    via: Flags.option({ options: ways, summary: 'Mount in this way, or not at all.' })(),
    'read-only': Flags.boolean({ summary: 'Let nothing be written.' }),
    suid: Flags.boolean({ summary: 'Let set-id bits count.' }),
    dev: Flags.boolean({ summary: 'Let device nodes open devices.' }),
    ...ownerFlags,
    'allow-other': Flags.boolean({
      allowNo: true,
      summary:
        'Let other users in, by FUSE; root does so unless told otherwise, others need user_allow_other in /etc/fuse.conf.',
    }),
    'low-latency': Flags.boolean({
      summary:
        'Keep idle processors awake while a mount by FUSE is asked: answers come sooner, above all in virtual machines, and take more power. For root.',
    }),
    foreground: Flags.boolean({ char: 'f', summary: 'Stay, and unmount when stopped by Ctrl-C or a signal.' }),
  }

  async run() {
    // The parser takes everything out of it.
    const argv = [...this.argv]
    const dashes = argv.indexOf('--')
    const [program, ...given] = dashes < 0 ? [] : argv.slice(dashes + 1)
    const { args, flags } = await this.parse(Mount, dashes < 0 ? argv : argv.slice(0, dashes))
    const { PlyError } = await this.library()
    const usage = (reason: string) => new PlyError('PLY_USAGE', { reason })
    if (dashes >= 0 && program === undefined) throw usage('missing: COMMAND after --')
    if (dashes < 0 && args.dir === undefined) throw usage('missing: DIR, or -- COMMAND')
    if (program !== undefined && flags.foreground)
      throw usage('a command is in the foreground anyway; leave --foreground away')
    if (program !== undefined && this.jsonEnabled())
      throw usage('--json and the output of a command cannot share stdout')

    const store = await this.store()
    const subject = await this.#subject(store, args.tree)
    const options = {
      via: flags.via,
      readOnly: flags['read-only'] || undefined,
      suid: flags.suid,
      devices: flags.dev,
      owners: await ownersFrom(flags, await this.library()),
      allowOther: flags['allow-other'],
      lowLatency: flags['low-latency'],
    }
    if (program !== undefined) return this.#command(store, subject, args.dir, options, [program, ...given])
    if (flags.foreground) return this.#foreground(store, subject, args.dir!, options)
    const { mount } = await this.library()
    const operation = { ...options, ...this.operation, background: true }
    return this.#told(await mount({ store, ...subject }, args.dir!, operation), options)
  }

  /** A container's name comes first: it is the shorter one, and an image has its tag. */
  async #subject(store: Store, text: string): Promise<CommandInMount['subject']> {
    const { PlyError, splitReference } = await this.library()
    if (/^[\w.-]+(@[\w.-]+)?$/.test(text)) {
      const name = text.replace(/@.*/s, '')
      if ((await store.containers.list()).some((one) => one.name === name)) return { container: text }
    }
    const { transport, details } = splitReference(await this.named(text))
    if (transport === 'container') return { container: details }
    if (transport === 'store') return { image: details }
    const reason = `only what is in the store can be mounted; bring it there first: ply copy ${text} NAME`
    throw new PlyError('PLY_USAGE', { reason })
  }

  async #foreground(store: Store, subject: CommandInMount['subject'], target: string, options: MountOptions) {
    const { Endings, mount, servedUntilTold } = await this.library()
    // In this order: Node forgets a signal that has come, and was not told yet, when nobody listens for a moment.
    using endings = new Endings(this.world.signal)
    this.world.releaseSignals?.()
    const mounted = await mount({ store, ...subject }, target, {
      ...this.operation,
      ...options,
      signal: endings.signal,
    })
    const value = this.#told(mounted, options)
    if (!this.jsonEnabled())
      await this.output.room().catch((error: unknown) => {
        // Nobody reads that any more; the mount is there all the same.
        if (!(error instanceof OutputClosed)) throw error
      })
    await servedUntilTold(mounted, endings, {
      busy: (error) => this.say(`${error.message}; serving on until they have left, stop it once more to cut them off`),
      isThere: () => mounted.via === 'fuse' || store.mounts.list().some(({ id }) => id === mounted.id),
    })
    return value
  }

  async #command(
    store: Store,
    subject: CommandInMount['subject'],
    target: string | undefined,
    options: MountOptions,
    command: readonly [string, ...string[]],
  ) {
    const { codeOf, Endings, runInMount } = await this.library()
    // In this order: Node forgets a signal that has come, and was not told yet, when nobody listens for a moment.
    using endings = new Endings(this.world.signal)
    this.world.releaseSignals?.()
    try {
      const opening = { root: store.root, options: this.storeOptions }
      const what = { store: opening, subject, target, options, command }
      const end = await runInMount(what, { endings, onNote: (text) => this.say(text) })
      this.exitWith('status' in end ? end.status : 128 + (await this.#numberOf(end.signal)))
    } catch (error) {
      const { syscall, path } = error as { readonly syscall?: string; readonly path?: string }
      if (!syscall?.startsWith('spawn') || path !== command[0]) return this.#stopped(error, endings.signal)
      this.exitWith(codeOf(error) === 'ENOENT' ? 127 : 126)
      this.world.stderr.write(
        `ply: ${command[0]}: ${codeOf(error) === 'ENOENT' ? 'no such program' : 'cannot be started'}\n`,
      )
    }
    return undefined
  }

  /** Says which signal it was. */
  async #stopped(error: unknown, { reason }: AbortSignal): Promise<never> {
    const { codeOf, PlyError } = await this.library()
    throw codeOf(error) === 'PLY_ABORTED' ? new PlyError('PLY_ABORTED', {}, { cause: reason }) : error
  }

  async #numberOf(signal: NodeJS.Signals): Promise<number> {
    return (await import('node:os')).constants.signals[signal]
  }

  #told({ id, target, via, why, readOnly }: Mounted, { owners: shifted }: MountOptions) {
    this.print(target)
    for (const line of why) this.say(line)
    const user = process.getuid?.() ?? 0
    if (via === 'fuse' && !readOnly && !shifted && user !== 0)
      this.say(
        `what is root's there this user cannot change; --uidmap 0:${user}:1 --gidmap 0:${process.getgid!()}:1 makes it yours`,
      )
    return { id, target, via, why, readOnly }
  }
}
