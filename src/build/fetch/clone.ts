import { existsSync, realpathSync, rmSync } from 'node:fs'
import { join, sep } from 'node:path'
import { codeOf, PlyError } from '../../model/errors.ts'
import { runProgram } from './programs.ts'
import type { FetchOptions, Remote } from './remote.ts'

/**
 * What is in a repository at a commit, with its submodules, in a directory below `directory`. Nothing of this user's settings counts, and none
 * of the programs that a repository may name are run.
 *
 * @throws Error with what git says; PLY_DIGEST_MISMATCH; PLY_UNSUPPORTED without git; PLY_ABORTED
 */
export async function clone(
  { url, ref = 'HEAD' }: Extract<Remote, { readonly is: 'git' }>,
  directory: string,
  { checksum, keepGitDirectory = false, signal }: FetchOptions,
): Promise<string> {
  if (ref.startsWith('-')) throw new Error(`${ref} is no name of a commit`)
  // Nothing of this user's settings, and no question that nobody answers.
  const environment = {
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_TERMINAL_PROMPT: '0',
    GIT_LFS_SKIP_SMUDGE: '1',
  }
  const work = join(directory, 'work')
  const git = (...args: string[]) =>
    runProgram('git', ['-c', 'core.hooksPath=/dev/null', '-c', 'protocol.file.allow=never', '-C', work, ...args], {
      signal,
      environment,
    })
  await runProgram('git', ['init', '-q', work], { signal, environment })
  await git('fetch', '-q', '--depth', '1', '--no-tags', '--', url, ref)
  const commit = (await git('rev-parse', 'FETCH_HEAD^{commit}')).trim()
  if (checksum !== undefined && !(/^[0-9a-f]{7,64}$/.test(checksum) && commit.startsWith(checksum)))
    throw new PlyError('PLY_DIGEST_MISMATCH', {
      what: `the commit ${ref} of the repository`,
      expected: checksum,
      actual: commit,
    })
  await git('checkout', '-q', '--detach', commit)
  const modules = existsSync(join(work, '.gitmodules')) ? await submodules(git, url, work) : []
  if (!keepGitDirectory)
    for (const place of [work, ...modules]) rmSync(join(place, '.git'), { recursive: true, force: true })
  return work
}

/** Fetches the submodules, and theirs; addresses of this machine's own files are refused by git. Answers their directories. */
async function submodules(
  git: (...args: string[]) => Promise<string>,
  url: string,
  work: string,
): Promise<readonly string[]> {
  // What is written as ../other.git is beside the repository.
  await git('remote', 'add', 'origin', '--', url)
  const update = ['submodule', '--quiet', 'update', '--init', '--recursive']
  try {
    await git(...update, '--depth', '1')
  } catch (error) {
    if (codeOf(error) !== undefined) throw error
    // Not every server gives a commit that no branch ends in by itself.
    await git(...update)
  }
  const said = await git('submodule', '--quiet', 'foreach', '--recursive', 'printf "%s\\0" "$toplevel/$sm_path"')
  const root = realpathSync(work) + sep
  return said.split('\0').filter((place) => place !== '' && `${realpathSync(place)}${sep}`.startsWith(root))
}
