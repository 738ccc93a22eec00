import { type Dockerfile, expandWord, expandWords, type Variables } from '../dockerfile/index.ts'
import type { Platform } from '../model/documents.ts'

/** Names that a build takes without being told of them; they are in no history and no key unless ARG names them. */
export const proxyArguments = ['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY'].flatMap((name) => [
  name,
  name.toLowerCase(),
])

/** What is said of a platform in the global scope: `TARGETARCH` and the like. */
export function platformArguments(target: Platform, build: Platform): ReadonlyMap<string, string> {
  const of = (prefix: string, { os, architecture, variant }: Platform): [string, string][] => [
    [`${prefix}PLATFORM`, [os, architecture, variant].filter(Boolean).join('/')],
    [`${prefix}OS`, os],
    [`${prefix}ARCH`, architecture],
    [`${prefix}VARIANT`, variant ?? ''],
  ]
  return new Map([...of('BUILD', build), ...of('TARGET', target)])
}

/**
 * The variables in front of the first FROM: arguments of the platform, then those of ARG with what the user gave for them.
 *
 * @param given what the user gave
 * @throws Error that says what is wrong in a default
 */
export function globalScope(
  { globals, directives }: Dockerfile,
  given: ReadonlyMap<string, string>,
  platform: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const scope = new Map(platform)
  for (const name of platform.keys()) if (given.has(name)) scope.set(name, given.get(name)!)
  for (const { meaning } of globals) {
    for (const { name, value } of meaning.args) {
      const said = given.get(name)
      if (said !== undefined) scope.set(name, said)
      else if (value !== undefined)
        scope.set(
          name,
          expandWord(value, (wanted) => scope.get(wanted), { escape: directives.escapeToken }),
        )
    }
  }
  return scope
}

export interface ScopeOptions {
  readonly escape: string
  readonly given: ReadonlyMap<string, string>
  readonly globals: ReadonlyMap<string, string>
  /** `NAME=VALUE`, of the image below. */
  readonly environment: readonly string[]
}

/** The variables of a stage: its environment, and the arguments that it declared. The environment wins. */
export class Scope {
  readonly #options: ScopeOptions
  readonly #environment = new Map<string, string>()
  readonly #args = new Map<string, string>()

  constructor(options: ScopeOptions) {
    this.#options = options
    for (const variable of options.environment) {
      const equals = variable.indexOf('=')
      if (equals > 0) this.#environment.set(variable.slice(0, equals), variable.slice(equals + 1))
    }
  }

  /** ARG in a stage: what the user gave, its default, or what the global scope has. @throws Error */
  declare(name: string, value: string | undefined): void {
    const { given, globals } = this.#options
    const said = given.get(name) ?? (value === undefined ? globals.get(name) : this.word(value))
    if (said !== undefined) this.#args.set(name, said)
    // Declared again without a value it has none.
    else this.#args.delete(name)
  }

  /** ENV. */
  set(name: string, value: string): void {
    this.#environment.set(name, value)
  }

  /** Arguments that a command of the stage sees beside the environment, by name. */
  get args(): readonly (readonly [string, string])[] {
    return [...this.#args].filter(([name]) => !this.#environment.has(name)).sort(([a], [b]) => (a < b ? -1 : 1))
  }

  readonly variables: Variables = (name) => this.#environment.get(name) ?? this.#args.get(name)

  /** @throws Error */
  word(text: string): string {
    return expandWord(text, this.variables, { escape: this.#options.escape })
  }

  /** What stands between the lines of a heredoc: quotes mean nothing there. @throws Error */
  content(text: string): string {
    return expandWord(text, this.variables, { plainQuotes: true })
  }

  /** @throws Error */
  words(text: string): readonly string[] {
    return expandWords(text, this.variables, { escape: this.#options.escape })
  }
}
