import { PlyError } from '../model/errors.ts'
import { durationOf } from './durations.ts'
import { badDockerfile, meant } from './failure.ts'
import { splitFlags } from './flags.ts'
import type { Flag, Instruction } from './instruction.ts'
import { jsonForm } from './json-form.ts'
import { parseMount } from './mounts.ts'
import { pairsOf, rawWords } from './pairs.ts'
import type { Command, Copying, HealthcheckMeaning, Meaning, Step } from './step.ts'

export interface ParseContext {
  readonly file: string
  readonly escapeToken: string
}

/** The flags of each instruction; an instruction that is not here does not exist. */
const flagsOf: Readonly<Record<string, readonly string[]>> = {
  ADD: ['chown', 'chmod', 'link', 'exclude', 'checksum', 'keep-git-dir', 'unpack'],
  ARG: [],
  CMD: [],
  COPY: ['chown', 'chmod', 'link', 'exclude', 'from', 'parents'],
  ENTRYPOINT: [],
  ENV: [],
  EXPOSE: [],
  FROM: ['platform'],
  HEALTHCHECK: ['interval', 'timeout', 'start-period', 'start-interval', 'retries'],
  LABEL: [],
  MAINTAINER: [],
  ONBUILD: [],
  RUN: ['mount', 'network', 'security', 'device'],
  SHELL: [],
  STOPSIGNAL: [],
  USER: [],
  VOLUME: [],
  WORKDIR: [],
}
const repeatable = new Set(['exclude', 'mount', 'device'])
const switches = new Set(['link', 'parents', 'keep-git-dir', 'unpack'])

/**
 * What an instruction means, its variables not put in yet.
 *
 * @throws PLY_BAD_DOCKERFILE naming the line and what was meant
 */
export function parseStep(instruction: Instruction, context: ParseContext): Step {
  const place = { file: context.file, line: instruction.line }
  try {
    return { instruction, meaning: new Parsing(instruction, context).meaning() }
  } catch (error) {
    if (error instanceof PlyError || !(error instanceof Error)) throw error
    throw badDockerfile(place, `${instruction.keyword}: ${error.message}`, error)
  }
}

class Parsing {
  readonly #instruction: Instruction
  readonly #context: ParseContext
  readonly #flags: ReadonlyMap<string, readonly string[]>

  constructor(instruction: Instruction, context: ParseContext) {
    this.#instruction = instruction
    this.#context = context
    const { keyword, written, flags } = instruction
    const known = flagsOf[keyword]
    if (known === undefined) {
      const place = { file: context.file, line: instruction.line }
      throw badDockerfile(place, `there is no instruction ${written}${meant(written, Object.keys(flagsOf))}`)
    }
    this.#flags = readFlags(flags, known)
  }

