import type { Config } from '@oclif/core/config'
import type { ErrorCode } from '../index.ts'
import { commands } from './commands.ts'
import { ownFailure } from './exit-codes.ts'
import { failureOf, renderFailure } from './failure.ts'
import { jsonText } from './json.ts'
import { logChoice, logLine } from './log.ts'
import { OutputClosed, writeOut } from './output.ts'
import { UsageError } from './usage-error.ts'
import { wordsOfOthers } from './words-of-others.ts'
import type { World } from './world.ts'

/** What package.json says that the command needs to know. */
export interface PackageFacts {
  readonly name: string
  readonly version: string
  readonly root: string
}

/** Runs one command line and answers with its exit code. Whatever goes wrong is told on stderr. */
export async function main(argv: readonly string[], world: World, facts: PackageFacts): Promise<number> {
  const [id, ...rest] = globalFlagsLast(argv)
  let runsAnother = false
  try {
    if (id === undefined || wantsHelp(id) || (id === 'help' && rest[0] === undefined)) {
      await writeOut(world.stdout, await (await import('./help.ts')).rootHelp())
      return 0
    }
    if (id === '--version' || id === 'version') {
      await writeOut(world.stdout, `${versionLine(facts)}\n`)
      return 0
    }
    const named = id === 'help' ? firstWords(rest)[0]! : id
    const load = commands.get(named)
    if (load === undefined && isGroup(named) && (id === 'help' || rest.every(wantsHelp))) {
      await writeOut(world.stdout, await (await import('./help.ts')).groupHelp(named))
      return 0
    }
    if (load === undefined) throw unknownCommand(named)
    const Command = await load()
    runsAnother = Command.runsAnother(rest)
    // To `ls` and `du` -h means sizes that people can read.
    const taken = Object.values((Command.flags ?? {}) as Readonly<Record<string, { readonly char?: string }>>)
    const short = taken.some(({ char }) => char === 'h')
    if (id === 'help' || beforeDashes(rest).some((word) => word === '--help' || (word === '-h' && !short))) {
      const { commandHelp } = await import('./help.ts')
      await writeOut(
        world.stdout,
        await commandHelp(named, await loadConfig(facts), Math.min(world.columns ?? 100, 100)),
      )
      return 0
    }
    const command = new Command(rest, parsingConfig(facts))
    command.id = named
    return await command.execute(world)
  } catch (error) {
    const exitCode = await report(error, id, argv, world)
    return runsAnother && exitCode !== 0 && exitCode < 128 ? ownFailure : exitCode
  }
}

function versionLine({ name, version }: Pick<PackageFacts, 'name' | 'version'>): string {
  return `${name} ${version}`
}

/** What Node has no name for (`UNKNOWN`: a full quota, for one), as the library calls it. */
async function named(error: unknown): Promise<unknown> {
  if (!(error instanceof Error) || !/^unknown/i.test((error as NodeJS.ErrnoException).code ?? '')) return error
  const { codeOf, PlyError } = await import('../index.ts')
  const { syscall, path, dest } = error as NodeJS.ErrnoException & { readonly dest?: string }
  const details = { ...(syscall && { syscall }), ...(path && { path }), ...(dest && { dest }) }
  return new PlyError(codeOf(error) as ErrorCode, details, { cause: error })
}

async function report(error: unknown, id: string | undefined, argv: readonly string[], world: World): Promise<number> {
  if (error instanceof OutputClosed) return 0
  const failure = failureOf(await named(error), id !== undefined && commands.has(id) ? id : undefined)
  const { code, message, details, hint, exitCode } = failure
  if (beforeDashes(argv).includes('--json')) {
    await writeOut(
      world.stdout,
      `${jsonText({ error: { code, message, details, ...(hint !== undefined && { hint }) } })}\n`,
    ).catch(() => {})
  }
  const stack =
    logChoice('log-level', argv, world.environment) === 'debug' && error instanceof Error ? stackOf(error) : undefined
  if (logChoice('log-format', argv, world.environment) === 'json') {
    const told = { code, message, details, ...(hint !== undefined && { hint }), ...(stack !== undefined && { stack }) }
    world.stderr.write(logLine('error', told))
  } else {
    world.stderr.write(renderFailure(failure))
    if (stack !== undefined) world.stderr.write(`${stack}\n`)
  }
  if (code === 'PLY_ABORTED') {
    const reason = world.signal.reason ?? (error as Error).cause
    if (reason === 'SIGTERM') return 143
    if (reason === 'SIGHUP') return 129
  }
  return exitCode
}

