import type { Platform } from '../model/documents.ts'
import type { Dockerfile } from './stages.ts'
import { expandWord } from './words.ts'

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
