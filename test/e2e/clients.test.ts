import { execFileSync } from 'node:child_process'
import { chmodSync, createWriteStream, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { TarArchive } from 'archiver'
import { build, type Plugin } from 'esbuild'
import git from 'isomorphic-git'
import http from 'isomorphic-git/http/node'
import { append, type Container, extractTree, layerFrom, openStore, scratch, type UnionFs } from 'plyfs'
import { pack } from 'tar-stream'
import { describe, expect, test } from 'vitest'
import { hasProgram } from '../support/ability.ts'
import { gitServer } from './git-server.ts'
import { run } from './tools.ts'
import { workspace } from './workspace.ts'

/** Libraries that take an `fs`, or are fed from one, as their users use them: on a container of a store on disk. */

/** A test that needs a program, which CI has. */
function testWith(program: string, name: string, act: () => Promise<void>): void {
  if (hasProgram(program)) test(name, act)
  else if (process.env.CI) throw new Error(`${name}: cannot run on CI: ${program} is not installed`)
  else test.skip(`${name} [skipped: ${program} is not installed]`, act)
}

/** A container over an image that has some of the directories already: what is written there is written over lower ones. */
async function withContainer(work: string, act: (container: Container) => Promise<void>): Promise<void> {
  await using store = await openStore(join(work, 'store'))
  const image = append(
    scratch,
    layerFrom({
      '/work/app/README': 'below',
      '/work/app/old/gone': 'below',
      '/work/.keep': '',
      '/etc/motd': 'hello\n',
    }),
  )
  await store.write(image, 'base')
  await using container = await store.containers.create('work', 'base')
  await act(container)
}

/** The tree as the disk has it, with the very times and modes. */
async function extracted(container: Container, target: string): Promise<string> {
  await extractTree(container.tree, target)
  return target
}

const identity = { name: 'Somebody', email: 'somebody@example.com' }
const fileCount = 1000
const pathOf = (i: number) => `src/part-${i % 25}/${i % 3 === 0 ? 'deep/er/' : ''}file-${i}.txt`

/** A bare repository of a thousand files, some of them executable, with names that are no ASCII, and a symlink. */
function makeRepository(work: string): string {
  const source = join(work, 'source')
  mkdirSync(source)
  const inSource = (...args: string[]) =>
    run('git', '-C', source, '-c', `user.name=${identity.name}`, '-c', `user.email=${identity.email}`, ...args)
  inSource('init', '-q', '-b', 'main')
  for (let i = 0; i < fileCount; i++) {
    const path = join(source, pathOf(i))
    mkdirSync(join(path, '..'), { recursive: true })
    writeFileSync(path, `file ${i}\n`.repeat(1 + (i % 50)))
    if (i % 10 === 0) chmodSync(path, 0o755)
  }
  writeFileSync(join(source, 'naïve-文件.txt'), 'names are bytes\n')
  symlinkSync('src/part-1', join(source, 'link'))
  inSource('add', '-A')
  inSource('commit', '-q', '-m', 'first')
  inSource('checkout', '-q', '-b', 'other')
  for (let i = 0; i < fileCount; i++) writeFileSync(join(source, pathOf(i)), `other ${i}\n`)
  inSource('rm', '-q', '-f', pathOf(1), pathOf(3))
  inSource('commit', '-q', '-a', '-m', 'second')
  inSource('checkout', '-q', 'main')
  const bare = join(work, 'served', 'project.git')
  run('git', 'clone', '-q', '--bare', source, bare)
  run('git', '-C', bare, 'config', 'http.receivepack', 'true')
  return bare
}

describe('isomorphic-git', () => {
  testWith('git', 'clones, checks out a thousand files, commits and pushes inside a union', async () => {
    await using work = workspace()
    const bare = makeRepository(work.path)
    await using server = await gitServer(join(work.path, 'served'))
    await withContainer(work.path, async (container) => {
      const { fs } = container
      const dir = '/work/app/project'
      const repository = { fs, dir }
      await git.clone({ ...repository, http, url: `${server.url}/project.git` })
      const inside = (root: string, ...args: string[]) =>
        run('git', '-c', 'safe.directory=*', '-C', join(root, dir), ...args).trim()

      const cloned = await extracted(container, join(work.path, 'cloned'))
      expect(inside(cloned, 'status', '--porcelain')).toBe('')
      inside(cloned, 'fsck', '--strict')
      expect(inside(cloned, 'ls-files').split('\n')).toHaveLength(fileCount + 2)
      expect(inside(cloned, 'rev-parse', 'HEAD')).toBe(run('git', '-C', bare, 'rev-parse', 'main').trim())
      expect(fs.readlinkSync(`${dir}/link`)).toBe('src/part-1')
      expect(fs.statSync(`${dir}/${pathOf(10)}`).mode & 0o111).toBe(0o111)

      await git.checkout({ ...repository, ref: 'other' })
      const other = await extracted(container, join(work.path, 'other'))
      expect(inside(other, 'status', '--porcelain')).toBe('')
      expect(inside(other, 'rev-parse', 'HEAD')).toBe(run('git', '-C', bare, 'rev-parse', 'other').trim())
      expect(readFileSync(join(other, dir, pathOf(7)), 'utf8')).toBe('other 7\n')
      await git.checkout({ ...repository, ref: 'main' })

      await fs.promises.appendFile(`${dir}/${pathOf(2)}`, 'and more\n')
      await fs.promises.writeFile(`${dir}/new.txt`, 'new\n')
      await fs.promises.rm(`${dir}/${pathOf(4)}`)
      for (const filepath of [pathOf(2), 'new.txt']) await git.add({ ...repository, filepath })
      await git.remove({ ...repository, filepath: pathOf(4) })
      const changed = (await git.statusMatrix(repository)).filter(
        ([, head, work, stage]) => head !== work || work !== stage,
      )
      expect(changed.map(([path]) => path).sort()).toEqual(['new.txt', pathOf(2), pathOf(4)].sort())
      const commit = await git.commit({ ...repository, message: 'third\n', author: identity })
      await git.push({ ...repository, http, remote: 'origin', ref: 'main' })

      const committed = await extracted(container, join(work.path, 'committed'))
      expect(inside(committed, 'status', '--porcelain')).toBe('')
      inside(committed, 'fsck', '--strict')
      expect(inside(committed, 'show', '--stat', '--format=%s', 'HEAD')).toContain('3 files changed')
      expect(run('git', '-C', bare, 'rev-parse', 'main').trim()).toBe(commit)
      run('git', '-C', bare, 'fsck', '--strict')
    })
  })
})

/** Paths under a directory of an `fs`, parents first, with what they are. */
function* walk(fs: UnionFs, top: string): Generator<{ readonly path: string; readonly name: string }> {
  for (const name of fs.readdirSync(top)) {
    const path = posix.join(top, name)
    yield { path, name: path.slice(1) }
    if (fs.lstatSync(path).isDirectory()) yield* walk(fs, path)
  }
}

/** Something of every kind that an archive can hold and any user may unpack. */
function fill(fs: UnionFs): void {
  fs.mkdirSync('/work/app/src/empty', { recursive: true, mode: 0o700 })
  for (let i = 0; i < 200; i++)
    fs.writeFileSync(`/work/app/src/file-${i}`, `${i}\n`.repeat(i * 7), { mode: i % 2 ? 0o644 : 0o755 })
  fs.writeFileSync('/work/app/src/large', Buffer.alloc(3_000_000, 'abcdefg'))
  fs.symlinkSync('src/large', '/work/app/link')
  fs.appendFileSync('/work/app/README', ' and above')
  fs.rmSync('/work/app/old', { recursive: true })
  for (const { path } of walk(fs, '/work')) fs.lutimesSync(path, 1_600_000_000, 1_600_000_000)
}

const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }

