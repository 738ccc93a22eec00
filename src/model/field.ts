import { type Digest, isDigest } from './digest.ts'
import { PlyError } from './errors.ts'
import { badDocument } from './json.ts'

/** A JSON object as it was parsed. */
export type JsonObject = Readonly<Record<string, unknown>>

/**
 * One value in a document, with the way to it, so that a complaint can name it. Each method answers the value as the
 * type it asks for, or throws PLY_BAD_DOCUMENT. `null` counts as absent, as Go's encoders write it.
 */
export class Field {
  readonly document: string
  readonly path: string
  readonly value: unknown

  constructor(document: string, path: string, value: unknown) {
    this.document = document
    this.path = path
    this.value = value
  }

  get absent(): boolean {
    return this.value === undefined || this.value === null
  }

  /** The member of that name, if the object has it itself. */
  member(name: string): Field {
    const object = this.object()
    const value = Object.hasOwn(object, name) ? object[name] : undefined
    return new Field(this.document, this.path === '' ? name : `${this.path}.${name}`, value)
  }

  object(): JsonObject {
    if (typeof this.value === 'object' && this.value !== null && !Array.isArray(this.value))
      return this.value as JsonObject
    throw this.wrong('an object')
  }

  /** Absent: none. `limit` is a number of items. */
  items(limit: number): Field[] {
    if (this.absent) return []
    if (!Array.isArray(this.value)) throw this.wrong('a list')
    if (this.value.length > limit) throw this.bad(`has ${this.value.length} items; the limit is ${limit}`)
    return this.value.map((item, i) => new Field(this.document, `${this.path}[${i}]`, item))
  }

  text(): string {
    if (typeof this.value === 'string') return this.value
    throw this.wrong('a text')
  }

  texts(limit: number): string[] {
    return this.items(limit).map((item) => item.text())
  }

  /** A number of bytes. */
  size(): number {
    if (Number.isSafeInteger(this.value) && (this.value as number) >= 0) return this.value as number
    throw this.wrong('a number of bytes')
  }

  digest(): Digest {
    if (isDigest(this.value)) return this.value
    const algorithm =
      typeof this.value === 'string' && /^([a-z0-9]+(?:[+._-][a-z0-9]+)*):[A-Za-z0-9=_-]+$/.exec(this.value)?.[1]
    if (algorithm && algorithm !== 'sha256') {
      throw new PlyError('PLY_UNSUPPORTED', {
        what: `digest algorithm ${algorithm}`,
        reason: `${this.path} of ${this.document} uses it; plyfs reads sha256`,
      })
    }
    throw this.wrong('a sha256 digest')
  }

  /** Member by member a text: annotations, labels. */
  textMap(): void {
    for (const name of Object.keys(this.object())) this.member(name).text()
  }

  wrong(wanted: string): PlyError {
    return this.bad(this.absent ? 'is missing' : `is ${shown(this.value)}, not ${wanted}`)
  }

  bad(reason: string): PlyError {
    return badDocument(this.document, this.path === '' ? `it ${reason}` : `${this.path} ${reason}`)
  }
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'an object'
  const text = JSON.stringify(value)
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}
