import type { Meaning, RunMount } from '../../dockerfile/index.ts'
import { configure } from '../../image/configure.ts'
import { encodeText } from '../../model/bytes.ts'
import { PlyError } from '../../model/errors.ts'
import { formatPlatform } from '../../model/platform.ts'
import { checkRunnable } from '../../run/emulation.ts'
import { memoryUpper } from '../../union/memory-upper.ts'
import { union } from '../../union/union-tree.ts'
import { copyInto } from '../copy/copy.ts'
import { findSources } from '../copy/copy-sources.ts'
import { Draft } from '../copy/draft.ts'
import { draftDigest } from '../copy/draft-digest.ts'
import { stillTree } from '../copy/restated-tree.ts'
import type { Done, StageSoFar } from '../stage-so-far.ts'
import { keyOf, variableDigests } from '../step-key.ts'
import { execute } from './execute.ts'
import { prepareMounts } from './run-mounts.ts'
import { scriptOf } from './scripts.ts'

/** Carries out RUN, or takes what it made before. One build at a time runs the same command on the same files. */
export async function runStep(
  stage: StageSoFar,
  meaning: Extract<Meaning, { readonly is: 'run' }>,
  text: string,
): Promise<Done> {
  const { around, ground, workingDirectory, config } = stage
  const { scope, operation } = around
  if (meaning.security === 'insecure')
    throw new PlyError('PLY_UNSUPPORTED', {
      what: 'RUN --security=insecure',
      reason: 'commands of a build have no more rights than those of a container',
    })
  const { words, scripts } = scriptOf(meaning, config)
  const environment = [...(config.Env ?? []), ...scope.args.map(([name, value]) => `${name}=${value}`)]
  const { User = '' } = config
  const inputs = {
    below: stage.chain,
    platform: formatPlatform(stage.image.config),
    command: JSON.stringify([words, scripts]),
    environment: variableDigests(environment),
    directory: workingDirectory,
    user: User,
    network: meaning.network,
    mounts: await mountsDigest(stage, meaning.mounts),
  }
  const said = `RUN ${words.join(' ')}`
  const step = { key: keyOf('run', inputs), said, text, inputs }
  using _ = await ground.alone(step.key, operation)
  const known = await stage.recalled(step)
  if (known !== undefined) return known
  const because = stage.why(text, inputs)
  checkRunnable(stage.image.config)
  if (around.store.root === ':memory:')
    throw new PlyError('PLY_UNSUPPORTED', { what: 'RUN', reason: 'the store is in memory; use one on a disk' })
  await using mounts = await prepareMounts(meaning.mounts, {
    store: around.store,
    ground,
    directory: workingDirectory,
    word: (word) => scope.word(word),
    treeOf: async (from) => (from === undefined ? stillTree(stage.context(), stage.time) : around.treeOf(from)),
    secrets: around.secrets,
    agents: around.agents,
    operation,
  })
  const { dockerfile, stage: about } = around
  const { line } = stage
  using _turn = await stage.turn()
  const image = await execute({
    store: around.store,
    image: stage.image,
    words,
    scripts,
    environment: [...environment, ...around.proxies, ...mounts.environment],
    directory: workingDirectory,
    user: User,
    network: meaning.network === 'none' ? 'none' : 'host',
    mounts,
    epoch: around.epoch,
    history: stage.history(said),
    finish: (made) => configure(made, stage.made),
    runtime: around.runtime,
    opening: around.opening,
    onOutput: (chunk) => around.tell({ what: 'output', stage: about.name ?? String(about.number), chunk }),
    failed: (how, output) =>
      new PlyError('PLY_BUILD_FAILED', {
        file: dockerfile.file,
        line,
        step: text,
        how,
        output: output === '' ? '' : `; it said:\n${output}`,
      }),
    operation,
  })
  stage.remember(step, image)
  return { state: 'done', ...(because !== undefined && { because }) }
}

/** What of its mounts a command may depend on: where they are, and what is in those that are there to be read. */
async function mountsDigest(stage: StageSoFar, mounts: readonly RunMount[]): Promise<string> {
  const { scope, operation, treeOf } = stage.around
  const parts: unknown[] = []
  for (const mount of mounts) {
    const word = (text: string | undefined) => (text === undefined ? undefined : scope.word(text))
    parts.push([mount.type, word(mount.target), word(mount.id), word(mount.env), mount.readOnly])
    if (mount.type !== 'bind') continue
    const from = word(mount.from)
    const tree = from === undefined ? stage.context() : await treeOf(from)
    const draft = new Draft(union([], memoryUpper()))
    const found = findSources(tree, encodeText(word(mount.source) ?? ''))
    await copyInto(
      draft,
      tree,
      found,
      { path: '/', isDirectory: true },
      { time: { at: 0n, always: from === undefined } },
      operation,
    )
    parts.push(await draftDigest(draft, operation))
  }
  return JSON.stringify(parts)
}
