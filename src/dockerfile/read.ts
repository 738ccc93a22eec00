import { DockerfileParser, type Heredoc as HeredocNode, type Instruction as Node } from 'dockerfile-ast'
import { badDockerfile, type Place } from './failure.ts'
import { splitFlags } from './flags.ts'
import type { Heredoc, Instruction } from './instruction.ts'
import { expandWords } from './words.ts'

/** The lines in front of everything that say how a file is to be read. */
export interface Directives {
  /** The frontend that the file asks for. */
  readonly syntax?: string
  readonly escapeToken: '\\' | '`'
  /** Checks that are left out, in lower case; `all` for all of them. */
  readonly skippedChecks: readonly string[]
  /** Checks that are made only where somebody asks for them, in lower case; `all` for all of them. */
  readonly experimentalChecks: readonly string[]
  /** Whether what a check finds is an error. */
  readonly checksFail: boolean
}

export interface ReadDockerfile {
  readonly directives: Directives
  readonly instructions: readonly Instruction[]
  /** Lines that go on behind an empty one. From 1. */
  readonly emptyContinuations: readonly number[]
}

/**
 * Cuts a Dockerfile into its instructions.
 *
 * @param file how its user calls it, for messages
 * @throws PLY_BAD_DOCKERFILE
 */
export function readDockerfile(text: string, file: string): ReadDockerfile {
  const source = text.replace(/^\ufeff/, '').replaceAll('\r\n', '\n')
  const lines = source.split('\n')
  const directives = directivesOf(lines, file)
  const emptyContinuations: number[] = []
  const nodes = DockerfileParser.parse(readable(source, directives)).getInstructions()
  const instructions = nodes.map((node) => instructionOf(node, lines, { file, directives, emptyContinuations }))
  return { directives, instructions, emptyContinuations }
}

interface Reading {
  readonly file: string
  readonly directives: Directives
  readonly emptyContinuations: number[]
}

/**
 * The text as the parser sees it, with every place where it was: it knows no number in front of a heredoc, and goes on behind two
 * escapes at the end of a line, which are one that is meant.
 */