describe('tar archives of a union', () => {
  testWith('tar', 'by tar-stream are what GNU tar finds in the extracted tree', async () => {
    await using work = workspace()
    await withContainer(work.path, async (container) => {
      const { fs } = container
      fill(fs)
      const archive = pack()
      const written = pipeline(archive, createWriteStream(join(work.path, 'packed.tar')))
      for (const { path, name } of walk(fs, '/work')) {
        const stats = fs.lstatSync(path)
        const header = { name, mode: stats.mode & 0o7777, mtime: stats.mtime, ...owner }
        if (stats.isDirectory()) archive.entry({ ...header, type: 'directory' })
        else if (stats.isSymbolicLink()) archive.entry({ ...header, type: 'symlink', linkname: fs.readlinkSync(path) })
        else await pipeline(fs.createReadStream(path), archive.entry({ ...header, size: stats.size }))
      }
      archive.finalize()
      await written
      const target = await extracted(container, join(work.path, 'extracted'))
      expect(run('tar', '-d', '-f', join(work.path, 'packed.tar'), '-C', target)).toBe('')
      expect(run('tar', '-t', '-f', join(work.path, 'packed.tar')).trim().split('\n')).toHaveLength(
        [...walk(fs, '/work')].length,
      )
    })
  })

  testWith('tar', 'by archiver unpack to what is in the union', async () => {
    await using work = workspace()
    await withContainer(work.path, async (container) => {
      const { fs } = container
      fill(fs)
      const archive = new TarArchive()
      const written = pipeline(archive, createWriteStream(join(work.path, 'archived.tar')))
      for (const { path, name } of walk(fs, '/work')) {
        const stats = fs.lstatSync(path)
        if (stats.isSymbolicLink()) archive.symlink(name, fs.readlinkSync(path))
        else if (stats.isFile())
          archive.append(fs.createReadStream(path), { name, stats, mode: stats.mode & 0o7777, date: stats.mtime })
      }
      await archive.finalize()
      await written
      const target = join(work.path, 'unpacked')
      mkdirSync(target)
      run('tar', '-x', '-p', '-f', join(work.path, 'archived.tar'), '-C', target)
      let compared = 0
      for (const { path } of walk(fs, '/work')) {
        if (!fs.lstatSync(path).isFile()) continue
        expect(readFileSync(join(target, path)).equals(fs.readFileSync(path)), path).toBe(true)
        compared++
      }
      expect(compared).toBe(203)
      expect(run('find', join(target, 'work'), '-type', 'l').trim()).toBe(join(target, '/work/app/link'))
    })
  })
})

