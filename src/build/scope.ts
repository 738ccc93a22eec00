import { expandWord, expandWords, type Variables } from '../dockerfile/index.ts'

/** Names that a build takes without being told of them; they are in no history and no key unless ARG names them. */
export const proxyArguments = ['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY'].flatMap((name) => [
  name,
  name.toLowerCase(),
])

export interface ScopeOptions {
  readonly escape: string
  readonly given: ReadonlyMap<string, string>
  readonly globals: ReadonlyMap<string, string>
  /** `NAME=VALUE`, of the image below. */
  readonly environment: readonly string[]
  /** Of the stage below. */
  readonly inherited?: Scope | undefined
}

/** The variables of a stage: its environment, and the arguments that it declared. The environment wins. */
export class Scope {
  readonly #options: ScopeOptions
  readonly #environment = new Map<string, string>()
  readonly #args = new Map<string, string>()

  constructor(options: ScopeOptions) {
    this.#options = options
    const { inherited } = options
    if (inherited !== undefined) for (const [name, value] of inherited.#args) this.#args.set(name, value)
    for (const variable of options.environment) {
      const equals = variable.indexOf('=')
      if (equals > 0) this.#environment.set(variable.slice(0, equals), variable.slice(equals + 1))
    }
  }

  /** ARG in a stage: what the user gave, its default, or what the global scope has. @throws Error */
  declare(name: string, value: string | undefined): void {
    const { given, globals } = this.#options
    const said = given.get(name) ?? (value === undefined ? globals.get(name) : this.word(value))
    // Declared again without a value it keeps the one that it has.
    if (said !== undefined) this.#args.set(name, said)
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