/** The stack with those of its causes. */
function stackOf(error: Error): string {
  const own = error.stack ?? String(error)
  return error.cause instanceof Error ? `${own}\ncaused by ${stackOf(error.cause)}` : own
}

/** All that parsing asks of oclif's configuration; making one takes longer than most commands. */
function parsingConfig({ version }: PackageFacts): Config {
  return { bin: 'ply', version, runHook: async () => ({ successes: [], failures: [] }) } as unknown as Config
}

/** What oclif's help asks for. The commands are in a table of ours: oclif has nothing to look for on the disk. */
async function loadConfig({ name, version, root }: PackageFacts): Promise<Config> {
  const { Config } = await import('@oclif/core/config')
  const config = await Config.load({
    root,
    ignoreManifest: true,
    // oclif would look for plugins in its data directory, which by its rules is our store.
    userPlugins: false,
    devPlugins: false,
    pjson: { name, version, type: 'module', oclif: { bin: 'ply', dirname: 'ply' } } as never,
  })
  return config
}

function wantsHelp(argument: string): boolean {
  return argument === '--help' || argument === '-h'
}

function beforeDashes(argv: readonly string[]): readonly string[] {
  const dashes = argv.indexOf('--')
  return dashes < 0 ? argv : argv.slice(0, dashes)
}

/** `ply --root DIR images` is `ply images --root DIR`. */
function globalFlagsLast(argv: readonly string[]): string[] {
  const moved: string[] = []
  let at = 0
  for (; at < argv.length; at++) {
    const argument = argv[at]!
    if (/^--(root|progress|log-level|log-format)$/.test(argument)) moved.push(argument, ...argv.slice(++at, at + 1))
    else if (/^(--root=|--progress=|--log-level=|--log-format=|--json$|--quiet$|-q$)/.test(argument))
      moved.push(argument)
    else break
  }
  const [id, ...rest] = firstWords(argv.slice(at))
  return id === undefined ? moved.filter(wantsHelp) : [id, ...moved, ...rest]
}

/** The first two words as one, where they name a command: `index create`. */
function firstWords(words: readonly string[]): readonly string[] {
  const [first, second, ...rest] = words
  return second !== undefined && commands.has(`${first} ${second}`) ? [`${first} ${second}`, ...rest] : words
}

/** Whether it is the first word of commands of two. */
function isGroup(id: string): boolean {
  return [...commands.keys()].some((name) => name.startsWith(`${id} `))
}

function unknownCommand(id: string): UsageError {
  if (id.startsWith('-')) return new UsageError(`unknown flag: ${id}; see: ply --help`)
  if (isGroup(id)) return new UsageError(`${JSON.stringify(id)} takes one more word; see: ply ${id} --help`)
  const here = wordsOfOthers.get(id)
  if (here !== undefined) return new UsageError(`${JSON.stringify(id)} is not a command; here it is: ${here}`)
  const close = [...commands.keys()].filter((name) => distance(id, name) <= 2 || name.startsWith(id)).slice(0, 3)
  const hint = close.length > 0 ? `did you mean: ${close.join(', ')}?` : 'see: ply --help'
  return new UsageError(`${JSON.stringify(id)} is not a command; ${hint}`)
}

/** Edits between two words. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
    }
    row = next
  }
  return row[b.length]!
}