/** Resolves and loads modules from an `fs`, as node does: relative ones, and packages in `node_modules`. */
function from(fs: UnionFs): Plugin {
  const isFile = (path: string) => fs.statSync(path, { throwIfNoEntry: false })?.isFile() ?? false
  const asFile = (path: string) =>
    ['', '.ts', '.js', '.json', '/index.ts', '/index.js'].map((end) => path + end).find(isFile)
  const asPackage = (directory: string, name: string): string | undefined => {
    const root = posix.join(directory, 'node_modules', name)
    if (isFile(`${root}/package.json`)) {
      const { main = 'index.js' } = JSON.parse(fs.readFileSync(`${root}/package.json`, 'utf8')) as { main?: string }
      return asFile(posix.join(root, main))
    }
    return directory === '/' ? undefined : asPackage(posix.dirname(directory), name)
  }
  return {
    name: 'union',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /.*/ }, ({ path, resolveDir, kind }) => {
        if (kind === 'entry-point') return { path, namespace: 'union' }
        const found = /^[./]/.test(path) ? asFile(posix.resolve(resolveDir, path)) : asPackage(resolveDir, path)
        return found
          ? { path: fs.realpathSync(found), namespace: 'union' }
          : { errors: [{ text: `${path} is not there` }] }
      })
      onLoad({ filter: /.*/, namespace: 'union' }, async ({ path }) => ({
        contents: await fs.promises.readFile(path),
        loader: path.endsWith('.json') ? 'json' : path.endsWith('.ts') ? 'ts' : 'js',
        resolveDir: posix.dirname(path),
      }))
    },
  }
}

describe('esbuild', () => {
  test('bundles a project that lies in a union, and the bundle runs', async () => {
    await using work = workspace()
    await withContainer(work.path, async (container) => {
      const { fs } = container
      const app = '/work/app'
      fs.mkdirSync(`${app}/src/parts`, { recursive: true })
      fs.mkdirSync(`${app}/store/sum/lib`, { recursive: true })
      fs.mkdirSync(`${app}/node_modules`)
      fs.writeFileSync(`${app}/store/sum/package.json`, '{ "name": "sum", "main": "lib" }')
      fs.writeFileSync(`${app}/store/sum/lib/index.js`, 'exports.sum = (numbers) => numbers.reduce((a, b) => a + b, 0)')
      // As pnpm lays packages out.
      fs.symlinkSync('../store/sum', `${app}/node_modules/sum`)
      const parts = Array.from({ length: 60 }, (_, i) => i)
      for (const i of parts) {
        const next =
          i + 1 < parts.length ? `import { all as rest } from './part-${i + 1}'\n` : 'const rest: number[] = []\n'
        fs.writeFileSync(`${app}/src/parts/part-${i}.ts`, `${next}export const all: number[] = [${i}, ...rest]\n`)
      }
      fs.writeFileSync(`${app}/src/words.json`, '{ "greeting": "the sum is" }')
      fs.writeFileSync(
        `${app}/src/main.ts`,
        `import { sum } from 'sum'\nimport { all } from './parts/part-0'\nimport { greeting } from './words.json'\nconsole.log(greeting, sum(all))\n`,
      )
      const { outputFiles, metafile } = await build({
        entryPoints: [`${app}/src/main.ts`],
        bundle: true,
        platform: 'node',
        outfile: '/out/bundle.js',
        write: false,
        metafile: true,
        plugins: [from(fs)],
      })
      expect(Object.keys(metafile.inputs)).toHaveLength(parts.length + 3)
      await fs.promises.mkdir(`${app}/dist`)
      await fs.promises.writeFile(`${app}/dist/bundle.cjs`, outputFiles[0]!.contents)
      const target = await extracted(container, join(work.path, 'extracted'))
      const said = execFileSync(process.execPath, [join(target, app, 'dist', 'bundle.cjs')], { encoding: 'utf8' })
      expect(said).toBe('the sum is 1770\n')
    })
  })
})
