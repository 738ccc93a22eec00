import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gitServer } from '../../e2e/git-server.ts'
import { served } from './adding.ts'

/** What `@URL@` and `@HEAD@` of the cases are: a server with files and a repository of two commits. */
export async function servedPlaces(): Promise<{ readonly names: Readonly<Record<string, string>> } & AsyncDisposable> {
  const directory = mkdtempSync(join(tmpdir(), 'ply-test-'))
  const head = repository(directory)
  const repositories = await gitServer(directory)
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname
    const content = served[path]
    if (content !== undefined) response.end(content)
    else response.writeHead(404).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const names = {
    '@URL@': `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    '@GIT@': repositories.url,
    '@HEAD@': head,
  }
  return {
    names,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await repositories[Symbol.asyncDispose]()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** Makes `r.git`: `sub/f` in the first commit, which is `v1`, and `g` in the second, whose id is answered. */
function repository(directory: string): string {
  const work = join(directory, 'work')
  mkdirSync(join(work, 'sub'), { recursive: true })
  execFileSync('git', ['init', '-q', '-b', 'main', work])
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', work, '-c', 'user.name=a', '-c', 'user.email=a@b', ...args]).toString()
  writeFileSync(join(work, 'sub/f'), '1')
  chmodSync(join(work, 'sub/f'), 0o755)
  git('add', '.')
  git('commit', '-qm', 'one')
  git('tag', 'v1')
  writeFileSync(join(work, 'g'), '2')
  git('add', '.')
  git('commit', '-qm', 'two')
  execFileSync('git', ['clone', '-q', '--bare', work, join(directory, 'r.git')])
  return git('rev-parse', 'HEAD').trim()
}
