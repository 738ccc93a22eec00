import { posix } from 'node:path'
import { type Copying, contentOf, type Meaning } from '../../dockerfile/index.ts'
import { type ByteString, decodeText, encodeText } from '../../model/bytes.ts'
import { PlyError } from '../../model/errors.ts'
import type { Tree } from '../../stack/tree.ts'
import { memoryUpper } from '../../union/memory-upper.ts'
import { plainLayer } from '../../union/plain-layer.ts'
import { union } from '../../union/union-tree.ts'
import { closers } from '../closers.ts'
import type { Done, StageSoFar } from '../stage-so-far.ts'
import { addInto } from './add-source.ts'
import { type CopyRules, type CopyTarget, copyInto, copyParents } from './copy.ts'
import { type FoundSource, findSources, insideOf, pathPatterns } from './copy-sources.ts'
import { Draft } from './draft.ts'
import { modeChange } from './mode-change.ts'
import { ownerIn } from './owners.ts'
import { isPattern } from './path-pattern.ts'

type Copied = Extract<Meaning, { readonly is: 'copy' | 'add' }>

/** Carries out COPY or ADD: what they put where becomes one layer. */
export async function copyStep(stage: StageSoFar, meaning: Copied, text: string): Promise<Done> {
  const { scope, treeOf, operation } = stage.around
  // What is linked knows nothing of what it stands on.
  const below = meaning.link ? union([], memoryUpper()) : await stage.below()
  const from = meaning.is === 'copy' ? meaning.from : undefined
  const sources = meaning.sources.map((source) => encodeText(scope.word(source)))
  const targetText = scope.word(meaning.target)
  const isDirectory = /(?:^|\/)\.{0,2}$/.test(targetText)
  if (sources.length + meaning.inline.length > 1 && !isDirectory)
    throw new Error(`several files go into a directory: write ${targetText}/`)
  const target = { path: encodeText(posix.resolve(stage.workingDirectory, targetText)), isDirectory }
  const rules = rulesOf(stage, meaning, below, from === undefined)
  const draft = new Draft(below)
  /** Trees that are made for it stay open as long as the draft is read. */
  await using held = closers()
  for (const source of sources) {
    if (meaning.is === 'add') {
      await addInto(draft, stage, meaning, source, target, rules, held)
      continue
    }
    const tree = from === undefined ? stage.context() : await treeOf(from)
    if (meaning.parents) await parents(draft, tree, source, target, rules, stage)
    else {
      const found = findSources(tree, source)
      if (found.length > 1 && !isDirectory && draft.kindAt(target.path) !== 'directory')
        throw new Error(`${decodeText(source)} is several files, which go into a directory: write ${targetText}/`)
      await copyInto(draft, tree, found, target, rules, operation)
    }
  }
  if (meaning.inline.length > 0) {
    const tree = inlineFiles(stage, meaning)
    const found = meaning.inline.map(({ name }) => ({
      path: encodeText(name),
      ino: tree.lookup(tree.root, encodeText(name))!,
    }))
    await copyInto(draft, tree, found, target, rules, operation)
  }
  return await stage.layer(draft, text, text, { linked: meaning.link })
}

async function parents(
  draft: Draft,
  tree: Tree,
  source: ByteString,
  target: CopyTarget,
  rules: CopyRules,
  { around }: StageSoFar,
): Promise<void> {
  const pivot = source.indexOf('/./')
  const root = pivot < 0 ? '' : source.slice(0, pivot)
  const names = insideOf(pivot < 0 ? source : source.slice(pivot + 3))
  const pattern = names.join('/')
  const wanted = pathPatterns([pattern === '' ? '**' : decodeText(pattern)])!
  for (const from of findSources(tree, root === '' ? '.' : root)) {
    if (!names.some(isPattern)) existing(tree, from, names)
    await copyParents(draft, tree, from, target, wanted, rules, around.operation)
  }
}

/** @throws ENOENT for a path that is not there; no symlink is followed, since none is copied through */
function existing(tree: Tree, { ino, path }: FoundSource, names: readonly ByteString[]): void {
  let at: number | undefined = ino
  for (const name of names) {
    at = at !== undefined && tree.stat(at).kind === 'directory' ? tree.lookup(at, name) : undefined
    if (at === undefined)
      throw new PlyError('ENOENT', {
        syscall: 'copy',
        path: `/${decodeText([path, ...names].filter(Boolean).join('/'))}`,
      })
  }
}

function rulesOf(stage: StageSoFar, meaning: Copying, below: Tree, fromContext: boolean): CopyRules {
  const { scope } = stage.around
  const chown = meaning.chown === undefined ? undefined : scope.word(meaning.chown)
  if (meaning.link && chown !== undefined && !/^\d*(?::\d*)?$/.test(chown))
    throw new Error(`--link sees no names of the image: write --chown=${chown} with numbers`)
  const chmod = meaning.chmod === undefined ? undefined : scope.word(meaning.chmod)
  return {
    owner: chown !== undefined ? ownerIn(below, chown) : fromContext ? { uid: 0, gid: 0 } : undefined,
    mode: chmod === undefined ? undefined : modeChange(chmod),
    excluded: pathPatterns(meaning.excludes.map((pattern) => scope.word(pattern))),
    // What a stage has made has its times already.
    time: { at: stage.time, always: fromContext },
  }
}

function inlineFiles({ around }: StageSoFar, meaning: Copied): Tree {
  const files = meaning.inline.map((heredoc) => {
    const content = contentOf(heredoc)
    return [heredoc.name, { content: heredoc.expand ? around.scope.content(content) : content, mode: 0o644 }] as const
  })
  return union([plainLayer(Object.fromEntries(files))], memoryUpper())
}
