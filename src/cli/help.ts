import type { Config } from '@oclif/core/config'
import { CommandHelp } from '@oclif/core/help'
import { type CommandClass, commandGroups, commands } from './commands.ts'
import { aligned } from './table.ts'

/** `ply --help`: every command with its summary. */
export async function rootHelp(): Promise<string> {
  const lines = [
    'Layered container images without a daemon and without root.',
    '',
    'USAGE',
    '  $ ply COMMAND [ARGUMENTS] [FLAGS]',
    '  $ ply COMMAND --help',
  ]
  for (const [title, group] of Object.entries(commandGroups)) {
    const rows: string[][] = []
    for (const [name, load] of Object.entries(group)) rows.push([name, (await load()).summary ?? ''])
    lines.push('', title.toUpperCase(), ...aligned(rows, () => false, '  ').map((line) => `  ${line}`))
  }
  lines.push(
    '',
    'EXAMPLE',
    '  $ ply load debian.tar && ply create debian:12 --name work',
    '  $ echo hello | ply cp - work:/etc/motd && ply commit work debian:hello',
  )
  return `${lines.join('\n')}\n`
}

/** `ply index --help`: the commands that begin with that word. */
export async function groupHelp(word: string): Promise<string> {
  const rows: string[][] = []
  for (const [name, load] of commands) if (name.startsWith(`${word} `)) rows.push([name, (await load()).summary ?? ''])
  const lines = [
    'USAGE',
    `  $ ply ${word} COMMAND [ARGUMENTS] [FLAGS]`,
    `  $ ply ${word} COMMAND --help`,
    '',
    'COMMANDS',
  ]
  return `${[...lines, ...aligned(rows, () => false, '  ').map((line) => `  ${line}`)].join('\n')}\n`
}

/** `ply COMMAND --help`. */
export async function commandHelp(id: string, config: Config, width: number): Promise<string> {
  const command = await describedClass(id)
  const help = new CommandHelp(command as never, config, { maxWidth: width, flagSortOrder: 'none' } as never)
  return `${command.summary}\n\n${help.generate()}\n`
}

/** A command's class with the shared flags among its own, as the help renderer wants it. */
export async function describedClass(id: string): Promise<CommandClass & { id: string }> {
  const load = commands.get(id)
  if (load === undefined) throw new Error(`no command ${id}`)
  const command = await load()
  const args = named(command.args)
  return Object.assign(Object.create(command), {
    id,
    usage: command.usage ?? usageOf(id, Object.values(args)),
    args,
    flags: named({ ...command.flags, ...command.baseFlags }),
  })
}

/** `load [SOURCE] [FLAGS]`. */
function usageOf(id: string, args: readonly { name: string; required?: boolean; multiple?: boolean }[]): string {
  const words = args.map(({ name, required = false, multiple = false }) => {
    const word = `${name.toUpperCase()}${multiple ? '...' : ''}`
    return required ? word : `[${word}]`
  })
  return [id, ...words, '[FLAGS]'].join(' ')
}

function named<T extends object>(parts: Readonly<Record<string, T>>): Record<string, T & { name: string }> {
  return Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, { ...part, name }]))
}