function readable(text: string, { escapeToken }: Directives): string {
  const two = new RegExp(`${escapeToken === '\\' ? '\\\\\\\\' : '``'}(?=[ \\t]*$)`, 'gm')
  return text.replace(/(?<=[ \t])\d+(?=<<-?["']?[A-Za-z_])/g, (digits) => ' '.repeat(digits.length)).replace(two, '__')
}

function directivesOf(lines: readonly string[], file: string): Directives {
  const found = new Map<string, { readonly value: string; readonly line: number }>()
  for (const [at, line] of lines.entries()) {
    const [, name = '', value = ''] = /^#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$/.exec(line) ?? []
    const key = name.toLowerCase()
    // The first line that is none ends them, be it a comment.
    if (!['syntax', 'escape', 'check'].includes(key)) break
    if (found.has(key)) throw badDockerfile({ file, line: at + 1 }, `the directive ${key} stands here twice`)
    found.set(key, { value, line: at + 1 })
  }
  const token = found.get('escape')
  if (token !== undefined && token.value !== '\\' && token.value !== '`')
    throw badDockerfile({ file, line: token.line }, `escape is a backslash or a backtick, not ${token.value}`)
  const check = found.get('check')
  return {
    ...(found.has('syntax') && { syntax: found.get('syntax')!.value }),
    escapeToken: (token?.value ?? '\\') as '\\' | '`',
    ...checksOf(check?.value, { file, line: check?.line ?? 1 }),
  }
}

/** What `skip=NAMES;experimental=NAMES;error=true` says of checks. @throws PLY_BAD_DOCKERFILE */
export function checksOf(
  text: string | undefined,
  place: Place,
): Pick<Directives, 'skippedChecks' | 'experimentalChecks' | 'checksFail'> {
  const options = new Map<string, string>()
  for (const option of text?.split(';') ?? []) {
    const [, name = '', value = ''] = /^\s*([^=]*?)\s*=\s*(.*?)\s*$/.exec(option) ?? []
    if (name === 'skip' || name === 'experimental' || (name === 'error' && /^(true|false)$/i.test(value)))
      options.set(name, value.toLowerCase())
    else throw badDockerfile(place, `check takes skip=NAMES, experimental=NAMES and error=true, not ${option.trim()}`)
  }
  const names = (name: string) =>
    (options.get(name) ?? '').split(',').flatMap((one) => (one.trim() === '' ? [] : [one.trim()]))
  return {
    skippedChecks: names('skip'),
    experimentalChecks: names('experimental'),
    checksFail: options.get('error') === 'true',
  }
}

function instructionOf(node: Node, lines: readonly string[], reading: Reading): Instruction {
  const { start, end } = node.getRange()
  const heredocNodes = heredocsOf(node)
  const last =
    heredocNodes.length === 0 ? end.line : (heredocNodes[0]!.getContentRange()?.start.line ?? end.line + 1) - 1
  const joined = join(lines.slice(start.line, last + 1), start.line, reading)
  const [, written = '', args = ''] = /^(\S+)(?:[ \t\v\f\r]+(.*))?$/s.exec(joined.trim()) ?? []
  const { flags, rest } = splitFlags(args)
  const line = start.line + 1
  const endLine =
    heredocNodes.length === 0 ? end.line : (heredocNodes.at(-1)!.getDelimiterRange()?.start.line ?? end.line)
  return {
    keyword: written.toUpperCase(),
    written,
    flags,
    rest,
    heredocs: heredocNodes.map((heredoc, at) => heredocOf(heredoc, at, rest, lines, { file: reading.file, line })),
    line,
    endLine: endLine + 1,
    source: lines.slice(start.line, endLine + 1).join('\n'),
    comments: commentsAbove(lines, start.line),
  }
}

function heredocsOf(node: Node): readonly HeredocNode[] {
  const all = 'getHeredocs' in node ? (node as Node & { getHeredocs(): HeredocNode[] }).getHeredocs() : []
  return ['RUN', 'COPY', 'ADD', 'ONBUILD'].includes(node.getKeyword()) ? all.filter((one) => one.getName() !== '') : []
}

/** One line of several: without comments and empty lines between, and without what joins them. */
function join(lines: readonly string[], first: number, { directives, emptyContinuations }: Reading): string {
  const token = directives.escapeToken === '\\' ? '\\\\' : '`'
  // Two of them at the end are one that is meant.
  const goesOn = new RegExp(`(^|[^${token}])${token}[ \\t]*$`)
  let joined = ''
  let empty = false
  for (const [at, line] of lines.entries()) {
    if (at > 0 && /^\s*#/.test(line)) continue
    if (at > 0 && line.trim() === '') {
      empty = true
      continue
    }
    joined += line.replace(goesOn, '$1')
    if (empty) emptyContinuations.push(first + at + 1)
    empty = false
    if (!goesOn.test(line)) break
  }
  return joined
}

const heredocWord = /^(\d*)<<(-?)([^<]*)$/

function heredocOf(
  node: HeredocNode,
  at: number,
  rest: string,
  lines: readonly string[],
  place: { readonly file: string; readonly line: number },
): Heredoc {
  const delimiter = node.getDelimiterRange()
  const name = node.getName()
  if (delimiter === null || delimiter === undefined)
    throw badDockerfile(place, `the heredoc ${name} has no end: a line with ${name} alone`)
  const content = node.getContentRange()
  const words = expandWords(rest, () => undefined, { rawQuotes: true, rawEscapes: true, keepUnset: true })
  const [, digits = '', dash = '', written = name] =
    heredocWord.exec(words.filter((word) => heredocWord.test(word) && !word.endsWith('<<'))[at] ?? '') ?? []
  const from = content?.start.line ?? delimiter.start.line
  return {
    name,
    content: lines
      .slice(from, delimiter.start.line)
      .map((line) => `${line}\n`)
      .join(''),
    expand: !/["'\\]/.test(written),
    chomp: dash === '-',
    descriptor: digits === '' ? 0 : Number(digits),
  }
}

function commentsAbove(lines: readonly string[], line: number): string[] {
  const comments: string[] = []
  for (let at = line - 1; at >= 0 && /^\s*#/.test(lines[at]!); at--) comments.unshift(lines[at]!.trim().slice(1).trim())
  return comments
}
