import type { Interfaces } from '@oclif/core'
import { commandGroups } from './commands.ts'
import { exitCodes, exitMeanings } from './exit-codes.ts'
import { describedClass } from './help.ts'

interface Example {
  readonly description: string
  readonly command: string
}

type Flag = Interfaces.Flag<unknown>
type Arg = Interfaces.Arg<unknown>

const introduction = `# The command \`ply\`

Generated from the commands themselves by \`npm run docs:cli\`; a test keeps it current.

\`ply COMMAND --help\` shows the same for one command. Results go to stdout, everything else to stderr.

## Names

| what | how it is written |
| --- | --- |
| an image in the store | \`debian:12\`, \`localhost/app\`, \`host:5000/team/app:1\` |
| an image elsewhere | \`oci:DIR[:TAG]\`, \`oci-archive:FILE[:TAG]\`, \`docker-archive:FILE[:NAME:TAG]\`, \`dir:DIR\`, \`docker://HOST/NAME[:TAG]\` |
| a root file system | \`rootfs:DIR\`, \`tar:FILE\` |
| a tree | any of these, or \`container:work\`, \`container:work@before\` (a snapshot) |
| a path in a container | \`work:/etc/issue\`, \`work@before:/etc/issue\` |
| stdin or stdout | \`-\` |

Names of files that are not UTF-8 or hold control characters are shown with \`\\xNN\` in place of such a byte and \`\\\\\` for a
backslash. With \`--json\` they are text, beside \`pathBytes\` (base64) where the text is not exact.
`

/** docs/cli.md. */
export async function cliReference(): Promise<string> {
  const parts = [introduction, await sharedFlags(), exitTable()]
  for (const [title, group] of Object.entries(commandGroups)) {
    parts.push(`## ${title[0]!.toUpperCase()}${title.slice(1)}\n`)
    for (const id of Object.keys(group)) parts.push(await section(id))
  }
  return parts.join('\n')
}

async function sharedFlags(): Promise<string> {
  const { baseFlags } = await describedClass('images')
  return `## Flags of every command\n\n${flagTable(Object.entries(baseFlags as Record<string, Flag>))}`
}

function exitTable(): string {
  const rows = Object.entries(exitMeanings).map(([exit, meaning]) => {
    const codes = Object.entries(exitCodes).filter(([, code]) => String(code) === exit)
    return `| ${exit} | ${meaning} | ${codes.map(([code]) => `\`${code}\``).join(' ')} |\n`
  })
  return `## Exit codes\n\n| exit | means | error codes |\n| --- | --- | --- |\n${rows.join('')}
An error is one line on stderr, \`ply: …\`, and often a second that says what to do. With \`--json\` stdout gets
\`{"error": {"code", "message", "details"}}\` as well. \`--log-level debug\` (or \`PLY_LOG=debug\`) adds the stack.

With \`--log-format json\` each line on stderr is an object: \`level\` (\`error\`, \`info\`, \`debug\`), \`time\`, and \`message\`; an error has
\`code\`, \`details\` and \`hint\` as well. At \`debug\` there is a line for each phase that ends: \`phase\` (\`import\`, \`fold\`, \`unpack\`, \`fetch\`,
\`push\`, \`request\`, \`step\`, at last \`command\`), \`what\` and \`milliseconds\`.
`
}

async function section(id: string): Promise<string> {
  const { summary, description, usage, args, flags, baseFlags, examples } = await describedClass(id)
  const shared = new Set(Object.keys(baseFlags))
  const own = Object.entries(flags as Record<string, Flag>).filter(([name]) => !shared.has(name))
  const given = Object.entries(args as Record<string, Arg>)
  const parts = [`### \`ply ${id}\`\n\n${summary}\n`, `\`\`\`\nply ${usage}\n\`\`\`\n`]
  if (description !== undefined) parts.push(`${description}\n`)
  if (given.length > 0)
    parts.push(given.map(([name, arg]) => `- \`${name.toUpperCase()}\`: ${arg.description}\n`).join(''))
  if (own.length > 0) parts.push(flagTable(own))
  for (const example of examples as Example[])
    parts.push(`${example.description}:\n\n\`\`\`sh\n${example.command}\n\`\`\`\n`)
  return parts.join('\n')
}

function flagTable(flags: readonly (readonly [string, Flag])[]): string {
  const rows = flags.map(([name, flag]) => {
    const words = flag.type === 'option' ? (flag.helpValue ?? flag.options?.join('|') ?? name.toUpperCase()) : undefined
    // In a table a bar ends the cell.
    const value = words === undefined ? '' : ` ${String(words).replaceAll('|', '\\|')}`
    const short = flag.char === undefined ? '' : `\`-${flag.char}\`, `
    const environment = flag.env === undefined ? '' : ` (or \`${flag.env}\`)`
    const negatable = flag.type === 'boolean' && flag.allowNo ? '[no-]' : ''
    return `| ${short}\`--${negatable}${name}${value}\` | ${flag.summary}${environment} |\n`
  })
  return `| flag | |\n| --- | --- |\n${rows.join('')}`
}
