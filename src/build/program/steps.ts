import { parseTrigger } from '../../dockerfile/index.ts'
import { type FilesFrom, literal, type ProgramStep } from './program.ts'
import { mountOf, type StepMount } from './step-mounts.ts'
import {
  commandOf,
  commandText,
  copied,
  flagsOf,
  pairsOf,
  pairsText,
  pathsText,
  quoted,
  type StepCommand,
  simple,
} from './step-text.ts'

export type { StepCommand, StepMount }

/** Who owns what is copied, and how. */
export interface CopyAttributes {
  /** `USER[:GROUP]`, by name or number. Default: root for files of the context; for others whose they are. */
  readonly chown?: string
  /** Octal or symbolic, as chmod(1) takes it. */
  readonly chmod?: string
}

export interface CopyStepOptions extends CopyAttributes {
  /** Another program, an image, or a tree. Default: the context of the build. */
  readonly from?: FilesFrom
  readonly link?: boolean
  /** Keep the directories above the sources. */
  readonly parents?: boolean
  /** What is left out, as patterns of an ignore file. */
  readonly exclude?: readonly string[]
}

/** Copies files and directories as `COPY` does: several go into a directory, whose name then ends in a slash. */
export function copy(sources: string | readonly string[], target: string, options: CopyStepOptions = {}): ProgramStep {
  const { from, chown, chmod, link = false, parents = false, exclude = [] } = options
  const all = typeof sources === 'string' ? [sources] : sources
  return {
    keyword: 'COPY',
    from: from === undefined ? [] : [from],
    said: (nameOf) => ({
      flags: flagsOf({ ...options, ...(from !== undefined && { from: nameOf(from) }) }),
      rest: pathsText([...all, target]),
      meaning: {
        is: 'copy',
        ...(from !== undefined && { from: nameOf(from) }),
        parents,
        link,
        ...copied(all, target, { chown, chmod, exclude }),
      },
    }),
  }
}

/** A file with a text, mode 644. */
export function file(path: string, content: string, options: CopyAttributes = {}): ProgramStep {
  const name = path.slice(path.lastIndexOf('/') + 1)
  const inline = { name, content, expand: false, chomp: false, descriptor: 0 }
  return simple(
    'COPY',
    `<<'${name}' ${pathsText([path])}`,
    {
      is: 'copy',
      parents: false,
      link: false,
      ...copied([], path, { ...options, exclude: [] }),
      inline: [inline],
    },
    flagsOf(options),
  )
}

export interface AddStepOptions extends CopyAttributes {
  /** `sha256:…` of what is fetched, or the start of a commit's id. */
  readonly checksum?: string
  readonly link?: boolean
  readonly exclude?: readonly string[]
  /** Unpack archives; default: those of the context. */
  readonly unpack?: boolean
  readonly keepGitDirectory?: boolean
}

/** Copies, unpacks archives, and fetches what is on the network or in a git repository, as `ADD` does. */
export function add(sources: string | readonly string[], target: string, options: AddStepOptions = {}): ProgramStep {
  const { chown, chmod, link = false, exclude = [], checksum, unpack, keepGitDirectory = false } = options
  const all = typeof sources === 'string' ? [sources] : sources
  return simple(
    'ADD',
    pathsText([...all, target]),
    {
      is: 'add',
      link,
      keepGitDirectory,
      ...(checksum !== undefined && { checksum: literal(checksum) }),
      ...(unpack !== undefined && { unpack }),
      ...copied(all, target, { chown, chmod, exclude }),
    },
    flagsOf(options),
  )
}

export interface RunStepOptions {
  readonly mounts?: readonly StepMount[]
  /** Default: that of the host. */
  readonly network?: 'none' | 'host'
}

