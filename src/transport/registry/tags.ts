import { PlyError } from '../../model/errors.ts'
import { Field } from '../../model/field.ts'
import { parseJson } from '../../model/json.ts'
import { collect } from '../../stream/collect.ts'
import { isTransient } from './answers.ts'
import { scopeOf } from './manifests.ts'
import type { Request } from './options.ts'
import { type Answer, type Session, unexpected } from './session.ts'

const pageLimit = 16 << 20
const mostPages = 10_000
const mostItems = 1_000_000

/** Every tag of a repository, page by page, as the registry orders them. `undefined` if there is no such repository. */
export async function* listTags(session: Session, request: Request, pageSize = 1000): AsyncGenerator<string> {
  const { repository } = session.endpoint
  const first = `${repository}/tags/list?n=${pageSize}`
  for await (const page of pagesOf(session, first, request, `the tags of ${repository}`)) {
    if (page === undefined) return
    for (const tag of page.member('tags').items(mostItems)) yield tag.text()
  }
}

/**
 * The documents of a list that comes in pages, linked by `Link: <…>; rel="next"` (RFC 5988). `undefined` where the registry
 * has no such list.
 */
export async function* pagesOf(
  session: Session,
  first: string,
  request: Request,
  what: string,
): AsyncGenerator<Field | undefined> {
  const { registry, repository } = session.endpoint
  const scopes = [scopeOf(repository, 'pull')]
  const seen = new Set<string>()
  let next: string | URL | undefined = first
  while (next !== undefined) {
    const answer: Answer = await session.call({ method: 'GET', path: next, scopes }, request)
    if (answer.status === 404) {
      await answer.discard()
      yield undefined
      return
    }
    if (answer.status !== 200) throw await unexpected(answer, session.endpoint, `${what} cannot be had`)
    const raw = await collect(answer.body, pageLimit, { what })
    yield new Field(`${what} at ${registry}`, '', parseJson(raw, what, pageLimit))
    const url: URL | undefined = nextOf(answer)
    // A list that leads back to itself, or to somebody else, has no end that could be believed.
    if (url !== undefined && (url.origin !== answer.url.origin || seen.has(url.href) || seen.size > mostPages)) {
      throw new PlyError('PLY_REGISTRY', { registry, reason: `${what}: its pages lead nowhere` })
    }
    if (url !== undefined) seen.add(url.href)
    next = url
  }
}

function nextOf({ headers, url }: Answer): URL | undefined {
  const link = ([] as string[]).concat(headers.link ?? []).join(', ')
  const found = /<([^>]*)>\s*;\s*rel="?next"?/i.exec(link)?.[1]
  return found !== undefined && URL.canParse(found, url.href) ? new URL(found, url) : undefined
}

/** A few tags for a message; what went wrong with asking is not what the message is about. */
export async function someTags(session: Session, request: Request): Promise<string> {
  const tags: string[] = []
  try {
    for await (const tag of listTags(session, request, 10)) {
      if (tags.length === 10) return `${tags.join(', ')}, …`
      tags.push(tag)
    }
  } catch (error) {
    if (!(error instanceof PlyError) && !isTransient(error)) throw error
    if (error instanceof PlyError && error.code === 'PLY_ABORTED') throw error
  }
  return tags.length > 0 ? tags.join(', ') : 'nothing that is shown to this user'
}
