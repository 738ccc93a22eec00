import type { Meaning } from '../../dockerfile/index.ts'
import type { ByteString } from '../../model/bytes.ts'
import type { Tree } from '../../stack/tree.ts'
import type { Closers } from '../closers.ts'
import { type FetchOptions, fetchRemote, type Remote, remoteOf } from '../fetch/remote.ts'
import { unpacked } from '../fetch/unpack.ts'
import type { StageSoFar } from '../stage-so-far.ts'
import { type CopyRules, type CopyTarget, copyInto } from './copy.ts'
import { findSources } from './copy-sources.ts'
import type { Draft } from './draft.ts'

/**
 * Puts what one source of ADD names into a draft: files of the context, of which archives are unpacked; or what is fetched.
 *
 * @param held closes what the draft reads from
 */
export async function addInto(
  draft: Draft,
  stage: StageSoFar,
  meaning: Extract<Meaning, { readonly is: 'add' }>,
  source: ByteString,
  target: CopyTarget,
  rules: CopyRules,
  held: Closers,
): Promise<void> {
  const { store, operation, scope } = stage.around
  const remote = remoteOf(Buffer.from(source, 'latin1').toString())
  const checksum = meaning.checksum === undefined ? undefined : scope.word(meaning.checksum)
  if (remote === undefined && checksum !== undefined)
    throw new Error('--checksum is of what is fetched, and this is a file of the context')
  const { keepGitDirectory } = meaning
  const tree =
    remote === undefined
      ? stage.context()
      : await fetched(
          remote,
          { checksum, keepGitDirectory, scratch: () => stage.ground.scratch(operation), ...operation },
          held,
        )
  const found =
    remote === undefined
      ? findSources(tree, source)
      : remote.is === 'git'
        ? [{ path: '', ino: tree.root }]
        : [...tree.list(tree.root)].map(({ name, ino }) => ({ path: name, ino }))
  for (const one of found) {
    const isFile = tree.stat(one.ino).kind === 'file'
    const archive =
      isFile && (meaning.unpack ?? remote === undefined)
        ? await unpacked(() => tree.open(one.ino), store, operation)
        : undefined
    if (archive === undefined) {
      await copyInto(draft, tree, [one], target, rules, operation)
      continue
    }
    held.add(() => archive.close())
    const { owner, ...others } = rules
    const kept = { ...others, ...(meaning.chown !== undefined && { owner }), time: { at: stage.time, always: false } }
    await copyInto(draft, archive, [{ path: '', ino: archive.root }], target, kept, operation)
  }
}

async function fetched(remote: Remote, options: FetchOptions, held: Closers): Promise<Tree> {
  const one = await fetchRemote(remote, options)
  held.add(() => one[Symbol.dispose]())
  return one.tree
}
