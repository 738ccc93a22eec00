import { createHash } from 'node:crypto'
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { exitCodeOf } from '../../src/cli/exit-codes.ts'
import { failureOf, renderFailure } from '../../src/cli/failure.ts'
import { codeOf, type ErrorCode, openStore, type Store, type StoreOptions } from '../../src/index.ts'
import { type Answer, dockerArchive, ply } from '../cli/run-ply.ts'
import { temporary } from '../support/temporary.ts'

/** One way to come to an error, for real. */
export interface Provocation {
  readonly code: ErrorCode
  /** What is wrong: the name of the test goes on with it. */
  readonly what: string
  /** What its message names. */
  readonly says: RegExp
  /** Why it cannot be had here. */
  readonly unless?: string | false
  /** What it takes damages the store itself, which a check then tells. */
  readonly damages?: true
  /** Prepares, and answers what is to fail: a command line, or a call of the library. */
  prepare(ground: Ground): Promise<readonly string[] | (() => Promise<unknown>)>
  readonly environment?: (ground: Ground) => NodeJS.ProcessEnv
  readonly signal?: AbortSignal
}

/** A place with a store in it: image `base:1`, container `work` with a snapshot `first`. */
export class Ground {
  readonly path: string
  readonly root: string
  /** Where temporary files go. */
  readonly scratch: string

  private constructor(path: string) {
    this.path = path
    this.root = join(path, 'store')
    this.scratch = join(path, 'tmp')
    mkdirSync(this.scratch)
  }

  static async make(): Promise<Ground> {
    const ground = new Ground(temporary())
    chmodSync(ground.path, 0o755)
    const layers = [{ 'etc/': '', 'etc/issue': 'an image\n', 'etc/link': { to: 'issue' } }, { 'etc/motd': 'hello\n' }]
    await dockerArchive(ground.at('base.tar'), 'base:1', layers)
    await ground.ply('load', ground.at('base.tar'), '-t', 'base:1', '--no-durable')
    await ground.ply('create', 'base:1', '--name', 'work')
    await ground.ply('cp', '-', 'work:/etc/new')
    await ground.ply('snapshot', 'work', 'first')
    return ground
  }

  readonly at = (...names: string[]): string => join(this.path, ...names)

  put(name: string, content: string | Uint8Array): string {
    writeFileSync(this.at(name), content)
    return this.at(name)
  }

  folder(name: string, files: Readonly<Record<string, string | Uint8Array>> = {}): string {
    mkdirSync(this.at(name), { recursive: true })
    for (const [file, content] of Object.entries(files)) writeFileSync(this.at(name, file), content)
    return this.at(name)
  }

  readonly store = (options?: StoreOptions): Promise<Store> => openStore(this.root, options)

  /** A command line that succeeds. */
  async ply(...argv: string[]): Promise<Answer> {
    const answer = await ply([...argv, '--root', this.root], { stdin: 'x\n' })
    expect(answer.code, answer.err).toBe(0)
    return answer
  }

  /** Every file of the store with a digest of its content; locks stay, and what was seen of index.json. */
  contents(): string[] {
    const shown = (path: string) => {
      const stat = lstatSync(join(this.root, path))
      if (stat.isSymbolicLink()) return `-> ${readlinkSync(join(this.root, path))}`
      if (!stat.isFile()) return 'directory'
      return createHash('sha256')
        .update(readFileSync(join(this.root, path)))
        .digest('hex')
    }
    return (readdirSync(this.root, { recursive: true }) as string[])
      .filter((path) => !path.startsWith('locks/') && !path.includes('%.index-seen'))
      .map((path) => `${path} ${statSync(join(this.root, path), { throwIfNoEntry: false }) ? shown(path) : ''}`)
      .sort()
  }
}

/** Provokes it, and checks all that is promised of an error. What leaves the store as it was can be provoked on one ground, one after the other. */
export async function provoke(wanted: Provocation, given?: Ground): Promise<void> {
  const ground = given ?? (await Ground.make())
  const { code, says, damages } = wanted
  const attempt = await wanted.prepare(ground)
  const before = ground.contents()
  const was = process.env.TMPDIR
  process.env.TMPDIR = ground.scratch
  let told: { readonly status: number; readonly text: string }
  try {
    told = typeof attempt === 'function' ? await thrown(attempt) : await said(attempt, ground, wanted)
  } finally {
    if (was === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = was
  }
  const [message = '', ...more] = told.text.trimEnd().split('\n')
  expect(message).toMatch(/^ply: [^\x00-\x1f]+$/)
  expect(message).toContain(code)
  expect(told.text).toMatch(says)
  expect(told.status).toBe(exitCodeOf(code))
  for (const line of more) expect(line).toMatch(/^ {5}\S[^\x00-\x1f]*$/)
  if (code.startsWith('PLY_')) expect(tellsWhatToDo(message, more), told.text).toBe(true)
  expect(ground.contents()).toEqual(before)
  expect(readdirSync(ground.scratch)).toEqual([])
  await using store = await ground.store({ anyOwner: true }).catch(() => undefined)
  if (store === undefined) expect(damages).toBe(true)
  const found = (await store?.fsck({ level: 'digests' }))?.findings ?? []
  if (!damages) expect(found.filter(({ kind }) => kind !== 'cosmetics')).toEqual([])
}

/** What to do next stands after a semicolon, or in the line below; an end on request, and a line of a Dockerfile, say it themselves. */
function tellsWhatToDo(message: string, more: readonly string[]): boolean {
  return message.includes('; ') || more.length > 0 || /PLY_(ABORTED|BUILD_FAILED|BAD_DOCKERFILE)/.test(message)
}

async function said(argv: readonly string[], ground: Ground, { environment, signal }: Provocation) {
  const given = { environment: environment?.(ground) ?? {}, ...(signal && { signal }) }
  const root = argv.includes('--root') ? [] : ['--root', ground.root]
  const { code, err } = await ply([...argv, ...root, '--progress', 'none'], given)
  return { status: code, text: err }
}

/** A call of the library that fails, as the command would show it. */
async function thrown(attempt: () => Promise<unknown>) {
  const error = await attempt().then(
    () => expect.unreachable('it did not fail'),
    (one: unknown) => one,
  )
  const failure = failureOf(error, undefined)
  expect(codeOf(error)).toBe(failure.code)
  return { status: failure.exitCode, text: renderFailure(failure) }
}
