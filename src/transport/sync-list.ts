import { isDigest } from '../model/digest.ts'
import { PlyError } from '../model/errors.ts'
import { Field } from '../model/field.ts'
import { badDocument, parseJson } from '../model/json.ts'
import { parseName, splitReference } from '../model/reference.ts'
import type { RegistryOptions } from './registry/options.ts'

/** What a list names: one image, or those of a repository whose tags match. */
export interface SyncEntry {
  /** Without a tag where several are meant. */
  readonly from: string
  /** Which tags of `docker://` are meant; absent: what `from` says. */
  readonly tags?: RegExp | undefined
  /** Where it goes, where the list says that of this one alone. */
  readonly to?: string | undefined
  /** How its registry is spoken with, where the list says so. */
  readonly registry?: Pick<RegistryOptions, 'tlsVerify' | 'certDirectory'> | undefined
}

/** Bytes; a list of a hundred thousand images is shorter. */
const listLimit = 16 << 20
const mostEntries = 100_000

/**
 * A list of images: lines of `REFERENCE [TARGET]`, with `#` before what is no entry, where a tag of `docker://` may hold `*` and `?`;
 * or the list of `skopeo sync --src yaml` as JSON, which YAML includes: registries with `images` (names to tags or digests, none
 * meaning all), `images-by-tag-regex`, `tls-verify` and `cert-dir`.
 *
 * @throws PLY_BAD_DOCUMENT naming the line or the field; PLY_BAD_REFERENCE; PLY_UNSUPPORTED for what skopeo has besides
 */
export function parseSyncList(raw: Uint8Array, what: string): SyncEntry[] {
  const text = Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength).toString('utf8')
  const entries = /^\s*\{/.test(text) ? [...fromJson(raw, what)] : [...fromLines(text, what)]
  if (entries.length === 0) throw badDocument(what, 'it names no image')
  if (entries.length > mostEntries) throw badDocument(what, `it names more than ${mostEntries} images`)
  return entries
}

function* fromLines(text: string, what: string): Generator<SyncEntry> {
  for (const [at, line] of text.split('\n').entries()) {
    const [from, to, ...more] = line
      .replace(/(?:^|\s)#.*$/, '')
      .trim()
      .split(/\s+/)
    if (from === undefined || from === '') continue
    const wrong = (reason: string) => badDocument(what, `line ${at + 1}: ${reason}`)
    if (more.length > 0) throw wrong('it is REFERENCE [TARGET]; there is more on the line')
    const glob = /^(docker:\/\/.+):([^:/@]*[*?][^:/@]*)$/.exec(from)
    try {
      if (glob === null) {
        splitReference(from)
        yield { from, ...(to !== undefined && { to }) }
        continue
      }
      parseName(splitReference(glob[1]!).details)
    } catch (error) {
      throw wrong((error as Error).message)
    }
    if (to !== undefined) throw wrong('several images cannot all be called the same: leave out the target')
    yield { from: glob[1]!, tags: globbed(glob[2]!) }
  }
}

function* fromJson(raw: Uint8Array, what: string): Generator<SyncEntry> {
  const root = new Field(what, '', parseJson(raw, what, listLimit))
  for (const host of Object.keys(root.object())) {
    const entry = root.member(host)
    for (const key of Object.keys(entry.object())) {
      if (['images', 'images-by-tag-regex', 'tls-verify', 'cert-dir'].includes(key)) continue
      const advice = key === 'credentials' ? ': say who you are with ply login' : ''
      throw new PlyError('PLY_UNSUPPORTED', {
        what: `${what}: ${key} of ${host}`,
        reason: `it is not read here${advice}`,
      })
    }
    const [verify, directory] = [entry.member('tls-verify'), entry.member('cert-dir')]
    if (!verify.absent && typeof verify.value !== 'boolean') throw verify.wrong('true or false')
    const registry = {
      ...(!verify.absent && { tlsVerify: verify.value as boolean }),
      ...(!directory.absent && { certDirectory: directory.text() }),
    }
    const at = (name: string) => ({
      from: `docker://${host}/${name}`,
      ...(Object.keys(registry).length > 0 && { registry }),
    })
    const images = entry.member('images')
    for (const name of images.absent ? [] : Object.keys(images.object())) {
      const tags = images.member(name).items(mostEntries)
      if (tags.length === 0) yield { ...at(name), tags: /^/ }
      for (const tag of tags) {
        const one = tag.text()
        yield { ...at(name), from: `docker://${host}/${name}${isDigest(one) ? '@' : ':'}${one}` }
      }
    }
    const patterns = entry.member('images-by-tag-regex')
    for (const name of patterns.absent ? [] : Object.keys(patterns.object())) {
      const pattern = patterns.member(name)
      try {
        yield { ...at(name), tags: new RegExp(pattern.text()) }
      } catch (error) {
        if (error instanceof PlyError) throw error
        throw pattern.wrong('a regular expression')
      }
    }
  }
}

function globbed(text: string): RegExp {
  const escaped = text.replace(/[\\^$.+()|[\]{}]/g, '\\$&')
  return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`)
}
