import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { codeOf } from '../../src/model/errors.ts'
import type { FsckLevel } from '../../src/store/fsck/findings.ts'
import { openStore } from '../../src/store/open-store.ts'
import type { Store } from '../../src/store/store.ts'
import { bytesIn } from '../support/collect.ts'
import { treeEntries } from '../support/plain-tree.ts'
import { copyOf, rot, type Specimen } from './rotten-store.ts'

/** One byte of one file, and what came of it. */
export interface Trial {
  readonly kind: string
  readonly file: string
  readonly at: number
  readonly by: number
}

export interface Outcome extends Trial {
  /** What went wrong, if anything did. */
  readonly failure?: string
}

/** The level that claims to find what is wrong with a file of each kind. */
export function levelOf(kind: string): FsckLevel {
  if (kind.startsWith('layers/') || kind.startsWith('trees/') || kind === 'cache/files.sums') return 'caches'
  return kind === 'blobs' || kind === 'log of an upper' ? 'digests' : 'structure'
}

/** What nobody has a second copy of, nor a sum that tells what it was. */
function isBeyondHelp(kind: string): boolean {
  return kind === 'log of an upper'
}

/** Everything that a store serves: an answer for each thing, or the code of the error. */
export async function served(root: string): Promise<Map<string, string>> {
  const answers = new Map<string, string>()
  const ask = async (what: string, question: () => Promise<string>) => {
    try {
      answers.set(what, await question())
    } catch (error) {
      if (codeOf(error) === undefined) throw error
      answers.set(what, `error ${codeOf(error)}`)
    }
  }
  let store: Store
  try {
    store = await openStore(root, { readOnly: true })
  } catch (error) {
    return new Map([['store', `error ${codeOf(error)}`]])
  }
  await using _ = store
  const text = (value: unknown) =>
    JSON.stringify(value, (_key, inner) => (typeof inner === 'bigint' ? String(inner) : inner))
  for (const name of ['base', 'other', 'again']) {
    await ask(`tree ${name}`, async () => {
      const tree = await store.tree(name)
      try {
        return text(treeEntries(tree))
      } finally {
        tree.close()
      }
    })
    await ask(`image ${name}`, async () => {
      const image = await store.image(name)
      const parts = [image.rawManifest, image.rawConfig]
      for (const layer of image.layers)
        parts.push(await bytesIn(layer.compressed()), await bytesIn(layer.uncompressed()))
      return parts.map((part) => Buffer.from(part).toString('latin1')).join('|')
    })
  }
  for (const name of ['work', 'second'])
    await ask(`container ${name}`, async () => {
      const container = await store.containers.open(name, { readOnly: true })
      try {
        return text(treeEntries(container.tree))
      } finally {
        await container.close()
      }
    })
  return answers
}

/**
 * Turns a byte over in a copy of a store, and sees to it that it is found by the level that claims to, that nothing that is served
 * shows it, and that a repair brings everything back.
 */
export async function tried(of: Specimen, whole: ReadonlyMap<string, string>, trial: Trial): Promise<Outcome> {
  const home = mkdtempSync(join(tmpdir(), 'ply-rot-'))
  try {
    const { root, source } = await copyOf(of, home)
    rot(join(root, trial.file), trial.at, trial.by)
    const fail = (failure: string): Outcome => ({ ...trial, failure })
    let store: Store
    try {
      store = await openStore(root, { upperForm: 'portable' })
    } catch (error) {
      // A byte that makes it another version's store: nobody can tell that from a store of that version.
      if (trial.file === 'ply.json' && codeOf(error) === 'PLY_STORE_FORMAT') return trial
      throw error
    }
    await using _ = store
    const found = await store.fsck({ level: levelOf(trial.kind) })
    if (!found.findings.some(({ file }) => file === trial.file))
      return fail(`not found at ${levelOf(trial.kind)}: ${JSON.stringify(found.findings)}`)
    const answers = await served(root)
    for (const [what, answer] of answers)
      if (!answer.startsWith('error ') && answer !== whole.get(what)) return fail(`${what} is served, and wrong`)
    const repaired = await store.fsck({ level: 'caches', repair: true, sources: [source] })
    // What follows the last whole record of a log may be what a dying process left, and is told as that.
    const told = repaired.left.damage > 0 || repaired.findings.some(({ code }) => code === 'bad-log')
    if (isBeyondHelp(trial.kind)) return told ? trial : fail('a log that is lost is not told')
    const left = await store.fsck({ level: 'caches' })
    if (left.left.damage + left.left.drift > 0)
      return fail(`not healed: ${JSON.stringify([repaired.findings, left.findings])}`)
    for (const [what, answer] of await served(root))
      if (answer !== whole.get(what))
        return fail(`${what} is not what it was, after ${JSON.stringify(repaired.findings)}`)
    return trial
  } catch (error) {
    return { ...trial, failure: (error as Error).stack ?? String(error) }
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}

/** So many trials, as many for each kind of file. */
export function* trialsOf(
  { root }: Specimen,
  files: ReadonlyMap<string, readonly string[]>,
  count: number,
  random: (below: number) => number,
): Generator<Trial> {
  const kinds = [...files.keys()]
  for (let i = 0; i < count; i++) {
    const kind = kinds[i % kinds.length]!
    const candidates = files.get(kind)!
    const file = candidates[random(candidates.length)]!
    const { size } = statSync(join(root, file))
    yield { kind, file, at: random(size), by: 1 + random(255) }
  }
}
