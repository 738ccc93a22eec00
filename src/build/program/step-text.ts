import type { Command, Flag, Meaning } from '../../dockerfile/index.ts'
import { literal, type ProgramStep } from './program.ts'

/** A command as a line for the shell, or as a program and its arguments. */
export type StepCommand = string | readonly string[]

/** A step that takes nothing from elsewhere. */
export function simple(keyword: string, rest: string, meaning: Meaning, flags: readonly Flag[] = []): ProgramStep {
  return { keyword, from: [], said: () => ({ flags, rest, meaning }) }
}

export function copied(
  sources: readonly string[],
  target: string,
  {
    chown,
    chmod,
    exclude,
  }: { readonly exclude: readonly string[]; readonly chown?: string | undefined; readonly chmod?: string | undefined },
) {
  return {
    sources: sources.map(literal),
    inline: [],
    target: literal(target),
    ...(chown !== undefined && { chown: literal(chown) }),
    ...(chmod !== undefined && { chmod: literal(chmod) }),
    excludes: exclude.map(literal),
  }
}

const flagNames: Readonly<Record<string, string>> = { keepGitDirectory: 'keep-git-dir' }

/** In the order in which they are said. */
export function flagsOf(options: object): readonly Flag[] {
  return Object.entries(options).flatMap(([name, value]: [string, unknown]): Flag[] => {
    const flag = flagNames[name] ?? name
    if (value === undefined || value === false) return []
    if (value === true) return [{ name: flag }]
    return (Array.isArray(value) ? value : [value]).map((one) => ({ name: flag, value: String(one) }))
  })
}

export function pathsText(paths: readonly string[]): string {
  return paths.every((path) => /^[^\s"'\\$[]+$/.test(path)) ? paths.join(' ') : JSON.stringify(paths)
}

export function commandOf(command: StepCommand): Command {
  return typeof command === 'string' ? { form: 'shell', line: command } : { form: 'exec', words: command }
}

export function commandText(command: StepCommand): string {
  return typeof command === 'string' ? command : JSON.stringify(command)
}

export function pairsOf(values: Readonly<Record<string, string>>) {
  return Object.entries(values).map(([name, value]) => ({ name: literal(name), value: literal(value) }))
}

export function pairsText(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}=${quoted(value)}`)
    .join(' ')
}

export function quoted(value: string): string {
  return /^[^\s"'\\$]*$/.test(value) ? value : `"${value.replace(/["\\$]/g, '\\$&')}"`
}
