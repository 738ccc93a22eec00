import { codeOf } from '../../src/model/errors.ts'
import type { Course } from './ground.ts'
import { collected, look } from './look.ts'
import type { Place } from './operations.ts'

export interface Verdict {
  readonly shows: 'old' | 'new' | 'both' | 'between' | 'known' | 'neither'
  readonly wrong: readonly string[]
}

/**
 * What a store is like that somebody left in the middle: it has to be as before or as after, whole; a collection takes what is
 * neither; the operation, once more, leads to what it leads to. `must`: it has said that it is done. `isKnown`: one that differs in
 * temporary files and locks alone was judged before: a collection has to come to the same. `mayLose`: what a container holds may have
 * lost content and attributes, but has to be readable, also after a collection.
 */
export async function judge(
  course: Course,
  place: Place,
  {
    must,
    isKnown = false,
    mayLose = false,
  }: { readonly must?: 'new'; readonly isKnown?: boolean; readonly mayLose?: boolean } = {},
): Promise<Verdict> {
  const { operation, old, next, caches } = course
  // A folded tree is made by whoever needs one first, and stays as long as its image.
  const trees = [...old.files, ...next.files].filter((name) => name.startsWith('cache/trees/'))
  const wrong: string[] = []
  if (isKnown) {
    const files = await collected(place.root).catch((error: Error) => error)
    if (files instanceof Error) return { shows: 'known', wrong: [String(files.stack)] }
    // Nobody has read anything, and so nobody has built what is missing in caches.
    const [a, b] = [old, next].map((each) =>
      apart(files, each.files, 'after a collection', trees).filter((one) => !/ cache\/.* is missing$/.test(one)),
    ) as [string[], string[]]
    const isSame = a.length === 0 || b.length === 0 || operation.isSeveral || operation.heals || operation.between
    return { shows: 'known', wrong: isSame ? [] : a }
  }
  const found = await look(place.root, caches, mayLose)
  if (!operation.heals || must === 'new') wrong.push(...found.wrong)
  const shows =
    found.content === old.content
      ? old.content === next.content
        ? 'both'
        : 'old'
      : found.content === next.content
        ? 'new'
        : operation.isSeveral || mayLose || operation.between === found.content
          ? 'between'
          : 'neither'
  if (shows === 'neither') wrong.push(`a mixture: ${found.content}`, `before: ${old.content}`, `after: ${next.content}`)
  if (must !== undefined && shows !== must && shows !== 'both') wrong.push(`it shows ${shows} and should show ${must}`)
  if (wrong.length > 0) return { shows, wrong }
  if (mayLose && shows === 'between') {
    await collected(place.root)
    return { shows, wrong: [...(await look(place.root, caches, mayLose)).wrong] }
  }
  try {
    if (found.content !== null && shows !== 'between' && !operation.heals) {
      const files = await collected(place.root)
      const wanted = shows === 'new' ? next.files : old.files
      wrong.push(...apart(files, wanted, 'after a collection', trees))
    }
    const again = await operation.act(place).then(
      () => undefined,
      (error) => error,
    )
    const code = again && (codeOf(again) ?? 'none')
    if (again && !(shows === 'new' && code === operation.again)) wrong.push(`once more: ${again.stack}`)
    const last = await look(place.root, caches)
    wrong.push(...last.wrong.map((each) => `once more: ${each}`))
    if (last.content !== next.content) wrong.push(`once more: it shows ${last.content}`, `and not ${next.content}`)
    wrong.push(...apart(await collected(place.root), next.files, 'once more, and collected', trees))
  } catch (error) {
    wrong.push(String((error as Error).stack))
  }
  return { shows, wrong }
}

function apart(found: readonly string[], wanted: readonly string[], when: string, may: readonly string[]): string[] {
  // Digests of contents are noted by whoever compares a layer once more, and never synced: they may be there as long as their layer is.
  const areNoted = (name: string) => name.endsWith('.sums') && wanted.includes(name.replace(/sums$/, 'erofs'))
  const other = (names: readonly string[], than: readonly string[]) =>
    names.filter((name) => !than.includes(name) && !may.includes(name) && !areNoted(name))
  return [
    ...other(found, wanted).map((name) => `${when}: ${name} is left`),
    ...other(wanted, found).map((name) => `${when}: ${name} is missing`),
  ]
}
