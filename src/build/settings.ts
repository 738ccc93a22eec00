import { constants } from 'node:os'
import type { Command, HealthcheckMeaning, Meaning } from '../dockerfile/index.ts'
import type { Configuration, Healthcheck } from '../image/configure.ts'
import type { ExecutionConfig } from '../model/documents.ts'
import type { Scope } from './scope.ts'

const usualShell: readonly string[] = ['/bin/sh', '-c']

/** Instructions that change nothing but the configuration. */
export type Setting = Exclude<Meaning, { readonly is: 'arg' | 'from' | 'run' | 'copy' | 'add' | 'workdir' }>

export interface Set {
  readonly configuration: Configuration
  /** What the history says. */
  readonly said: string
}

/** What a stage remembers beside its configuration. */
export interface StageMemory {
  /** Whether the stage itself has said CMD. */
  commandSaid: boolean
}

/**
 * What an instruction sets, its variables put in.
 *
 * @throws Error that says what is wrong
 */
export function setting(meaning: Setting, config: ExecutionConfig, scope: Scope, memory: StageMemory): Set {
  switch (meaning.is) {
    case 'env': {
      // An instruction sees the variables as they were before it.
      const pairs = meaning.pairs.map(({ name, value }) => [nameOf(scope.word(name)), scope.word(value)] as const)
      for (const [name, value] of pairs) scope.set(name, value)
      return { configuration: { env: Object.fromEntries(pairs) }, said: `ENV ${shown(pairs)}` }
    }
    case 'label': {
      const pairs = meaning.pairs.map(({ name, value }) => [scope.word(name), scope.word(value)] as const)
      return { configuration: { labels: Object.fromEntries(pairs) }, said: `LABEL ${shown(pairs)}` }
    }
    case 'cmd': {
      memory.commandSaid = true
      const cmd = wordsOf(meaning.command, config)
      return { configuration: { cmd }, said: `CMD ${JSON.stringify(cmd)}` }
    }
    case 'entrypoint': {
      const entrypoint = wordsOf(meaning.command, config)
      // The command of the image below was meant for its own entrypoint.
      const cmd = memory.commandSaid ? {} : { cmd: null }
      // An empty list is none at all.
      const configuration = { entrypoint: entrypoint.length === 0 ? null : entrypoint, ...cmd }
      return { configuration, said: `ENTRYPOINT ${JSON.stringify(entrypoint)}` }
    }
    case 'shell':
      return { configuration: { shell: meaning.words }, said: `SHELL ${JSON.stringify(meaning.words)}` }
    case 'user': {
      const user = scope.word(meaning.text)
      if (user === '') throw new Error('it names nobody')
      return { configuration: { user }, said: `USER ${user}` }
    }
    case 'stopsignal': {
      const stopSignal = scope.word(meaning.text)
      if (!isSignal(stopSignal)) throw new Error(`${stopSignal} is no signal`)
      return { configuration: { stopSignal }, said: `STOPSIGNAL ${stopSignal}` }
    }
    case 'maintainer':
      return { configuration: { author: meaning.text }, said: `MAINTAINER ${meaning.text}` }
    case 'expose': {
      const ports = meaning.words.flatMap((word) => scope.words(word)).flatMap(portsOf)
      const said = `EXPOSE ${ports.join(' ')}`
      return { configuration: { exposedPorts: Object.fromEntries(ports.map((port) => [port, true])) }, said }
    }
    case 'volume': {
      const paths = meaning.words.map((word) => scope.word(word))
      if (paths.some((path) => path.trim() === '')) throw new Error('it wants a path')
      return {
        configuration: { volumes: Object.fromEntries(paths.map((path) => [path, true])) },
        said: `VOLUME ${JSON.stringify(paths)}`,
      }
    }
    case 'healthcheck': {
      const healthcheck = healthcheckOf(meaning.check)
      return { configuration: { healthcheck }, said: `HEALTHCHECK ${JSON.stringify(healthcheck)}` }
    }
    case 'onbuild': {
      const { OnBuild } = config
      const before = Array.isArray(OnBuild) ? (OnBuild as readonly string[]) : []
      return { configuration: { onBuild: [...before, meaning.text] }, said: `ONBUILD ${meaning.text}` }
    }
    default:
      return meaning satisfies never
  }
}

/** A command as the program and arguments that it is: a line is given to the shell. */
export function wordsOf(command: Command, { Shell }: ExecutionConfig): readonly string[] {
  if (command.form === 'exec') return command.words
  const shell = Array.isArray(Shell) && Shell.length > 0 ? (Shell as readonly string[]) : usualShell
  return [...shell, command.line]
}

function healthcheckOf(check: HealthcheckMeaning): Healthcheck {
  if (check.none) return { test: ['NONE'] }
  const { command, interval, timeout, startPeriod, startInterval, retries } = check
  const test = command.form === 'exec' ? ['CMD', ...command.words] : ['CMD-SHELL', command.line]
  const seconds = { interval, timeout, startPeriod, startInterval }
  const told = Object.entries(seconds).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value / 1e9] as const],
  )
  return { test, ...Object.fromEntries(told), ...(retries !== undefined && { retries }) }
}

/** `80`, `53/udp`, `8000-8010`: each port by itself. An address or a port of the host in front of it means nothing. */
function portsOf(text: string): string[] {
  const [, from = '', to = from, protocol = 'tcp'] =
    /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/i.exec(text.slice(text.lastIndexOf(':') + 1)) ?? []
  if (from === '' || Number(to) > 65_535 || Number(from) > Number(to))
    throw new Error(`${text} is no port: write 80, 53/udp or 8000-8010/tcp`)
  const count = Number(to) - Number(from) + 1
  return Array.from({ length: count }, (_, at) => `${Number(from) + at}/${protocol.toLowerCase()}`)
}

function nameOf(name: string): string {
  if (name === '' || name.includes('=')) throw new Error(`${JSON.stringify(name)} is no name of a variable`)
  return name
}

/** A number, or a name with or without `SIG`: those of Linux, and the real-time ones as they are counted from either end. */
function isSignal(text: string): boolean {
  if (/^\d+$/.test(text)) return Number(text) >= 1 && Number(text) <= 64
  const name = text.toUpperCase().replace(/^SIG/, '')
  const [, from, number = '0'] = /^RT(MIN|MAX)(?:[+-](\d{1,2}))?$/.exec(name) ?? []
  if (from !== undefined) return Number(number) <= 15 && name.includes(from === 'MIN' ? '-' : '+') === false
  return `SIG${name}` in constants.signals || name === 'CLD'
}

function shown(pairs: readonly (readonly [string, string])[]): string {
  return pairs.map(([name, value]) => `${name}=${value}`).join(' ')
}
