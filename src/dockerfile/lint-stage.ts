import { posix } from 'node:path'
import { meant } from './failure.ts'
import type { LintBase, Report } from './lint-finding.ts'
import { lintSecret } from './lint-instructions.ts'
import type { Stage } from './stages.ts'
import type { Meaning, Step } from './step.ts'
import { expandWord } from './words.ts'

export interface StageVariablesOptions {
  readonly escape: string
  readonly args: ReadonlyMap<string, string>
  readonly globals: ReadonlyMap<string, string>
  /** Those at the end of the stage that this one is on. */
  readonly below: StageVariables | undefined
  /** Where it is on an image: what is known of it. */
  readonly base: Pick<LintBase, 'environment' | 'shell'> | undefined
}

/** What a stage knows at some line: variables, and whether some things were said. */
export class StageVariables {
  readonly #options: StageVariablesOptions
  readonly #values = new Map<string, string>()
  /** Names that ARG has said, with a value or none. */
  readonly #declared = new Set<string>()
  /** Whether all variables of the image below are known. */
  readonly complete: boolean
  shell: boolean
  absolute: boolean

  constructor(options: StageVariablesOptions) {
    const { below, base } = options
    this.#options = options
    this.complete = below?.complete ?? base !== undefined
    this.shell = below?.shell ?? base?.shell ?? false
    this.absolute = below?.absolute ?? false
    if (below !== undefined) {
      // What a stage has declared, those on it know as well.
      for (const name of below.#declared) this.#declared.add(name)
      for (const [name, value] of below.#values) this.#values.set(name, value)
    }
    for (const [name, value] of below?.environment ?? []) this.set(name, value)
    for (const variable of base?.environment ?? []) {
      const equals = variable.indexOf('=')
      this.set(variable.slice(0, equals), variable.slice(equals + 1))
    }
  }

  readonly environment = new Map<string, string>()

  set(name: string, value: string): void {
    this.environment.set(name, value)
    this.#values.set(name, value)
  }

  declare(name: string, value: string | undefined): void {
    this.#declared.add(name)
    const { args, globals } = this.#options
    const said = args.get(name) ?? value ?? globals.get(name)
    if (said !== undefined && !this.environment.has(name)) this.#values.set(name, said)
  }

  /** The text with its variables put in; `undefined` for what no build would take. */
  word(text: string, onUnset?: (name: string) => void): string | undefined {
    const heard = (name: string) => {
      if (!this.#declared.has(name)) onUnset?.(name)
    }
    try {
      return expandWord(text, (name) => this.#values.get(name), { escape: this.#options.escape, onUnset: heard })
    } catch {
      return undefined
    }
  }

  get names(): readonly string[] {
    return [...new Set([...this.#values.keys(), ...this.#declared])]
  }
}

export interface StageSurroundings {
  readonly isIgnored: ((path: string) => boolean) | undefined
}

/** What can be said of the instructions of a stage, one after the other. */
export function lintStage(
  { steps }: Stage,
  variables: StageVariables,
  { isIgnored }: StageSurroundings,
  report: Report,
): void {
  const last = new Map<string, Step>()
  for (const step of steps) {
    const { meaning, instruction } = step
    const { line, keyword } = instruction
    const word = (text: string) =>
      variables.word(text, (name) => {
        if (variables.complete) report('UndefinedVar', line, `nothing has set ${name}${meant(name, variables.names)}`)
      })
    for (const text of wordsIn(meaning)) word(text)
    switch (meaning.is) {
      case 'arg':
        for (const { name, value } of meaning.args) {
          lintSecret('ARG', name, line, report)
          variables.declare(name, value === undefined ? undefined : variables.word(value))
        }
        break
      case 'env': {
        const set = meaning.pairs.map(({ name, value }) => [name, variables.word(value) ?? ''] as const)
        for (const [name, value] of set) {
          lintSecret('ENV', name, line, report)
          variables.set(name, value)
        }
        break
      }
      case 'shell':
        variables.shell = true
        break
      case 'workdir':
        variables.absolute = lintDirectory(variables.word(meaning.text), variables.absolute, line, report)
        break
      case 'cmd':
      case 'entrypoint':
        if (meaning.command.form === 'shell' && !variables.shell)
          report(
            'JSONArgsRecommended',
            line,
            `${keyword} is run by a shell, which hands no signal on: write an array, or say SHELL`,
          )
        break
      case 'expose':
        for (const port of meaning.words) lintPort(variables.word(port) ?? '', line, report)
        break
      case 'copy':
      case 'add':
        if (isIgnored !== undefined && (meaning.is === 'add' || meaning.from === undefined))
          for (const source of meaning.sources)
            lintSource(variables.word(source) ?? '', isIgnored, line, keyword, report)
        break
      default:
    }
    if (meaning.is !== 'cmd' && meaning.is !== 'entrypoint' && meaning.is !== 'healthcheck') continue
    const before = last.get(keyword)
    if (before !== undefined)
      report(
        'MultipleInstructionsDisallowed',
        before.instruction.line,
        `only the last ${keyword} of a stage counts: take this one out`,
      )
    last.set(keyword, step)
  }
}

/** The texts of an instruction that variables are put into. */
function wordsIn(meaning: Meaning): readonly string[] {
  switch (meaning.is) {
    case 'arg':
      return meaning.args.flatMap(({ value }) => value ?? [])
    case 'env':
    case 'label':
      return meaning.pairs.flatMap(({ name, value }) => [name, value])
    case 'user':
    case 'stopsignal':
    case 'workdir':
      return [meaning.text]
    case 'expose':
    case 'volume':
      return meaning.words
    case 'copy':
    case 'add': {
      const { sources, target, chown = '', chmod = '', excludes } = meaning
      return [...sources, target, chown, chmod, ...excludes]
    }
    case 'run':
      return meaning.mounts.flatMap(({ id = '', target = '', source = '', from = '' }) => [id, target, source, from])
    default:
      return []
  }
}

function lintDirectory(path: string | undefined, absolute: boolean, line: number, report: Report): boolean {
  if (path === undefined || absolute || path.startsWith('/')) return absolute || path?.startsWith('/') === true
  report('WorkdirRelativePath', line, `${path} is below whatever the image has for its directory: write /${path}`)
  return false
}

function lintPort(port: string, line: number, report: Report): void {
  const protocol = /\/([a-z]+)$/i.exec(port)?.[1]
  if (protocol !== undefined && protocol !== protocol.toLowerCase())
    report('ExposeProtoCasing', line, `${port}: write ${protocol.toLowerCase()}`)
  if (port.includes(':'))
    report(
      'ExposeInvalidFormat',
      line,
      `${port}: EXPOSE takes no address and no port of the host, which count for nothing`,
    )
}

function lintSource(
  source: string,
  isIgnored: (path: string) => boolean,
  line: number,
  keyword: string,
  report: Report,
): void {
  if (source === '' || /^[a-z]+:\/\/|^[\w.-]+@[\w.-]+:/i.test(source) || /[*?[\\]/.test(source)) return
  const path = posix.normalize(`/${source}`).replace(/^\/|\/$/g, '')
  if (path !== '' && isIgnored(path))
    report('CopyIgnoredFile', line, `${keyword} ${source}: .dockerignore leaves it out of the context`)
}
