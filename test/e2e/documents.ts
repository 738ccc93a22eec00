import { execFile, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export const project = fileURLToPath(new URL('../..', import.meta.url))

/** A piece of a document, in its order. */
type Part =
  | { readonly is: 'text'; readonly text: string }
  | { readonly is: 'file'; readonly name: string; readonly text: string; readonly shown: string }
  | { readonly is: 'script'; readonly text: string; readonly shown: string }
  | { readonly is: 'commands'; readonly commands: readonly Command[] }

interface Command {
  /** Lines as they are typed; from the second on the document has `> ` before them. */
  readonly text: string
  /** What it prints, as the document says; `…` stands for what differs from one time to the next. */
  readonly output: string
}

/**
 * The parts of a document: what is fenced as `console` are commands (`$ `) and their output; what is fenced as `sh run` is pasted as it stands, and
 * prints nothing; what is fenced as any language and has a name after it, as in ` ```js app.mjs `, is a file. Nobody sees that name on the page:
 * the line before says it too.
 */
function partsOf(document: string): Part[] {
  const parts: Part[] = []
  let end = 0
  for (const match of document.matchAll(/^```(\w+)(?: (\S+))?\n([\s\S]*?)^```\n/gm)) {
    const [shown, language, name, text = ''] = match
    const isFile = name !== undefined && name !== 'example' && name !== 'run'
    if (language !== 'console' && name !== 'run' && !isFile) continue
    const before = document.slice(end, match.index)
    if (isFile && !before.endsWith(`\`${name}\`:\n\n`))
      throw new Error(`the line before the file ${name} does not say its name`)
    parts.push({ is: 'text', text: before })
    if (isFile) parts.push({ is: 'file', name, text, shown })
    else if (name === 'run') parts.push({ is: 'script', text, shown })
    else parts.push({ is: 'commands', commands: commandsIn(text) })
    end = match.index + shown.length
  }
  return [...parts, { is: 'text', text: document.slice(end) }]
}

function commandsIn(text: string): Command[] {
  return text
    .split(/^\$ /m)
    .slice(1)
    .map((one) => {
      const [command = '', output = ''] = /^(.*\n(?:> .*\n)*)([\s\S]*)$/.exec(one)!.slice(1)
      return { text: command.replaceAll(/^> /gm, ''), output }
    })
}

/** The document as it stands, with other outputs. */
function written(parts: readonly Part[], outputs: readonly string[]): string {
  let number = 0
  const shown = ({ text }: Command) => `$ ${text.trimEnd().replaceAll('\n', '\n> ')}\n${outputs[number++]}`
  return parts
    .map((part) => {
      if (part.is === 'text') return part.text
      if (part.is !== 'commands') return part.shown
      return `\`\`\`console\n${part.commands.map(shown).join('')}\`\`\`\n`
    })
    .join('')
}

/** Who runs a document. */
export interface Reader {
  /** Words before the shell: how to become somebody. */
  readonly as: readonly string[]
  /** The command, as it is installed. */
  readonly ply: string
  /** The Node that runs it; this one unless told. */
  readonly node?: string
}

/** What a machine has that has next to nothing: a shell, coreutils, and Node. */
const programs =
  `bash sh env cat ls mkdir rm cp mv ln chmod touch head tail sort uniq wc cut tr tee seq printf date id sleep du stat
  readlink realpath basename dirname mktemp true false test sha256sum`.split(/\s+/)

interface Told {
  readonly outputs: readonly string[]
  /** Commands that failed, and how. */
  readonly failed: readonly string[]
}

/** Runs the commands of a document one after the other, in a shell of their own, in a directory that is empty, and answers what they print. */
async function runDocument(
  parts: readonly Part[],
  directory: string,
  { as, ply, node = process.execPath }: Reader,
): Promise<Told> {
  const bin = join(directory, 'bin')
  const work = join(directory, 'work')
  for (const place of [directory, bin, work, join(directory, 'home'), join(directory, 'tmp')])
    mkdirSync(place, { mode: 0o777 })
  spawnSync('chmod', ['-R', '777', directory])
  for (const name of programs) {
    const path = ['/usr/bin', '/bin'].map((place) => join(place, name)).find((one) => existsSync(one))
    if (path !== undefined) symlinkSync(path, join(bin, name))
  }
  symlinkSync(node, join(bin, 'node'))
  symlinkSync(ply, join(bin, 'ply'))
  const steps = parts.flatMap((part) => {
    if (part.is === 'text') return []
    if (part.is === 'script') return [part.text]
    if (part.is === 'file') return [`cat > ${part.name} <<'END OF FILE'\n${part.text}END OF FILE\n`]
    return part.commands.map(({ text }) => `printf '\\001\\n'\n${text}\nprintf '\\002%s\\n' $?\n`)
  })
  const script = join(directory, 'script')
  writeFileSync(script, steps.join(''))
  const environment = {
    PATH: bin,
    HOME: join(directory, 'home'),
    TMPDIR: join(directory, 'tmp'),
    LANG: 'C.UTF-8',
    TZ: 'UTC',
  }
  const [program = '', ...words] = [...as, join(bin, 'bash'), '-c', 'exec bash "$0" 2>&1 < /dev/null', script]
  const path = program.includes('/') ? program : join('/usr/bin', program)
  const { stdout } = await promisify(execFile)(path, words, { cwd: work, env: environment, timeout: 120_000 })
  const told = stdout
    .split('\x01\n')
    .slice(1)
    .map((one) => one.split('\x02'))
  const commands = parts.flatMap((part) => (part.is === 'commands' ? part.commands : []))
  return {
    outputs: told.map(([output = '']) => output.replaceAll(directory, '/tmp/tour')),
    failed: commands.flatMap(({ text }, i) => {
      const status = told[i]?.[1]?.trim()
      return status === '0' ? [] : [`${text.trim()}: ${status ?? 'not run'}\n${told[i]?.[0]}`]
    }),
  }
}

/** What an output is, with the lines of the document where they say the same. */
function agreed(said: string, output: string): string {
  const lines = said.split('\n')
  return output
    .split('\n')
    .map((line, i) => (fits(line, lines[i] ?? '') ? lines[i] : line))
    .join('\n')
}

function fits(line: string, said: string): boolean {
  const parts = said.split('…').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`).test(line)
}

/** Runs a document of `docs/` in a new directory: what it says, and what it would say now. */
export async function readAs(
  reader: Reader,
  name: string,
  directory: string,
): Promise<{ readonly said: string; readonly now: string; readonly failed: readonly string[] }> {
  const said = readFileSync(join(project, 'docs', name), 'utf8')
  const parts = partsOf(said)
  const { outputs, failed } = await runDocument(parts, directory, reader)
  const before = parts.flatMap((part) => (part.is === 'commands' ? part.commands : []))
  const now = outputs.map((output, i) => agreed(before[i]?.output ?? '', output))
  return { said, now: written(parts, now), failed }
}
