import { DockerfileParser, type Instruction as Node } from 'dockerfile-ast'
import { badDockerfile, type Place } from './failure.ts'
import { splitFlags } from './flags.ts'
import { endOfHeredoc, heredocWords, mayHaveHeredocs } from './heredoc-lines.ts'
import type { Heredoc, Instruction } from './instruction.ts'

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
  const token = directives.escapeToken === '\\' ? '\\\\' : '`'
  // Two of them at the end are one that is meant.
  const goesOn = new RegExp(`(^|[^${token}])${token}[ \\t]*$`)
  const texts = textsIn(lines, goesOn, file)
  const nodes = DockerfileParser.parse(readable(lines, texts, directives)).getInstructions()
  const instructions = nodes.map((node) => instructionOf(node, lines, { directives, goesOn, texts }))
  const emptyContinuations = nodes.flatMap((node) => [
    ...joinedAt(lines, node.getRange().start.line, goesOn).behindEmpty,
  ])
  return { directives, instructions, emptyContinuations }
}

interface Reading {
  readonly directives: Directives
  /** What stands at the end of a line that goes on. */
  readonly goesOn: RegExp
  readonly texts: ReadonlyMap<number, Texts>
}

/**
 * The text as the parser sees it, with every place where it was: it goes on behind two escapes at the end of a line, which are one that is
 * meant, takes directives from behind comments, and is not to see the texts under instructions.
 */
function readable(lines: readonly string[], texts: ReadonlyMap<number, Texts>, { escapeToken }: Directives): string {
  const seen = [...lines]
  for (const [first, { from, end }] of texts) {
    for (let at = first; at < from; at++) seen[at] = seen[at]!.replaceAll('<<', '__')
    seen.fill('#', from, end)
  }
  for (let at = lines.findIndex((line) => directiveOn(line) === undefined); /^\s*(?:#|$)/.test(seen[at] ?? '-'); at++)
    seen[at] = seen[at]!.replaceAll('=', ' ')
  const two = new RegExp(`${escapeToken === '\\' ? '\\\\\\\\' : '``'}(?=[ \\t]*$)`, 'gm')
  return seen.join('\n').replace(two, '__')
}

/** The texts under an instruction. */
interface Texts {
  readonly heredocs: readonly Heredoc[]
  /** The first of their lines, and the one behind the last, from 0. */
  readonly from: number
  readonly end: number
}

/** What stands under instructions, by the first line of each, from 0. @throws PLY_BAD_DOCKERFILE */
function textsIn(lines: readonly string[], goesOn: RegExp, file: string): ReadonlyMap<number, Texts> {
  const found = new Map<number, Texts>()
  for (let at = 0; at < lines.length; at++) {
    if (/^\s*(?:#|$)/.test(lines[at]!)) continue
    const first = at
    const { text, last } = joinedAt(lines, first, goesOn)
    at = last
    const words = mayHaveHeredocs(text) ? heredocWords(text) : []
    const heredocs = words.map((word) => {
      const end = endOfHeredoc(lines, at + 1, word)
      if (end === undefined)
        throw badDockerfile(
          { file, line: first + 1 },
          `the heredoc ${word.name} has no end: a line with ${word.name} alone`,
        )
      const content = lines.slice(at + 1, end).map((line) => `${line}\n`)
      at = end
      return { ...word, content: content.join('') }
    })
    if (heredocs.length > 0) found.set(first, { heredocs, from: last + 1, end: at + 1 })
  }
  return found
}

function directiveOn(line: string): { readonly key: string; readonly value: string } | undefined {
  const [, name = '', value = ''] = /^#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$/.exec(line) ?? []
  const key = name.toLowerCase()
  return ['syntax', 'escape', 'check'].includes(key) ? { key, value } : undefined
}

function directivesOf(lines: readonly string[], file: string): Directives {
  const found = new Map<string, { readonly value: string; readonly line: number }>()
  for (const [at, line] of lines.entries()) {
    const directive = directiveOn(line)
    // The first line that is none ends them, be it a comment.
    if (directive === undefined) break
    const { key, value } = directive
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

function instructionOf(node: Node, lines: readonly string[], { directives, goesOn, texts }: Reading): Instruction {
  const { start, end } = node.getRange()
  const { text } = joinedAt(lines, start.line, goesOn)
  const [, written = '', args = ''] = /^(\S+)(?:[ \t\v\f\r]+(.*))?$/s.exec(text.trim()) ?? []
  const { flags, rest } = splitFlags(args, directives.escapeToken)
  const under = texts.get(start.line)
  const endLine = under?.end ?? end.line + 1
  return {
    keyword: written.toUpperCase(),
    written,
    flags,
    rest,
    heredocs: under?.heredocs ?? [],
    line: start.line + 1,
    endLine,
    source: lines.slice(start.line, endLine).join('\n'),
    comments: commentsAbove(lines, start.line),
  }
}

/** One line of several: without comments and empty lines between, and without what joins them. */
function joinedAt(
  lines: readonly string[],
  first: number,
  goesOn: RegExp,
): { readonly text: string; readonly last: number; readonly behindEmpty: readonly number[] } {
  const behindEmpty: number[] = []
  let text = ''
  let last = first
  let empty = false
  for (let at = first; at < lines.length; at++) {
    const line = lines[at]!
    if (at > first && /^\s*#/.test(line)) continue
    if (at > first && line.trim() === '') {
      empty = true
      continue
    }
    last = at
    text += line.replace(goesOn, '$1')
    if (empty) behindEmpty.push(at + 1)
    empty = false
    if (!goesOn.test(line)) break
  }
  return { text, last, behindEmpty }
}

function commentsAbove(lines: readonly string[], line: number): string[] {
  const comments: string[] = []
  for (let at = line - 1; at >= 0 && /^\s*#/.test(lines[at]!); at--) comments.unshift(lines[at]!.trim().slice(1).trim())
  return comments
}