/** Runs a command in the image as it is by then, as `RUN` does. */
export function run(command: StepCommand, { mounts = [], network }: RunStepOptions = {}): ProgramStep {
  return {
    keyword: 'RUN',
    from: mounts.flatMap((mount) => (mount.type === 'bind' && mount.from !== undefined ? [mount.from] : [])),
    said: (nameOf) => ({
      flags: network === undefined ? [] : [{ name: 'network', value: network }],
      rest: commandText(command),
      meaning: {
        is: 'run',
        command: commandOf(command),
        heredocs: [],
        mounts: mounts.map((mount) => mountOf(mount, nameOf)),
        network: network ?? 'default',
        security: 'sandbox',
      },
    }),
  }
}

/** Variables of the environment, of later commands and of containers. */
export function env(variables: Readonly<Record<string, string>>): ProgramStep {
  return simple('ENV', pairsText(variables), { is: 'env', pairs: pairsOf(variables), spaced: false })
}

export function label(labels: Readonly<Record<string, string>>): ProgramStep {
  return simple('LABEL', pairsText(labels), { is: 'label', pairs: pairsOf(labels), spaced: false })
}

/** A variable for the commands behind it alone: what `args` of the build gives, or else this value. It is in no history. */
export function arg(name: string, value?: string): ProgramStep {
  const said = { name, ...(value !== undefined && { value: literal(value) }) }
  return simple('ARG', value === undefined ? name : `${name}=${quoted(value)}`, { is: 'arg', args: [said] })
}

/** The directory of what follows, made if it is missing. */
export function workdir(path: string): ProgramStep {
  return simple('WORKDIR', path, { is: 'workdir', text: literal(path) })
}

/** `USER[:GROUP]`, by name or number. */
export function user(name: string): ProgramStep {
  return simple('USER', name, { is: 'user', text: literal(name) })
}

/** `80`, `53/udp`, `8000-8010`. */
export function expose(...ports: readonly (string | number)[]): ProgramStep {
  const words = ports.map(String)
  return simple('EXPOSE', words.join(' '), { is: 'expose', words: words.map(literal) })
}

export function volume(...paths: readonly string[]): ProgramStep {
  return simple('VOLUME', JSON.stringify(paths), { is: 'volume', words: paths.map(literal) })
}

export function entrypoint(command: StepCommand): ProgramStep {
  return simple('ENTRYPOINT', commandText(command), { is: 'entrypoint', command: commandOf(command) })
}

/** What a container runs, or the arguments of its entrypoint. */
export function cmd(command: StepCommand): ProgramStep {
  return simple('CMD', commandText(command), { is: 'cmd', command: commandOf(command) })
}

/** What runs lines: `['/bin/bash', '-c']`. */
export function shell(words: readonly string[]): ProgramStep {
  return simple('SHELL', JSON.stringify(words), { is: 'shell', words })
}

/** `SIGTERM`, or its number. */
export function stopSignal(signal: string | number): ProgramStep {
  return simple('STOPSIGNAL', String(signal), { is: 'stopsignal', text: literal(String(signal)) })
}

/** How a container is asked whether it is well. Times are seconds. */
export interface HealthcheckStep {
  readonly command: StepCommand
  readonly interval?: number
  readonly timeout?: number
  readonly startPeriod?: number
  readonly startInterval?: number
  readonly retries?: number
}

/** `none` takes away that of the image below. */
export function healthcheck(check: HealthcheckStep | 'none'): ProgramStep {
  if (check === 'none') return simple('HEALTHCHECK', 'NONE', { is: 'healthcheck', check: { none: true } })
  const { command, retries, ...seconds } = check
  const times = Object.entries(seconds).map(([name, value]) => [name, Math.round(value * 1e9)] as const)
  return simple('HEALTHCHECK', `CMD ${commandText(command)}`, {
    is: 'healthcheck',
    check: {
      none: false,
      command: commandOf(command),
      ...Object.fromEntries(times),
      ...(retries !== undefined && { retries }),
    },
  })
}

/** An instruction as a Dockerfile has it, for whoever builds on the image. @throws PLY_BAD_DOCKERFILE */
export function onBuild(instruction: string): ProgramStep {
  const step = parseTrigger(instruction, { file: 'program' })
  return simple('ONBUILD', instruction, { is: 'onbuild', text: instruction, step })
}