  meaning(): Meaning {
    const { keyword, rest } = this.#instruction
    if (rest === '' && this.#instruction.heredocs.length === 0) throw new Error('it wants an argument')
    switch (keyword) {
      case 'ARG':
        return { is: 'arg', args: rawWords(rest, this.#context.escapeToken).map(argOf) }
      case 'FROM':
        return this.#from(rest)
      case 'RUN':
        return this.#run(rest)
      case 'COPY':
        return {
          is: 'copy',
          ...this.#optional('from'),
          parents: this.#switch('parents') ?? false,
          ...this.#copying(rest),
        }
      case 'ADD':
        return this.#add(rest)
      case 'ENV':
      case 'LABEL': {
        const pairs = pairsOf(rest, keyword, this.#context.escapeToken)
        return { is: keyword === 'ENV' ? 'env' : 'label', ...pairs }
      }
      case 'CMD':
      case 'ENTRYPOINT':
        return { is: keyword === 'CMD' ? 'cmd' : 'entrypoint', command: commandOf(rest) }
      case 'SHELL': {
        const words = jsonForm(rest)
        if (words === undefined || words.length === 0) throw new Error('it wants an array in JSON: ["/bin/bash", "-c"]')
        return { is: 'shell', words }
      }
      case 'USER':
      case 'STOPSIGNAL':
      case 'MAINTAINER':
        return { is: keyword.toLowerCase() as 'user', text: rest }
      case 'WORKDIR':
        return { is: 'workdir', text: rest }
      case 'EXPOSE':
        return { is: 'expose', words: rest.split(/\s+/) }
      case 'VOLUME': {
        const words = jsonForm(rest) ?? rest.split(/\s+/)
        if (words.length === 0 || words.some((word) => word.trim() === '')) throw new Error('it wants a path')
        return { is: 'volume', words }
      }
      case 'HEALTHCHECK':
        return { is: 'healthcheck', check: this.#healthcheck(rest) }
      default:
        return this.#onbuild(rest)
    }
  }

  #from(rest: string): Meaning {
    const [image = '', as, name, ...more] = rest.split(/\s+/)
    if (as !== undefined && (as.toLowerCase() !== 'as' || name === undefined || more.length > 0))
      throw new Error('it wants an image, and a name if any: FROM IMAGE [AS NAME]')
    if (name !== undefined && !/^[a-z][a-z0-9-_.]*$/i.test(name))
      throw new Error(`a stage cannot be called ${name}: names begin with a letter and hold letters, digits, - _ and .`)
    return { is: 'from', image, ...this.#optional('platform'), ...(name !== undefined && { as: name.toLowerCase() }) }
  }

  #run(rest: string): Meaning {
    const network = this.#flags.get('network')?.[0] ?? 'default'
    const security = this.#flags.get('security')?.[0] ?? 'sandbox'
    if (!['default', 'none', 'host'].includes(network))
      throw new Error(`network is default, none or host, not ${network}`)
    if (!['sandbox', 'insecure'].includes(security)) throw new Error(`security is sandbox or insecure, not ${security}`)
    if (this.#flags.has('device')) throw new Error('devices cannot be given to a build')
    return {
      is: 'run',
      command: commandOf(rest),
      heredocs: this.#instruction.heredocs,
      mounts: (this.#flags.get('mount') ?? []).map(parseMount),
      network: network as 'default',
      security: security as 'sandbox',
    }
  }

  #add(rest: string): Meaning {
    const unpack = this.#switch('unpack')
    return {
      is: 'add',
      ...this.#optional('checksum'),
      keepGitDirectory: this.#switch('keep-git-dir') ?? false,
      ...(unpack !== undefined && { unpack }),
      ...this.#copying(rest),
    }
  }

  #copying(rest: string): Copying {
    const words = jsonForm(rest) ?? rest.split(/\s+/)
    const { heredocs } = this.#instruction
    const last = words.at(-1) ?? ''
    if (heredocs.some(({ name }) => namesHeredoc(last, name)))
      throw new Error(`${last} is something to copy: say where to behind it`)
    const inline = heredocs.filter(
      ({ name, descriptor }) => descriptor === 0 && words.some((word) => namesHeredoc(word, name)),
    )
    const [target, ...others] = words.filter((word) => !inline.some(({ name }) => namesHeredoc(word, name))).reverse()
    const sources = others.reverse()
    if (target === undefined || sources.length + inline.length === 0)
      throw new Error(`it wants something to copy, and where to: ${this.#instruction.keyword} FROM… TO`)
    return {
      sources,
      inline,
      target,
      ...this.#optional('chown'),
      ...this.#optional('chmod'),
      link: this.#switch('link') ?? false,
      excludes: this.#flags.get('exclude') ?? [],
    }
  }

  #healthcheck(rest: string): HealthcheckMeaning {
    const [, type = '', args = ''] = /^(\S+)\s*(.*)$/s.exec(rest) ?? []
    if (type.toUpperCase() === 'NONE') {
      if (args !== '' || this.#flags.size > 0) throw new Error('NONE takes nothing else')
      return { none: true }
    }
    if (type.toUpperCase() !== 'CMD') throw new Error(`it is NONE, or CMD and a command, not ${type}`)
    if (args === '') throw new Error('CMD wants a command')
    const duration = (flag: string, name: string) => {
      const text = this.#flags.get(flag)?.[0]
      if (text === undefined) return {}
      const value = durationOf(text)
      if (value !== 0 && value < 1e6) throw new Error(`${flag} is 1ms at least, not ${text}`)
      return { [name]: value }
    }
    const retries = this.#flags.get('retries')?.[0]
    if (retries !== undefined && !/^\d{1,9}$/.test(retries)) throw new Error(`retries is a number, not ${retries}`)
    return {
      none: false,
      command: commandOf(args),
      ...duration('interval', 'interval'),
      ...duration('timeout', 'timeout'),
      ...duration('start-period', 'startPeriod'),
      ...duration('start-interval', 'startInterval'),
      ...(retries !== undefined && { retries: Number(retries) }),
    }
  }

  #onbuild(rest: string): Meaning {
    const [, written = '', args = ''] = /^(\S+)(?:\s+(.*))?$/s.exec(rest) ?? []
    const keyword = written.toUpperCase()
    if (keyword === 'ONBUILD') throw new Error('ONBUILD ONBUILD is not allowed')
    if (keyword === 'FROM' || keyword === 'MAINTAINER') throw new Error(`${keyword} cannot wait for another build`)
    const instruction = { ...this.#instruction, keyword, written, ...splitFlags(args, this.#context.escapeToken) }
    const under = instruction.heredocs.map(({ content, name }) => `\n${content}${name}`)
    return { is: 'onbuild', text: rest + under.join(''), step: parseStep(instruction, this.#context) }
  }

  #optional<N extends string>(name: N): { readonly [K in N]?: string } {
    const value = this.#flags.get(name)?.[0]
    return value === undefined ? {} : ({ [name]: value } as { readonly [K in N]?: string })
  }

  #switch(name: string): boolean | undefined {
    const value = this.#flags.get(name)?.[0]
    return value === undefined ? undefined : /^(true|1)$/i.test(value)
  }
}

function readFlags(flags: readonly Flag[], known: readonly string[]): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const { name, value } of flags) {
    if (!known.includes(name))
      throw new Error(
        `there is no flag --${name}${meant(
          `--${name}`,
          known.map((one) => `--${one}`),
        )}`,
      )
    if (found.has(name) && !repeatable.has(name)) throw new Error(`--${name} stands there twice`)
    if (value === undefined && !switches.has(name)) throw new Error(`--${name} wants a value: --${name}=…`)
    if (value !== undefined && switches.has(name) && !/^(true|false|1|0)$/i.test(value))
      throw new Error(`--${name} is true or false, not ${value}`)
    const values = found.get(name)
    if (values === undefined) found.set(name, [value ?? 'true'])
    else values.push(value ?? 'true')
  }
  return found
}

function commandOf(text: string): Command {
  const words = jsonForm(text)
  return words === undefined ? { form: 'shell', line: text } : { form: 'exec', words }
}

function argOf(word: string): { readonly name: string; readonly value?: string } {
  const equals = word.indexOf('=')
  const name = equals < 0 ? word : word.slice(0, equals)
  if (name === '') throw new Error(`there is no name in ${word}`)
  return equals < 0 ? { name } : { name, value: word.slice(equals + 1) }
}

function namesHeredoc(word: string, name: string): boolean {
  return word.startsWith('<<') && word.replace(/^<<-?/, '').replace(/["'\\]/g, '') === name
}
