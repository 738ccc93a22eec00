import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { digestOf } from '../../src/model/digest.ts'
import { codeOf } from '../../src/model/errors.ts'
import { abilities } from '../../src/mount/abilities.ts'
import { type MountWanted, mount } from '../../src/mount/mount.ts'
import type { FsckLevel } from '../../src/store/fsck/findings.ts'
import { openStore } from '../../src/store/open-store.ts'
import type { Store } from '../../src/store/store.ts'
import { openSink } from '../../src/transport/index.ts'
import { snapshotOfDirectory } from '../overlay/snapshots.ts'
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
function levelOf(kind: string): FsckLevel {
  if (kind.startsWith('layers/') || kind.startsWith('trees/') || kind === 'cache/files.sums') return 'caches'
  return kind === 'blobs' || kind === 'log of an upper' ? 'digests' : 'structure'
}

/** What nobody has a second copy of, nor a sum that tells what it was. */
function isBeyondHelp(kind: string): boolean {
  return kind === 'log of an upper'
}

/** Everything that a store serves: an answer for each thing, or the code of the error. */
async function served(root: string): Promise<Map<string, string>> {
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

/** What this machine lacks for serving by FUSE; `undefined`: nothing. */
export function whyNoMounts(): string | undefined {
  const { privileges, fuseDevice } = abilities()
  if (privileges === 'none') return 'only root, or root of a namespace, mounts by FUSE without a helper'
  return fuseDevice.able ? undefined : fuseDevice.why
}

/**
 * Everything that mounts by FUSE show of a store, and what is sent elsewhere from it. Containers are opened for writing, so the store
 * has to be a copy.
 */
async function servedElsewhere(root: string, home: string): Promise<Map<string, string>> {
  const answers = new Map<string, string>()
  const target = join(home, 'mounted')
  mkdirSync(target, { recursive: true })
  const ask = async (what: string, question: (store: Store) => Promise<string>) => {
    try {
      await using store = await openStore(root, { upperForm: 'portable' })
      answers.set(what, await question(store))
    } catch (error) {
      if (codeOf(error) === undefined) throw error
      answers.set(what, `error ${codeOf(error)}`)
    }
  }
  const shown = async (subject: MountWanted): Promise<string> => {
    await using _ = await mount(subject, target, { via: 'fuse' })
    return JSON.stringify(snapshotOfDirectory(target))
  }
  for (const image of ['base', 'other']) {
    await ask(`sent ${image}`, async (store) => {
      const layout = join(home, `sent-${image}`)
      await using sink = await openSink(`oci:${layout}:sent`)
      await sink.write(await store.image(image), 'sent')
      const blobs = join(layout, 'blobs/sha256')
      return readdirSync(blobs)
        .sort()
        .map((name) => `${name} ${digestOf(readFileSync(join(blobs, name)))}`)
        .join('\n')
    })
    if (whyNoMounts() === undefined) await ask(`mount of ${image}`, (store) => shown({ store, image }))
  }
  if (whyNoMounts() === undefined)
    await ask('mount of work', async (store) => {
      const container = await store.containers.open('work', { readOnly: true })
      await container.close()
      return shown({ store, container: 'work' })
    })
  return answers
}

/** What a store serves in every way. */
export async function everything(of: Specimen): Promise<ReadonlyMap<string, string>> {
  const home = mkdtempSync(join(tmpdir(), 'ply-rot-'))
  try {
    const { root } = await copyOf(of, home)
    return new Map([...(await served(of.root)), ...(await servedElsewhere(root, join(home, 'out')))])
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
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
    const { root: copied } = await copyOf({ root, source }, join(home, 'copy'))
    for (const [what, answer] of await servedElsewhere(copied, join(home, 'out')))
      if (!answer.startsWith('error ') && answer !== whole.get(what)) return fail(`${what} is served, and wrong`)
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
