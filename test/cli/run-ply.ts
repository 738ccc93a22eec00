import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { pack } from 'tar-stream'
import { afterAll } from 'vitest'
import { main } from '../../src/cli/main.ts'

export interface Answer {
  readonly code: number
  readonly out: string
  readonly bytes: Buffer
  readonly err: string
}

export interface Surroundings {
  readonly stdin?: string | Uint8Array
  readonly environment?: NodeJS.ProcessEnv
  readonly signal?: AbortSignal
  /** Whether stdout is a terminal. */
  readonly terminal?: boolean
}

const facts = { name: 'plyfs', version: '0.0.0', root: fileURLToPath(new URL('../..', import.meta.url)) }

/** Runs a command line in this process, as `bin/ply.js` does in one of its own. */
export async function ply(argv: readonly string[], surroundings: Surroundings = {}): Promise<Answer> {
  const out: Buffer[] = []
  const err: Buffer[] = []
  const stdout = Object.assign(sink(out), { isTTY: surroundings.terminal ?? false })
  const code = await main(
    argv,
    {
      stdin: Readable.from(surroundings.stdin === undefined ? [] : [Buffer.from(surroundings.stdin)]),
      stdinIsTerminal: surroundings.stdin === undefined,
      stdout,
      stderr: sink(err),
      columns: 100,
      environment: surroundings.environment ?? {},
      signal: surroundings.signal ?? new AbortController().signal,
    },
    facts,
  )
  const bytes = Buffer.concat(out)
  return { code, out: bytes.toString('utf8'), bytes, err: Buffer.concat(err).toString('utf8') }
}

function sink(chunks: Buffer[]): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(Buffer.from(chunk))
      done()
    },
  })
}

/** A directory that goes away after the tests of the file. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'ply-test-'))
  afterAll(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

export type Members = Readonly<Record<string, string | Uint8Array | { readonly to: string }>>

/** A tar of files, directories (a name that ends in a slash) and symlinks. */
export async function tarOf(members: Members): Promise<Buffer> {
  const archive = pack()
  for (const [name, content] of Object.entries(members)) {
    const mtime = new Date(1_600_000_000_000)
    if (name.endsWith('/')) archive.entry({ name, type: 'directory', mode: 0o755, mtime })
    else if (typeof content === 'object' && 'to' in content) {
      archive.entry({ name, type: 'symlink', linkname: content.to, mtime })
    } else archive.entry({ name, mode: 0o644, mtime }, Buffer.from(content))
  }
  archive.finalize()
  const chunks: Buffer[] = []
  for await (const chunk of archive) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** Writes a docker-archive, as `docker save` does, with one image. */
export async function dockerArchive(
  path: string,
  name: string | undefined,
  layers: readonly Members[],
): Promise<string> {
  const tars = await Promise.all(layers.map(tarOf))
  const config = JSON.stringify({
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    created: '2026-01-02T03:04:05Z',
    config: { Cmd: ['/bin/sh'] },
    rootfs: { type: 'layers', diff_ids: tars.map((tar) => `sha256:${sha256(tar)}`) },
    history: layers.map((_, index) => ({ created: '2026-01-02T03:04:05Z', created_by: `step ${index}` })),
  })
  const layerNames = tars.map((tar) => `${sha256(tar)}/layer.tar`)
  const manifest = [
    { Config: `${sha256(config)}.json`, RepoTags: name === undefined ? null : [name], Layers: layerNames },
  ]
  writeFileSync(
    path,
    await tarOf({
      [`${sha256(config)}.json`]: config,
      ...Object.fromEntries(tars.map((tar, index) => [layerNames[index]!, tar])),
      'manifest.json': JSON.stringify(manifest),
    }),
  )
  return path
}

export function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}
