import type { Verdict } from '../layer/view.ts'
import type { ByteString } from '../model/bytes.ts'
import type { Tree } from './tree.ts'

interface Said {
  readonly name: ByteString
  readonly verdict: Verdict
}

/**
 * Several listings in byte order as one: each name once, with what each listing says about it (`undefined`: it does not
 * have the name). The array is used again for the next name.
 */
export function* mergedVerdicts(
  listings: readonly Iterable<Said>[],
): Generator<{ readonly name: ByteString; readonly verdicts: readonly (Verdict | undefined)[] }> {
  const verdicts: (Verdict | undefined)[] = listings.map(() => undefined)
  if (listings.length === 1) {
    for (const { name, verdict } of listings[0]!) {
      verdicts[0] = verdict
      yield { name, verdicts }
    }
    return
  }
  const iterators = listings.map((listing) => listing[Symbol.iterator]())
  const heads: (Said | undefined)[] = iterators.map(next)
  for (;;) {
    let name: ByteString | undefined
    for (const head of heads) if (head !== undefined && (name === undefined || head.name < name)) name = head.name
    if (name === undefined) return
    for (let i = 0; i < heads.length; i++) {
      const head = heads[i]
      const here = head !== undefined && head.name === name
      verdicts[i] = here ? head.verdict : undefined
      if (here) heads[i] = next(iterators[i]!)
    }
    yield { name, verdicts }
  }
}

function next(iterator: Iterator<Said>): Said | undefined {
  const result = iterator.next()
  return result.done ? undefined : result.value
}

/** A tree's listing as verdicts: everything in it is there, and nothing below. */
export function* verdictsOf(
  tree: Tree,
  directory: number,
): Generator<{ readonly name: ByteString; readonly verdict: Verdict }> {
  for (const { name, ino, kind } of tree.list(directory)) {
    yield {
      name,
      verdict: { says: 'entry', ino, directory: kind === 'directory', kind, implied: false, opaque: false },
    }
  }
}
