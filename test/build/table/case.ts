import type { plainLayer } from '../../../src/index.ts'
import type { ExecutionConfig } from '../../../src/model/documents.ts'

export type Files = Parameters<typeof plainLayer>[0]

/**
 * A Dockerfile, what it is built from, and what BuildKit's documentation says comes of it. Sections of docs.docker.com/reference/dockerfile are
 * named where it is not plain.
 */
export interface Case extends Given {
  /** A sentence. */
  readonly says: string
  /** The section that says so. */
  readonly see?: string
  /** Everything in the image, in byte order; see `linesOf`. Absent: nothing at all. */
  readonly tree?: readonly string[]
  /** All of the configuration, but for the PATH and the directory that an image on nothing begins with. */
  readonly config?: ExecutionConfig
  readonly platform?: string
  /** How it fails, in the place of a result. */
  readonly fails?: { readonly line?: number; readonly words: RegExp; readonly code?: string }
  /** It runs something. */
  readonly runs?: true
  /** It is one of those that run with all other tests: starting many containers takes its time. `npm run table` runs all. */
  readonly often?: true
}

export interface Given {
  readonly dockerfile: string
  readonly context?: Files
  /** Images of the store, by name: each a build itself, in the order that they stand in. */
  readonly images?: Readonly<Record<string, Given>>
  /** Named contexts. */
  readonly contexts?: Readonly<Record<string, Files>>
  readonly args?: Readonly<Record<string, string>>
  readonly target?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly wanted?: string
  /** Lists beside the Dockerfile, in the place of that of the context. */
  readonly ignored?: string
  readonly secrets?: Readonly<Record<string, string>>
}

/** The case with the names of a place where something is served in the place of `@URL@` and others. */
export function placed<T>(one: T, places: Readonly<Record<string, string>>): T {
  if (typeof one === 'string') return one.replace(/@[A-Z]+@/g, (name) => places[name] ?? name) as T
  if (one instanceof Uint8Array || one instanceof RegExp || typeof one !== 'object' || one === null) return one
  if (Array.isArray(one)) return one.map((part) => placed(part, places)) as T
  return Object.fromEntries(Object.entries(one).map(([name, part]) => [name, placed(part, places)])) as T
}

/** Several cases that have something in common. */
export function group(common: Partial<Case>, cases: readonly Case[]): readonly Case[] {
  return cases.map((one) => ({ ...common, ...one }))
}
